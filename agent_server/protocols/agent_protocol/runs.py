"""`/runs/{run_id}` and `/runs/search`: runs by their own id."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.types import ASGIApp

from agent_server.protocols.agent_protocol.schema import AgentRunSearch
from agent_server.protocols.agents import AgentFinder
from agent_server.routes.agent_runs import AgentRun, AgentRunEnd, build_run, run_end
from agent_server.routes.authorization import get_ownership
from agent_server.routes.json_responses import describe_response, respond_json
from agent_server.routes.openapi import AgentServerOperation
from agent_server.runs.listing import RunQuery
from agent_server.runs.queue import Runs
from agent_server.schema import CancelAction
from agent_server.streams.deletion import Deletion
from agent_server.streams.run_streams import RunStreams

TAGS = ["runs"]


@post(
    "/runs/search",
    tags=TAGS,
    status_code=200,
    operation_class=AgentServerOperation,
    responses=describe_response(list[AgentRun], "The runs, newest first."),
)
async def search_runs(
    data: JSONBody[AgentRunSearch],
    request: Request[Any, Any, Any],
    runs: NamedDependency[Runs],
    agent_finder: NamedDependency[AgentFinder],
) -> Response[bytes]:
    """Return the runs that match, newest first."""
    agent = await agent_finder.find(request, data.agent_id) if data.agent_id else None
    query = RunQuery(
        metadata=data.metadata,
        status=data.status,
        thread_id=data.thread_id,
        assistant_id=agent.assistant_id if agent else None,
        limit=data.limit,
        offset=data.offset,
    )
    return respond_json([build_run(one) for one in await runs.search(query, get_ownership(request, "threads"))])


@get(
    "/runs/{run_id:str}",
    tags=TAGS,
    operation_class=AgentServerOperation,
    responses=describe_response(AgentRun, "The run."),
)
async def get_stateless_run(run_id: FromPath[str], runs: NamedDependency[Runs]) -> Response[bytes]:
    """Return the run with this id."""
    return respond_json(build_run(await runs.get(run_id)))


@get(
    "/runs/{run_id:str}/wait",
    tags=TAGS,
    operation_class=AgentServerOperation,
    responses=describe_response(AgentRunEnd, "The run at its end; newlines before."),
)
async def wait_for_stateless_run(
    run_id: FromPath[str], runs: NamedDependency[Runs], streams: NamedDependency[RunStreams]
) -> ASGIApp:
    """Wait for the end of the run; return the run, its values and its messages."""
    return run_end((await runs.get(run_id)).run, runs, streams, {})


@post(
    "/runs/{run_id:str}/cancel",
    tags=TAGS,
    status_code=204,
    operation_class=AgentServerOperation,
)
async def cancel_stateless_run(
    run_id: FromPath[str],
    runs: NamedDependency[Runs],
    streams: NamedDependency[RunStreams],
    wait: Annotated[bool, QueryParameter(description="Whether to answer only once the run has stopped.")] = False,
    action: FromQuery[CancelAction] = "interrupt",
) -> None:
    """Cancel a run: `interrupt` keeps its checkpoints, `rollback` deletes the run and its checkpoints."""
    record = await runs.get(run_id)
    await runs.cancel(record.run.run_id, None, action)
    if wait:
        await streams.wait_for_end(record)
    else:
        await streams.wait_briefly_for_ends([record])


@delete(
    "/runs/{run_id:str}",
    tags=TAGS,
    status_code=204,
    operation_class=AgentServerOperation,
)
async def delete_stateless_run(
    run_id: FromPath[str], runs: NamedDependency[Runs], deletion: NamedDependency[Deletion]
) -> None:
    """Delete a run; a run that has not ended is cancelled first."""
    record = await runs.get(run_id)
    await deletion.delete_run(record.run.run_id, record.run.thread_id)


HANDLERS = [search_runs, get_stateless_run, wait_for_stateless_run, cancel_stateless_run, delete_stateless_run]
