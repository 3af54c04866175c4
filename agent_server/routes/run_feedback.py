"""`/threads/{thread_id}/runs/{run_id}/feedback`: feedback and fresh presigned URLs, unknown to the official server."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from agent_server.config import Config
from agent_server.errors import NotFound
from agent_server.routes.authentication import read_project
from agent_server.routes.base_url import base_url
from agent_server.routes.json_responses import describe_response, respond_json
from agent_server.runs.feedback import RunFeedback, RunFeedbackResponse
from agent_server.runs.queue import Runs
from agent_server.runs.records import Record
from agent_server.schema import FeedbackKey

_FEEDBACK = describe_response(
    RunFeedbackResponse, "The run's feedback, newest first, and a fresh URL for each feedback key."
)
Keys = Annotated[
    list[FeedbackKey] | None,
    QueryParameter(max_items=100, description="The keys to make URLs for; left out, those of the run."),
]


@get("/threads/{thread_id:str}/runs/{run_id:str}/feedback", tags=["runs"], responses=_FEEDBACK)
async def run_feedback_on_thread(
    thread_id: FromPath[str],
    run_id: FromPath[str],
    request: Request[Any, Any, Any],
    runs: NamedDependency[Runs],
    run_feedback: NamedDependency[RunFeedback],
    server_config: NamedDependency[Config],
    keys: Keys = None,
) -> Response[bytes]:
    """Return the run's feedback and fresh presigned URLs."""
    record = _check_own(request, await runs.get(run_id, thread_id))
    return respond_json(await run_feedback.read(record, keys, base_url(request, server_config)))


@get("/runs/{run_id:str}/feedback", tags=["stateless runs"], responses=_FEEDBACK)
async def run_feedback_of(
    run_id: FromPath[str],
    request: Request[Any, Any, Any],
    runs: NamedDependency[Runs],
    run_feedback: NamedDependency[RunFeedback],
    server_config: NamedDependency[Config],
    keys: Keys = None,
) -> Response[bytes]:
    """Return the run's feedback and fresh presigned URLs."""
    record = _check_own(request, await runs.get(run_id))
    return respond_json(await run_feedback.read(record, keys, base_url(request, server_config)))


def _check_own(request: Request[Any, Any, Any], record: Record) -> Record:
    """Return the run, unless its feedback belongs to another project than the request's. Errors: `NotFound`."""
    if (project := read_project(request)) is not None and record.project != project:
        raise NotFound(f"Run with ID {record.run.run_id} has no feedback of the project {project!r}")
    return record


HANDLERS = [run_feedback_on_thread, run_feedback_of]
