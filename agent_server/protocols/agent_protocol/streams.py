"""`/threads/{thread_id}/stream`: event streaming of version 2 at the protocol's own path, by SSE and WebSocket."""

from __future__ import annotations

from litestar import post, websocket

from agent_server.routes.event_sockets import event_socket
from agent_server.routes.event_streaming import stream_events
from agent_server.routes.openapi import AgentServerOperation
from agent_server.routes.run_responses import STREAM

stream_thread_events = post(
    "/threads/{thread_id:str}/stream",
    tags=["threads"],
    status_code=200,
    responses=STREAM,
    operation_class=AgentServerOperation,
    operation_id="StreamThreadEvents",
)(stream_events.fn)
thread_event_socket = websocket("/threads/{thread_id:str}/stream")(event_socket.fn)

HANDLERS = [stream_thread_events, thread_event_socket]
