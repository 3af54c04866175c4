"""LangSmith's run and project routes, below `/api/v1` only, because `/runs` at the root is the agent server's."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from feedback.integrations.langsmith.runs import LangSmithRun, RunQuery, RunsPage
from feedback.integrations.langsmith.sessions import Session
from feedback.routes.authentication import ServicesDependency
from feedback.routes.openapi import FeedbackOperation, failures
from feedback.validation import MAX_BODY

TAGS = ["LangSmith runs"]
READS = {"feedback_scope": "feedback-read"}
PageLimit = Annotated[int, QueryParameter(ge=1, le=100)]
PageOffset = Annotated[int, QueryParameter(ge=0, le=2**31)]


@get(
    "/runs/{run_id:str}",
    tags=TAGS,
    summary="Read a run",
    operation_id="LangSmithReadRun",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
)
async def read_run(run_id: FromPath[str], services: ServicesDependency) -> LangSmithRun:
    """Read a run of the agent server with its feedback."""
    return await services.langsmith_runs.read(run_id)


@post(
    "/runs/query",
    status_code=200,
    tags=TAGS,
    opt=READS,
    request_max_body_size=MAX_BODY,
    summary="List runs",
    operation_id="LangSmithQueryRuns",
    operation_class=FeedbackOperation,
    responses=failures(413, 422),
)
async def query_runs(data: JSONBody[RunQuery], services: ServicesDependency) -> RunsPage:
    """List runs, newest first. `filter` uses LangSmith's filter language, including its feedback fields."""
    return await services.langsmith_runs.query(data)


@post(
    "/runs/stats",
    status_code=200,
    tags=TAGS,
    opt=READS,
    request_max_body_size=MAX_BODY,
    summary="Summarize runs",
    operation_id="LangSmithRunStats",
    operation_class=FeedbackOperation,
    responses=failures(413, 422),
)
async def run_stats(data: JSONBody[RunQuery], services: ServicesDependency) -> dict[str, Any]:
    """Return counts, latencies and feedback of runs."""
    return await services.langsmith_runs.stats(data)


@get("/sessions", tags=TAGS, summary="List projects", operation_class=FeedbackOperation, responses=failures(422))
async def list_sessions(
    services: ServicesDependency,
    name: FromQuery[str | None] = None,
    name_contains: FromQuery[str | None] = None,
    ids: Annotated[list[str] | None, QueryParameter(name="id")] = None,
    include_stats: FromQuery[bool | None] = None,
    limit: PageLimit = 100,
    offset: PageOffset = 0,
) -> list[Session]:
    """List LangSmith's projects: the project of this request, and its assistants with feedback."""
    sessions = services.langsmith_sessions
    found = await sessions.list_sessions() if name is None else await sessions.find_by_name(name)
    part = (name_contains or "").casefold()
    chosen = [one for one in found if part in one.name.casefold() and (ids is None or one.id in ids)]
    page = chosen[offset : offset + limit]
    return [await sessions.add_stats(one) for one in page] if include_stats else page


@get(
    "/sessions/{session_id:str}",
    tags=TAGS,
    summary="Read a project",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
)
async def read_session(
    session_id: FromPath[str], services: ServicesDependency, include_stats: FromQuery[bool | None] = None
) -> Session:
    """Read one of LangSmith's projects: a project of this service, or an assistant."""
    found = await services.langsmith_sessions.get(session_id)
    return await services.langsmith_sessions.add_stats(found) if include_stats else found


HANDLERS = [read_run, query_runs, run_stats, list_sessions, read_session]
