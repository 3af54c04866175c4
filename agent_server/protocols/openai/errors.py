"""Errors in the shape of OpenAI's API: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.response.base import ASGIResponse
from litestar.types import ExceptionHandlersMap

from agent_server.asgi.json_codec import encode
from agent_server.errors import AgentServerError, BadRequest, NotFound
from agent_server.protocols.openai.schema import ErrorBody, ErrorResponse
from agent_server.routes.error_handler import plain_response
from agent_server.runs.records import Record

RUN_FAILED_STATUS = 424
"""Not a 5xx: the server works, and clients that retry after a 5xx would run the agent again."""
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
CODES = {
    401: "invalid_api_key",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "request_too_large",
    429: "rate_limit_exceeded",
    500: "internal_error",
    503: "unavailable",
}
_NO_RETRY = {"x-should-retry": "false"}
"""OpenAI's SDKs would otherwise repeat a 409."""


class BadParameter(BadRequest):
    """A parameter of the request is wrong or not supported."""

    def __init__(self, parameter: str, message: str, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.parameter = parameter
        self.code = code


class Unknown(NotFound):
    """The model or the response that the request names does not exist."""

    def __init__(self, parameter: str, message: str, code: str) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.code = code


def error_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Return the response to any error of a request to this API. A wrong body is a 400, as in OpenAI's API."""
    plain = plain_response(request, error)
    status = 400 if plain.status_code == 422 else plain.status_code or 500
    code = getattr(error, "code", None) or CODES.get(status)
    parameter = getattr(error, "parameter", None) or _wrong_field(error)
    body = encode(ErrorResponse(ErrorBody(plain.content["detail"], _type(status), parameter, code)))
    headers = {**(plain.headers or {}), **_retry(status)}
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def build_failure(error: ErrorBody, status: int) -> ASGIResponse:
    """Return the response to a run that failed, after its handler."""
    body = encode(ErrorResponse(error))
    return ASGIResponse(body=body, status_code=status, headers=_retry(status), media_type="application/json")


def _retry(status: int) -> dict[str, str]:
    return {} if status in (429, 503) else _NO_RETRY


EXCEPTION_HANDLERS: ExceptionHandlersMap = dict.fromkeys((AgentServerError, HTTPException, Exception), error_response)


def explain_missing_answer(record: Record) -> ErrorBody | None:
    """Return why an ended run has no answer: its agent raised an error, or it was cancelled; None if it has one."""
    if record.error is not None:
        error = msgspec.json.decode(record.error)
        message = ": ".join(str(error[name]) for name in ("error", "message") if error.get(name))
        return ErrorBody(message, "agent_error", None, "agent_run_failed")
    if record.run.status != "success":
        return ErrorBody("The run was cancelled before its end", "agent_error", None, "agent_run_cancelled")
    return None


def _type(status: int) -> str:
    return _TYPES.get(status) or ("server_error" if status >= 500 else "invalid_request_error")


def _wrong_field(error: Exception) -> str | None:
    problems = error.extra if isinstance(error, ValidationException) and isinstance(error.extra, list) else []
    first = problems[0].get("key") if problems and isinstance(problems[0], dict) else None
    return None if first in (None, "data") else str(first)
