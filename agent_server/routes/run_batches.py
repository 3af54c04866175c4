"""`/runs/batch` and `/runs/cancel`: several runs at once."""

from __future__ import annotations

from typing import Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from agent_server.config import Config
from agent_server.errors import Invalid
from agent_server.routes.authorization import owned
from agent_server.routes.run_requests import check_resumes_nothing, origin_of
from agent_server.routes.tracing import traced
from agent_server.runs.runs import Runs
from agent_server.schema import CancelAction, Run, RunCreate, RunsCancel

MOST = 1000
"""Runs in one batch."""


@post("/runs/batch", tags=["stateless runs"], status_code=200)
async def create_run_batch(
    data: JSONBody[list[RunCreate]],
    request: Request[Any, Any, Any],
    runs: NamedDependency[Runs],
    server_config: NamedDependency[Config],
) -> list[Run]:
    """Start runs in the background, each on a thread of its own: all of them, or none."""
    if not 1 <= len(data) <= MOST:
        raise Invalid(f"The batch has {len(data)} runs; send from 1 to {MOST}")
    for one in data:
        check_resumes_nothing(one)
    return await runs.create_many([traced(one, request) for one in data], origin_of(request, server_config))


@post("/runs/cancel", tags=["runs"], status_code=204)
async def cancel_runs(
    data: JSONBody[RunsCancel],
    request: Request[Any, Any, Any],
    runs: NamedDependency[Runs],
    action: FromQuery[CancelAction] = "interrupt",
) -> None:
    """Stop the runs with these ids on a thread, or all with a status; 404 where none of them is at work."""
    await runs.cancel_many(data, action, owned(request, "threads"))


HANDLERS = [create_run_batch, cancel_runs]
