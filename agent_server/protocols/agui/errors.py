"""Errors of requests, in the shape of AG-UI's event `RUN_ERROR`."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from agent_server.asgi.json_codec import encode
from agent_server.errors import AgentServerError
from agent_server.routes.error_handler import plain_response

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "too_large",
    422: "invalid_input",
    429: "too_many_requests",
    503: "unavailable",
}


def error_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Return the response for any error of a request, with the error's status."""
    plain = plain_response(request, error)
    status, message = plain.status_code or 500, plain.content["detail"]
    body = encode({"type": "RUN_ERROR", "message": message, "code": _CODES.get(status, "internal_error")})
    return Response(body, status_code=status, headers=plain.headers, media_type="application/json")


EXCEPTION_HANDLERS: ExceptionHandlersMap = dict.fromkeys((AgentServerError, HTTPException, Exception), error_response)
