"""Responses at the end of a run, and during it; the run is cancelled if the client leaves before its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Receive, Scope, Send

from agent_server.asgi.json_codec import encode
from agent_server.asgi.sse import stream_response
from agent_server.errors import AgentServerError, Conflict, NotFound
from agent_server.protocols.openai.errors import CODES, RUN_FAILED_STATUS, build_failure, explain_missing_answer
from agent_server.protocols.openai.runs import StartedRun
from agent_server.protocols.openai.schema import ErrorBody
from agent_server.routes.run_responses import cancel_when_closed, cut_where_slow
from agent_server.runs.queue import Runs
from agent_server.runs.records import Record
from agent_server.schema import JsonObject, Run

Show = Callable[[Record, dict[str, str] | None, str | None], JsonObject]
"""Makes a body of a run at its end, its feedback URLs and its feedback token."""


def respond_at_end(started: StartedRun, show: Show) -> ASGIApp:
    """Return a response whose body `show` makes of the run at its end, or its error."""
    services = started.services

    async def make() -> ASGIApp:
        try:
            record, urls = await services.streams.outcome(started.record.run.run_id)
        except AgentServerError as error:
            return build_failure(
                ErrorBody(str(error), "server_error", None, CODES.get(error.status_code)), error.status_code
            )
        if (failed := explain_missing_answer(record)) is not None:
            return build_failure(failed, RUN_FAILED_STATUS)
        body = encode(show(record, urls, started.token))
        return ASGIResponse(body=body, headers=started.headers(), media_type="application/json")

    return _ResponseAtEnd(make, services.runs, started.record.run)


def respond_with_events(started: StartedRun, events: AsyncIterator[bytes], is_cancelled: bool = True) -> ASGIApp:
    """Return a response of server-sent events; with `is_cancelled`, a client that leaves cancels the run."""
    services = started.services
    response = stream_response(events, started.headers(), services.streams.closing)
    if is_cancelled:
        cancel_when_closed(response, services.runs, started.record.run)
    return cut_where_slow(response, started.record.run.thread_id)


class _ResponseAtEnd:
    """Sends the response that `make` returns once the run has ended."""

    def __init__(self, make: Callable[[], Awaitable[ASGIApp]], runs: Runs, run: Run) -> None:
        self._make = make
        self._runs = runs
        self._run = run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, or nothing to a client that has left."""
        making, leaving = asyncio.ensure_future(self._make()), asyncio.ensure_future(_wait_until_client_leaves(receive))
        try:
            await asyncio.wait((making, leaving), return_when=asyncio.FIRST_COMPLETED)
            if making.done():
                await making.result()(scope, receive, send)
            else:
                await self._cancel()
        finally:
            for task in (making, leaving):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _cancel(self) -> None:
        with suppress(Conflict, NotFound):  # the run has just ended
            await self._runs.cancel(self._run.run_id, None, "interrupt")


async def _wait_until_client_leaves(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
