"""Responses to `tools/call`: the end of a run, preceded by its progress if the client wants it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from litestar.types import ASGIApp

from agent_server.asgi.json_codec import encode
from agent_server.asgi.sse import json_response, stream_response
from agent_server.broker import START, FrameId
from agent_server.errors import AgentServerError, NotFound
from agent_server.protocols.jsonrpc import INTERNAL_ERROR, RpcError, build_failure, build_success
from agent_server.protocols.mcp.calls import (
    build_input_required,
    error_result,
    list_interrupts,
    place_meta,
    tool_result,
)
from agent_server.protocols.mcp.feedback import feedback_hint, feedback_meta
from agent_server.protocols.mcp.progress import event_id, parse_event_id, progress_events, sse_message
from agent_server.protocols.mcp.requests import HANDSHAKE_VERSIONS, SERVER_INFO_KEY, McpRequest
from agent_server.protocols.services import RequestServices
from agent_server.routes.run_responses import cancel_when_closed, cut_where_slow
from agent_server.runs.records import Record
from agent_server.schema import JsonObject

SERVER_INFO = {"name": "agent-server", "title": "Agent server", "version": "0.1.0"}


class CallResponses:
    """Builds the responses to calls, for one HTTP request."""

    def __init__(self, services: RequestServices, accepts_events: bool) -> None:
        self._services = services
        self._accepts_events = accepts_events
        self._has_feedback = services.feedback.intake is not None

    async def resume(self, last_event_id: str) -> ASGIApp:
        """Resume the stream of a call's events after the last received one."""
        run_id, after = parse_event_id(last_event_id)
        await self._services.authenticator.authorize_as(
            self._services.http, "join_stateless_run_stream", {}, {"run_id": run_id}
        )
        record = await self._services.runs.get(run_id)
        call = msgspec.json.decode(record.run.metadata).get("mcp")
        if not isinstance(call, dict) or "progress_token" not in call:
            raise NotFound("Last-Event-ID names no call of a tool that has a stream of events")
        request = McpRequest(call.get("request_id"), "tools/call", {}, {}, HANDSHAKE_VERSIONS[-1], {})
        return self._stream(request, record, call["progress_token"], after, is_cancelled_with_it=False)

    def follow(self, request: McpRequest, record: Record, is_lasting: bool) -> ASGIApp:
        """Return a response that ends with the run, preceded by its progress if the client wants it.

        A handshake-era client cancels with a notification, because it can resume an event stream. A later client, or
        one whose result would be lost with its connection, cancels by closing the connection.
        """
        if self._accepts_events and request.progress_token is not None:
            return self._stream(request, record, request.progress_token, START, request.is_modern)
        services = self._services
        response = json_response(self._answer(request, record), {})
        if request.is_modern or not is_lasting:
            cancel_when_closed(response, services.runs, record.run)
        return response  # type: ignore[return-value]

    def _stream(
        self, request: McpRequest, record: Record, token: str | int, after: FrameId, is_cancelled_with_it: bool
    ) -> ASGIApp:
        response = stream_response(self._events(request, record, token, after), {}, self._services.streams.closing)
        if is_cancelled_with_it:
            cancel_when_closed(response, self._services.runs, record.run)
        return cut_where_slow(response, record.run.thread_id)

    async def _events(
        self, request: McpRequest, record: Record, token: str | int, after: FrameId
    ) -> AsyncIterator[bytes]:
        has_ids = not request.is_modern
        async for event in progress_events(self._services.streams, record, token, after, has_ids):
            yield event
        message = await self._response(request, record)
        yield sse_message(message, event_id(record) if has_ids else None)

    async def _answer(self, request: McpRequest, record: Record) -> AsyncIterator[bytes]:
        yield encode(await self._response(request, record))

    async def _response(self, request: McpRequest, record: Record) -> JsonObject:
        try:
            return build_success(request.id, add_era_fields(request, await self._result(request, record)))
        except NotFound:
            return build_success(
                request.id, add_era_fields(request, error_result("The run was deleted before it came to an end"))
            )
        except AgentServerError as error:
            return build_failure(request.id, RpcError(INTERNAL_ERROR, str(error)))

    async def _result(self, request: McpRequest, record: Record) -> JsonObject:
        record, urls = await self._services.streams.outcome(record.run.run_id)
        meta = place_meta(record) | await feedback_meta(self._services.feedback, record, urls)
        waiting = list_interrupts(record)
        if waiting and request.can_be_asked and not record.temporary:
            return {**build_input_required(record, waiting), "_meta": meta}
        result = tool_result(record)
        hint = feedback_hint(record, urls) if self._has_feedback else []
        return {**result, "content": [*result["content"], *hint], "_meta": meta}


def add_era_fields(request: McpRequest, result: JsonObject) -> JsonObject:
    """Return the result with the fields that the request's era requires, without those that it lacks."""
    if not request.is_modern:
        return {name: value for name, value in result.items() if name not in ("ttlMs", "cacheScope")}
    meta = {SERVER_INFO_KEY: SERVER_INFO, **result.get("_meta", {})}
    return {"resultType": "complete", **result, "_meta": meta}
