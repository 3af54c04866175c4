"""Convert errors to HTTP responses, in this one place: `{"detail": "…"}` with the error's own status."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin, get_type_hints

import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap

from agent_server.asgi.error_response import get_headers
from agent_server.errors import AgentServerError

log = structlog.get_logger("agent_server")


def _respond(status: int, detail: str, headers: dict[str, str] | None = None) -> Response[dict[str, str]]:
    return Response({"detail": detail}, status_code=status, media_type=MediaType.JSON, headers=headers)


def respond_to_error(_request: Request[Any, Any, Any], error: AgentServerError) -> Response[dict[str, str]]:
    return _respond(error.status_code, str(error), get_headers(error))


def _framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, str]]:
    """Convert Litestar's own errors. An unreadable body or one of the wrong shape is 422, as on the official server."""
    if isinstance(error, ValidationException):
        return _respond(422, _explain(request, error))
    if error.status_code == 400:
        return _respond(422, f"Invalid JSON in request body: {error.detail}")
    return _respond(error.status_code, error.detail, error.headers)


def _explain(request: Request[Any, Any, Any], error: ValidationException) -> str:
    """Describe which fields are wrong and why, one sentence each."""
    problems = error.extra if isinstance(error.extra, list) else []
    problems_described = [_problem(request, problem) for problem in problems if isinstance(problem, dict)]
    return "; ".join(problems_described) or error.detail


def _problem(request: Request[Any, Any, Any], problem: dict[str, Any]) -> str:
    key, message = str(problem.get("key") or "data"), str(problem.get("message") or "is invalid")
    if "enum value" in message and (allowed := _list_allowed(request, key.split("[")[0])):
        message += f"; must be one of {', '.join(allowed)}"
    return message if key == "data" else f"{key}: {message}"


def _list_allowed(request: Request[Any, Any, Any], field: str) -> list[str]:
    """Return the values allowed for a field of the request's body or a query parameter."""
    data = request.route_handler.parsed_data_field
    in_body = get_type_hints(data.annotation).get(field) if data and isinstance(data.annotation, type) else None
    parameter = request.route_handler.parsed_fn_signature.parameters.get(field)
    return _literals(in_body or (parameter.annotation if parameter else None))


def _literals(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    return list(dict.fromkeys(text for part in get_args(annotation) for text in _literals(part)))


def _respond_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, str]]:
    log.error("request_failed", method=request.method, route=request.scope.get("path_template"), exc_info=error)
    return _respond(500, "Internal Server Error. The server's log has the details")


def plain_response(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, str]]:
    """Return the response for any error, for protocols that put its message into another shape."""
    if isinstance(error, AgentServerError):
        return respond_to_error(request, error)
    return _framework(request, error) if isinstance(error, HTTPException) else _respond_unexpected(request, error)


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    AgentServerError: respond_to_error,
    HTTPException: _framework,
    Exception: _respond_unexpected,
}
