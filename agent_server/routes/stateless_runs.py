"""`/runs`: runs without a thread in the path; each has a temporary one unless its body names a thread."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ASGIApp

from agent_server.config import Config
from agent_server.errors import Invalid
from agent_server.routes.authorization import get_ownership
from agent_server.routes.request_body import ADAPTER
from agent_server.routes.run_requests import add_trace, check_resumes_nothing, run_body, run_origin
from agent_server.routes.run_responder import RunResponder
from agent_server.routes.run_responses import (
    FINAL_VALUES,
    STREAM,
    locations,
    respond_at_end,
    respond_or_not_found,
    respond_with_events,
)
from agent_server.routes.runs import CancelOnDisconnect, LastEventId
from agent_server.runs.queue import Runs
from agent_server.schema import CancelAction, Run, RunCreate, RunsCancel
from agent_server.streams.run_streams import RunStreams, parse_modes

MOST = 1000
"""The maximum number of runs in one batch."""
_ROUTE: Any = {"tags": ["stateless runs"], "status_code": 200, "opt": {ADAPTER: run_body}}


@post("/runs/batch", tags=["stateless runs"], status_code=200)
async def create_run_batch(
    data: JSONBody[list[RunCreate]],
    request: Request[Any, Any, Any],
    runs: NamedDependency[Runs],
    server_config: NamedDependency[Config],
) -> list[Run]:
    """Start runs in the background, each on its own thread: all of them, or none."""
    if not 1 <= len(data) <= MOST:
        raise Invalid(f"The batch has {len(data)} runs; send from 1 to {MOST}")
    for one in data:
        check_resumes_nothing(one)
    return await runs.create_many([add_trace(one, request) for one in data], run_origin(request, server_config))


@post("/runs/cancel", tags=["runs"], status_code=204)
async def cancel_runs(
    data: JSONBody[RunsCancel],
    request: Request[Any, Any, Any],
    runs: NamedDependency[Runs],
    streams: NamedDependency[RunStreams],
    action: FromQuery[CancelAction] = "interrupt",
) -> None:
    """Cancel the runs with these ids on a thread, or all with a status; 404 if none of them is active."""
    at_work = await runs.cancel_many(data, action, get_ownership(request, "threads"))
    await streams.wait_briefly_for_ends(await runs.get_many(at_work[:1000]))


@post("/runs", **_ROUTE)
async def create_stateless_run(data: JSONBody[RunCreate], responder: NamedDependency[RunResponder]) -> Response[Run]:
    """Start a run in the background, on its own thread or on `thread_id`."""
    return await responder.respond(data, data.thread_id)


@post("/runs/stream", responses=STREAM, **_ROUTE)
async def stream_stateless_run(data: JSONBody[RunCreate], responder: NamedDependency[RunResponder]) -> ASGIApp:
    """Start a run on its own thread, or on `thread_id`, and stream its events."""
    return await responder.stream(data, data.thread_id)


@post("/runs/wait", responses=FINAL_VALUES, **_ROUTE)
async def wait_stateless_run(data: JSONBody[RunCreate], responder: NamedDependency[RunResponder]) -> ASGIApp:
    """Start a run on its own thread, or on `thread_id`, and return its final values."""
    return await responder.wait(data, data.thread_id)


@get("/runs/{run_id:str}/join", tags=["stateless runs"], responses=FINAL_VALUES)
async def join_stateless_run(
    run_id: FromPath[str],
    runs: NamedDependency[Runs],
    streams: NamedDependency[RunStreams],
    cancel_on_disconnect: CancelOnDisconnect = False,
) -> ASGIApp:
    """Wait for the end of the run and return its final values."""
    run = (await runs.get(run_id)).run
    headers = locations(run, "join", stateless=True)
    chunks = streams.final_values(run.run_id, must_exist=True)
    return respond_or_not_found(chunks, lambda chunks: respond_at_end(chunks, headers, runs, run, cancel_on_disconnect))


@get("/runs/{run_id:str}/stream", tags=["stateless runs"], responses=STREAM)
async def join_stateless_run_stream(
    run_id: FromPath[str],
    runs: NamedDependency[Runs],
    streams: NamedDependency[RunStreams],
    last_event_id: LastEventId = None,
    stream_mode: FromQuery[list[str] | None] = None,
    cancel_on_disconnect: CancelOnDisconnect = False,
) -> ASGIApp:
    """Stream the run's events, from the first or after `Last-Event-ID`, to its end."""
    record = await runs.get(run_id)
    frames = streams.replay(record, last_event_id, parse_modes(stream_mode or ()))
    headers = locations(record.run, "stream", stateless=True)
    return respond_with_events(frames, headers, streams.closing, runs, record.run, cancel_on_disconnect)


HANDLERS = [
    create_run_batch,
    cancel_runs,
    create_stateless_run,
    stream_stateless_run,
    wait_stateless_run,
    join_stateless_run,
    join_stateless_run_stream,
]
