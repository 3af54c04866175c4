"""Unrouted requests below `/api`: the error lists the served routes, because clients show its text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.exceptions.responses import create_exception_response
from litestar.types import ExceptionHandlersMap

PREFIX = "/api/"
SERVED = "feedback, its tokens and configs; runs (read, query, stats), sessions, datasets, examples, annotation queues"
Handler = Callable[[Request[Any, Any, Any], Any], Response[Any]]


def explain_unserved(handlers: ExceptionHandlersMap) -> None:
    """Add a handler that lists which of LangSmith's calls are served."""
    for kind in (NotFoundException, MethodNotAllowedException):
        handlers[kind] = _build_explainer(handlers.get(kind) or handlers.get(HTTPException))


def _build_explainer(otherwise: Any) -> Handler:
    def explain(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
        path = request.scope["path"]
        if path.startswith(PREFIX):
            detail = f"{request.method} {path[:200]} is not served here. Of LangSmith's API this server has {SERVED}"
            return Response({"detail": detail, "code": "not_served"}, status_code=error.status_code)
        if otherwise is not None:
            response: Response[Any] = otherwise(request, error)
            return response
        return create_exception_response(request, error)

    return explain
