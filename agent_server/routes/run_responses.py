"""Responses shared by the run routes: a live stream or a delayed JSON document, and headers that locate the run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import anyio
import structlog
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError

from agent_server.asgi.error_response import refuse
from agent_server.asgi.json_codec import encode
from agent_server.asgi.sse import json_response, stream_response
from agent_server.broker import SlowSubscriber
from agent_server.errors import Conflict, NotFound
from agent_server.runs.queue import Runs
from agent_server.schema import Run

log = structlog.get_logger("agent_server")

STREAM = {200: ResponseSpec(str, generate_examples=False, media_type="text/event-stream", description="The events.")}
FINAL_VALUES = {
    200: ResponseSpec(
        dict[str, Any],
        generate_examples=False,
        description="The final values, and `__feedback__`, `__interrupt__`, `__error__`; newlines before.",
    )
}


def locations(run: Run, again: str, stateless: bool = False) -> dict[str, str]:
    """Return the headers that give official clients the run's id and the path to `again` after a broken connection.

    As `langgraph_sdk` 0.4.14 reads them: `Content-Location` names the run, a relative `Location` its stream.
    """
    path = f"/runs/{run.run_id}" if stateless else f"/threads/{run.thread_id}/runs/{run.run_id}"
    return {"Location": f"{path}/{again}", "Content-Location": path}


def respond_with_events(
    frames: AsyncIterator[bytes],
    headers: Mapping[str, str],
    closing: anyio.Event,
    runs: Runs,
    run: Run,
    cancel_on_disconnect: bool,
) -> ASGIApp:
    """Return a response of server-sent events."""
    response = stream_response(frames, headers, closing)
    if cancel_on_disconnect:
        response.client_close_handler_callable = _canceller(runs, run)
    return cut_where_slow(response, run.thread_id)


def cut_where_slow(response: EventSourceResponse, thread_id: str) -> ASGIApp:
    """Return the response; a client that reads too slowly is disconnected, with one log line, and may reconnect.

    If an app returns before its response is complete, the ASGI server cuts the connection, and official clients
    reconnect.
    """

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await response(scope, receive, send)  # type: ignore[arg-type]  # Starlette's names for the same shapes
        except (SlowSubscriber, SendTimeoutError) as error:
            log.info("slow_client_cut", thread_id=thread_id, reason=type(error).__name__)

    return respond


def respond_at_end(
    chunks: AsyncIterator[bytes], headers: Mapping[str, str], runs: Runs, run: Run, cancel_on_disconnect: bool
) -> ASGIApp:
    """Return a response of one JSON document, sent once the run has ended."""
    response = json_response(chunks, headers)
    if cancel_on_disconnect:
        response.client_close_handler_callable = _canceller(runs, run)
    return response  # type: ignore[return-value]


def cancel_when_closed(response: EventSourceResponse, runs: Runs, run: Run) -> None:
    """Cancel the run if the client closes the connection before the response is complete."""
    response.client_close_handler_callable = _canceller(runs, run)


def respond_or_not_found(chunks: AsyncIterator[bytes], respond: Callable[[AsyncIterator[bytes]], ASGIApp]) -> ASGIApp:
    """Return the response to a join; it ends with a 404 if the run is deleted meanwhile.

    The response therefore starts with the first chunk. Once a newline has been sent to keep the connection open, the
    status is sent, and the body is `{"__error__": …}`.
    """
    return _JoinResponse(chunks, respond)


class _JoinResponse:
    def __init__(self, chunks: AsyncIterator[bytes], respond: Callable[[AsyncIterator[bytes]], ASGIApp]) -> None:
        self._chunks_to_send = chunks
        self._respond = respond
        self._not_found: NotFound | None = None
        self._start: Message | None = None
        self._has_begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_or_replace(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._start = message
            elif self._not_found is not None and not message.get("more_body", False):
                await self._end(self._not_found, send)
            else:
                await self._begin(send)
                await send(message)

        await self._respond(self._chunks())(scope, receive, send_or_replace)

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._chunks_to_send:
                yield chunk
        except NotFound as error:
            self._not_found = error

    async def _begin(self, send: Send) -> None:
        if not self._has_begun and self._start is not None:
            self._has_begun = True
            await send(self._start)

    async def _end(self, error: NotFound, send: Send) -> None:
        if not self._has_begun:
            await refuse(send, error.status_code, str(error))
            return
        body = encode({"__error__": {"error": type(error).__name__, "message": str(error)}})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _canceller(runs: Runs, run: Run) -> Any:
    async def cancel(_message: Any) -> None:
        try:
            await runs.cancel(run.run_id, None, "interrupt")
        except (Conflict, NotFound):
            return  # the client left before the end

    return cancel
