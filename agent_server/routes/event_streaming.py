"""`/threads/{thread_id}/commands` and `/stream/events`: event streaming, version 2."""

from __future__ import annotations

from typing import Any, cast

from litestar import Request, Response, WebSocket, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp

from agent_server.asgi.json_codec import encode
from agent_server.asgi.sse import stream_response
from agent_server.config import Config
from agent_server.routes.authorization import get_ownership
from agent_server.routes.run_requests import read_trace, run_origin
from agent_server.routes.run_responses import STREAM, cut_where_slow
from agent_server.runs.events.schema import CommandDone, CommandRefused, EventStreamRequest
from agent_server.runs.feedback import RunFeedback
from agent_server.streams.commands import Commands, Sender, parse_command
from agent_server.streams.event_streams import EventStreams
from agent_server.streams.run_streams import RunStreams

_REPLY = {
    200: ResponseSpec(cast(Any, CommandDone | CommandRefused), generate_examples=False, description="What it came to.")
}


@post("/threads/{thread_id:str}/commands", tags=["threads"], status_code=200, responses=_REPLY)
async def thread_command(
    thread_id: FromPath[str],
    data: JSONBody[Any],
    request: Request[Any, Any, Any],
    commands: NamedDependency[Commands],
    server_config: NamedDependency[Config],
    run_feedback: NamedDependency[RunFeedback],
) -> Response[bytes]:
    """Execute a command, `{"id": 1, "method": "run.start", "params": {...}}`; a rejected command is a 200, too.

    `run.start` takes the body of a run request, and creates the thread if it does not exist: `assistant_id`, `input`,
    `config`, `metadata`, `multitask_strategy`, `feedback_keys` … On an interrupted thread, its input resumes the run.
    `input.respond` responds to one interrupt (`interrupt_id`, `response`) or several (`responses`). `agent.getTree`
    describes the current run. 400 if the body is no command.
    """
    command = parse_command(data)
    if isinstance(command, CommandRefused):
        command.detail = command.message
        return Response(encode(command), status_code=400, media_type="application/json")
    sender = build_sender(request, server_config, thread_id)
    reply = await commands.execute(sender, command)
    run_id = reply.result.get("run_id") if isinstance(reply, CommandDone) else None
    headers = run_feedback.headers(run_id, sender.origin.project) if run_id else {}
    return Response(encode(reply), headers=headers, media_type="application/json")


@post("/threads/{thread_id:str}/stream/events", tags=["threads"], status_code=200, responses=STREAM)
async def stream_events(
    thread_id: FromPath[str],
    data: JSONBody[EventStreamRequest],
    request: Request[Any, Any, Any],
    event_streams: NamedDependency[EventStreams],
    streams: NamedDependency[RunStreams],
) -> ASGIApp:
    """Stream the events of the thread's runs on these channels, after `since` or all stored ones, without end.

    A client may subscribe before the thread exists: the stream waits for its first run.

    Each event has a number, `seq`, which grows over all runs of the thread: the last one received is the next `since`.
    If events are no longer stored, an event named `gap` reports it. A run's feedback URLs come on `custom:feedback`.

    Without `since`, `lifecycle` omits the start and end of runs that ended more than five seconds ago: clients would
    mistake them for those of a run that they have just started.
    """
    frames = await event_streams.chunks(thread_id, data, get_ownership(request, "threads"))
    return cut_where_slow(stream_response(frames, {}, streams.closing), thread_id)


def build_sender(request: Request[Any, Any, Any] | WebSocket[Any, Any, Any], config: Config, thread_id: str) -> Sender:
    """Return the user, origin and thread of the request's command."""
    return Sender(thread_id, run_origin(request, config), get_ownership(request, "threads"), read_trace(request))


HANDLERS = [thread_command, stream_events]
