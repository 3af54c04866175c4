"""The run that a request creates: its owner, the base of its feedback URLs, and its trace."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, WebSocket
from litestar.connection import ASGIConnection

from agent_server.access.caller import caller_json
from agent_server.agents import request_context
from agent_server.config import Config
from agent_server.errors import BadRequest
from agent_server.routes.authentication import read_project
from agent_server.routes.authorization import get_caller, get_ownership
from agent_server.routes.base_url import base_url
from agent_server.runs.queue import Runs
from agent_server.runs.records import LATEST, RunChoice, RunOrigin
from agent_server.schema import Run, RunCreate

TRACE_PARENT = "traceparent"
MAX_HEADER = 200


def run_body(body: Any) -> Any:
    """Return the body of a run request; one in the Agent Protocol's names (`agent_id`, `messages`) in this API's."""
    if not isinstance(body, dict) or "agent_id" not in body or "assistant_id" in body:
        return body
    body["assistant_id"] = body["agent_id"]
    if (messages := body.pop("messages", None)) is not None:
        given = body.get("input")
        body["input"] = {**(given if isinstance(given, dict) else {}), "messages": messages}
    return body


def add_trace(body: RunCreate, request: Request[Any, Any, Any]) -> RunCreate:
    """Return `body` with the request's W3C `traceparent` in its metadata, unless the metadata have one already.

    Later readers of the run, such as feedback, thus find the trace to link to.
    """
    trace = read_trace(request)
    return msgspec.structs.replace(body, metadata={**trace, **(body.metadata or {})}) if trace else body


def read_trace(request: ASGIConnection[Any, Any, Any, Any]) -> dict[str, str]:
    """Return the request's W3C `traceparent` as metadata; empty if it has none."""
    header = request.headers.get(TRACE_PARENT, "")[:MAX_HEADER]
    return {TRACE_PARENT: header} if header else {}


async def create_run(
    request: Request[Any, Any, Any],
    runs: Runs,
    config: Config,
    data: RunCreate,
    thread_id: str | None = None,
    choice: RunChoice = LATEST,
) -> Run:
    """Create a pending run; without a thread id, on a new thread, where it cannot resume anything.

    Errors: as for `Runs.create`.
    """
    if thread_id is None:
        check_resumes_nothing(data)
    return await runs.create(
        add_trace(data, request),
        thread_id,
        run_origin(request, config),
        get_ownership(request, "threads") if thread_id else None,
        choice,
    )


def run_origin(request: Request[Any, Any, Any] | WebSocket[Any, Any, Any], config: Config) -> RunOrigin:
    """Return the origin of a run that the request creates."""
    return RunOrigin(
        base_url(request, config), caller_json(get_caller(request)), request_context().headers, read_project(request)
    )


def check_resumes_nothing(body: RunCreate) -> None:
    """Check that the run may start without a thread of the client's. Errors: `BadRequest`."""
    if (body.command or {}).get("resume") is not None:
        raise BadRequest("command.resume needs a thread on which something waits: POST to /threads/{thread_id}/runs")
