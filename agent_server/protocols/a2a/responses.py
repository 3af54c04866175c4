"""Responses about tasks: the task now or at its end, and the stream of its events."""

from __future__ import annotations

from collections.abc import AsyncIterator

from litestar.types import ASGIApp

from agent_server.asgi.json_codec import encode
from agent_server.asgi.sse import stream_response
from agent_server.broker import START, FrameId
from agent_server.errors import AgentServerError
from agent_server.protocols.a2a.events import last_events, stream_working_events
from agent_server.protocols.a2a.feedback import feedback_metadata
from agent_server.protocols.a2a.legacy import legacy_result
from agent_server.protocols.a2a.requests import EXTENSIONS_HEADER, FEEDBACK_URI, A2aRequest
from agent_server.protocols.a2a.tasks import build_task
from agent_server.protocols.jsonrpc import INTERNAL_ERROR, RpcError, build_failure, build_success
from agent_server.protocols.services import RequestServices
from agent_server.routes.run_responses import cut_where_slow
from agent_server.runs.queue import FINAL
from agent_server.runs.records import Record
from agent_server.schema import JsonObject


class TaskResponses:
    """Builds the responses of one HTTP request."""

    def __init__(self, services: RequestServices) -> None:
        self._services = services

    async def show_task(self, request: A2aRequest, record: Record, history_length: int | None) -> JsonObject:
        """Return the task, with feedback URLs if the client wants them and the run has ended."""
        if not request.wants_feedback or record.run.status not in FINAL:
            return build_task(record, history_length)
        record, urls = await self._services.streams.outcome(record.run.run_id)
        return build_task(record, history_length, await feedback_metadata(self._services.feedback, record, urls))

    async def respond_at_end(
        self, request: A2aRequest, record: Record, history_length: int | None
    ) -> AsyncIterator[bytes]:
        """Yield the response with the task, once its run has ended."""
        try:
            record, urls = await self._services.streams.outcome(record.run.run_id)
            task = build_task(record, history_length, await self._feedback(request, record, urls))
            yield encode(reply(request, {"task": task}))
        except AgentServerError as error:
            yield encode(build_failure(request.id, RpcError(INTERNAL_ERROR, str(error))))

    def stream_task(self, request: A2aRequest, record: Record, after: FrameId, history_length: int | None) -> ASGIApp:
        """Return the response that streams the task's events after a position."""
        events = self._events(request, record, after, history_length)
        response = stream_response(events, build_extension_header(request), self._services.streams.closing)
        return cut_where_slow(response, record.run.thread_id)

    async def _events(
        self, request: A2aRequest, record: Record, after: FrameId, history_length: int | None
    ) -> AsyncIterator[bytes]:
        if after == START:
            yield _sse(reply(request, {"task": build_task(record, history_length)}))
        async for place, event in stream_working_events(self._services.streams, record, after):
            yield _sse(reply(request, event), place)
        try:
            record, urls = await self._services.streams.outcome(record.run.run_id)
            for event in last_events(record, await self._feedback(request, record, urls)):
                yield _sse(reply(request, event))
        except AgentServerError as error:
            yield _sse(build_failure(request.id, RpcError(INTERNAL_ERROR, str(error))))

    async def _feedback(self, request: A2aRequest, record: Record, urls: dict[str, str] | None) -> JsonObject | None:
        if not request.wants_feedback:
            return None
        return await feedback_metadata(self._services.feedback, record, urls)


def reply(request: A2aRequest, result: JsonObject) -> JsonObject:
    """Return the JSON-RPC response with a method's result, in the shape of the request's version."""
    return build_success(request.id, legacy_result(request.method, result) if request.is_legacy else result)


def build_extension_header(request: A2aRequest) -> dict[str, str]:
    """Return the header with the extensions that this response activates."""
    return {EXTENSIONS_HEADER: FEEDBACK_URI} if request.wants_feedback else {}


def _sse(message: JsonObject, place: FrameId | None = None) -> bytes:
    named = f"id: {place}\r\n".encode() if place else b""
    return b"data: %b\r\n%b\r\n" % (encode(message), named)
