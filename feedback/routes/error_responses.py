"""Error responses: `{"detail": …, "code": …}` with the error's status."""

from __future__ import annotations

import logging
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap, Scope

from feedback.errors import TooMany
from feedback.routes.decoding import describe_choices
from feedback.routes.headers import TOKEN_HEADERS
from feedback.routes.pages import respond_with_failure
from feedback.tokens.redaction import redact

logger = logging.getLogger("feedback")

REFUSAL = "feedback_refusal"
"""The request state's entry for the error code."""


def respond_to_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Return the error response of the feedback routes; unexpected errors are logged and reveal no details."""
    status, detail, code = _describe_and_log(request, error)
    on_token = bool(request.route_handler.opt.get("feedback_token_route"))
    page = respond_with_failure(request, status, detail, code) if on_token else None
    headers = dict(TOKEN_HEADERS) if on_token else {}
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.retry_after)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 405 and isinstance(error, HTTPException):
        headers |= error.headers or {}
    if page is not None:
        page.headers.update({name: text for name, text in headers.items() if name not in page.headers})
        return page
    return Response(
        {"detail": detail, "code": code}, status_code=status, headers=headers, media_type="application/json"
    )


def refusal(scope: Scope) -> str:
    """Return the error code of the response."""
    return str(scope["state"].get(REFUSAL, "other"))


def _describe_and_log(request: Request[Any, Any, Any], error: Exception) -> tuple[int, str, str]:
    """Return the error's status, message and code; log an unexpected error."""
    status, detail, code = _describe(request, error)
    request.scope["state"][REFUSAL] = code
    if status == 500:
        logger.error("%s %s failed", request.method, redact(request.scope["path"]), exc_info=error)
    return status, detail, code


def _describe(request: Request[Any, Any, Any], error: Exception) -> tuple[int, str, str]:
    if isinstance(error, ValidationException):
        return 422, _problems(request, error), "invalid"
    if isinstance(error, HTTPException):
        return _describe_http_error(error)
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status != 500:
        return status, str(error), getattr(error, "code", None) or type(error).__name__.lower()
    return 500, "The feedback service failed on this request; its log says why", "internal"


def _describe_http_error(error: HTTPException) -> tuple[int, str, str]:
    if error.status_code == 413:
        return 413, "The body is too large; a submission may have 64 KB, a comment in it 16 KB", "too_large"
    if error.status_code == 500 and "disconnected" in error.detail:  # Litestar's error for a disconnected client
        return 499, "The client closed the connection before it had sent the whole request", "client_left"
    status = 422 if error.status_code == 400 else error.status_code
    return status, error.detail, type(error).__name__.removesuffix("Exception").lower()


def _problems(request: Request[Any, Any, Any], error: ValidationException) -> str:
    extra = error.extra if isinstance(error.extra, list) else []
    problems = [_problem(request, item) for item in extra if isinstance(item, dict) and "key" in item]
    return "; ".join(problems) or error.detail.partition(" for path ")[0]


def _problem(request: Request[Any, Any, Any], item: dict[str, Any]) -> str:
    """Return the message about one parameter, with its name on the wire, or about the body."""
    key, message = item["key"], str(item["message"])
    if (key, message) == ("data", "'data'"):
        return "The body is missing; send JSON"
    handler = request.route_handler
    dependencies: list[Any] = [handler, *handler.resolve_dependencies().values()]
    field = next((field for one in dependencies if (field := one.parsed_fn_signature.parameters.get(key))), None)
    if field is not None and message.startswith("Invalid enum value"):
        message += describe_choices(field.annotation)
    return f"`{getattr(field and field.kwarg_definition, 'name', None) or key}`: {message}"


def describe_error(request: Request[Any, Any, Any], error: Exception) -> tuple[int, str, str, dict[str, str]]:
    """Return status, message, code and headers of an error, for APIs with their own error bodies."""
    status, detail, code = _describe_and_log(request, error)
    headers = dict(TOKEN_HEADERS) if request.route_handler.opt.get("feedback_token_route") else {}
    if (seconds := getattr(error, "retry_after", None)) is not None:
        headers["Retry-After"] = str(seconds)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return status, detail, code, headers


FAILURES: ExceptionHandlersMap = {Exception: respond_to_error, HTTPException: respond_to_error}
