"""RunResponder: create the run that a request describes, and respond in the background, by streaming or by waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Request, Response
from litestar.types import ASGIApp
from msgspec import Struct

from agent_server.config import Config
from agent_server.routes.agent_runs import build_run, run_end
from agent_server.routes.authentication import read_project
from agent_server.routes.run_requests import create_run
from agent_server.routes.run_responses import locations, respond_at_end, respond_with_events
from agent_server.runs.feedback import RunFeedback
from agent_server.runs.queue import Runs
from agent_server.schema import Run, RunCreate
from agent_server.streams.run_streams import RunStreams


class RunResponder(Struct):
    """A request and the services that start its run. Without a thread id the run gets a thread of its own."""

    request: Request[Any, Any, Any]
    config: Config
    runs: Runs
    streams: RunStreams
    feedback: RunFeedback

    async def respond(self, data: RunCreate, thread_id: str | None = None) -> Response[Any]:
        """Start a run in the background; return it once it is durable."""
        run = await self._create(data, thread_id)
        headers = self._headers(run, "stream", thread_id)
        del headers["Location"]
        if data.agent_id is not None:
            return Response(build_run(await self.runs.get(run.run_id)), headers=headers)
        return Response(run, headers=headers)

    async def stream(self, data: RunCreate, thread_id: str | None = None) -> ASGIApp:
        """Start a run and return the response that streams its events."""
        run = await self._create(data, thread_id)
        frames, headers = self.streams.follow(run.run_id), self._headers(run, "stream", thread_id)
        return respond_with_events(
            frames, headers, self.streams.closing, self.runs, run, data.on_disconnect == "cancel"
        )

    async def wait(self, data: RunCreate, thread_id: str | None = None) -> ASGIApp:
        """Start a run and return the response with its final values."""
        run = await self._create(data, thread_id)
        headers, cancels = self._headers(run, "join", thread_id), data.on_disconnect == "cancel"
        if data.agent_id is not None:
            return run_end(run, self.runs, self.streams, headers, cancels)
        return respond_at_end(self.streams.final_values(run.run_id), headers, self.runs, run, cancels)

    async def _create(self, data: RunCreate, thread_id: str | None) -> Run:
        return await create_run(self.request, self.runs, self.config, data, thread_id)

    def _headers(self, run: Run, again: str, thread_id: str | None) -> dict[str, str]:
        token = self.feedback.headers(run.run_id, read_project(self.request))
        return locations(run, again, stateless=thread_id is None) | token


def run_responders(
    config: Config, runs: Runs, streams: RunStreams, feedback: RunFeedback
) -> Callable[[Request[Any, Any, Any]], RunResponder]:
    """Return the provider of the dependency `responder`, the responder of the request's run.

    The services are given here: were they dependencies, too, Litestar would start a task for each with every request.
    """

    def run_responder(request: Request[Any, Any, Any]) -> RunResponder:
        return RunResponder(request, config, runs, streams, feedback)

    return run_responder
