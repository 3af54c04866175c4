"""Errors in WorkflowAI's shape."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from agent_server.asgi.json_codec import encode
from agent_server.errors import AgentServerError
from agent_server.protocols.workflowai.schema import ErrorResponse, Problem
from agent_server.routes.error_handler import plain_response
from agent_server.runs.records import Record

CODES = {
    400: "bad_request",
    401: "invalid_api_key",
    403: "forbidden",
    404: "object_not_found",
    409: "conflict",
    413: "entity_too_large",
    422: "bad_request",
    429: "rate_limit",
    500: "internal_error",
    503: "unavailable",
}
"""The code of each status; WorkflowAI's clients know those for 400, 404, 422, 429 and 500."""
RUN_FAILED = "agent_run_failed"
RUN_FAILED_STATUS = 424
"""Not a 5xx: the server works, and clients that retry after a 5xx would run the agent again."""


def error_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Return the response for any error of a request to this API."""
    plain = plain_response(request, error)
    status, message = plain.status_code or 500, plain.content["detail"]
    body = encode(ErrorResponse(Problem(CODES.get(status, "bad_request"), message, status)))
    return Response(body, status_code=status, headers=plain.headers, media_type="application/json")


EXCEPTION_HANDLERS: ExceptionHandlersMap = dict.fromkeys((AgentServerError, HTTPException, Exception), error_response)


def explain_missing_output(record: Record) -> Problem:
    """Return the reason why an ended run has no output: its agent raised an error, or it was cancelled."""
    if record.error is None:
        return Problem(RUN_FAILED, "The run was cancelled before its end", RUN_FAILED_STATUS)
    error = msgspec.json.decode(record.error)
    return Problem(RUN_FAILED, f"{error['error']}: {error['message']}", RUN_FAILED_STATUS)
