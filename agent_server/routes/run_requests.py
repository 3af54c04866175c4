"""A run that a request asks for: whose it is, where its feedback URLs lead, and the trace that it belongs to."""

from __future__ import annotations

from typing import Any

from litestar import Request, WebSocket

from agent_server.access.caller import kept
from agent_server.agents import asker
from agent_server.config import Config
from agent_server.errors import BadRequest
from agent_server.routes.admission import project_in
from agent_server.routes.authorization import caller_in, owned
from agent_server.routes.base_url import base_url
from agent_server.routes.tracing import traced
from agent_server.runs.origin import Origin
from agent_server.runs.runs import Runs
from agent_server.schema import Run, RunCreate


async def created_run(
    request: Request[Any, Any, Any], runs: Runs, config: Config, data: RunCreate, thread_id: str | None = None
) -> Run:
    """The new run, pending; without a thread's id on a thread of its own, where there is nothing to resume.

    Errors as of `Runs.create`.
    """
    if thread_id is None:
        check_resumes_nothing(data)
    return await runs.create(
        traced(data, request),
        thread_id,
        origin_of(request, config),
        owned(request, "threads") if thread_id else None,
    )


def origin_of(request: Request[Any, Any, Any] | WebSocket[Any, Any, Any], config: Config) -> Origin:
    """Who asks for a run by the request."""
    return Origin(base_url(request, config), kept(caller_in(request)), asker().headers, project_in(request))


def check_resumes_nothing(body: RunCreate) -> None:
    """Return where the run may be without a thread of its client's. Errors: `BadRequest`."""
    if (body.command or {}).get("resume") is not None:
        raise BadRequest("command.resume needs a thread on which something waits: POST to /threads/{thread_id}/runs")
