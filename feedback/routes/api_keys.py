"""The route that lists API keys, if the surrounding application stores any."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from litestar import get
from litestar.di import Provide

from feedback.auth import ApiKeyInfo
from feedback.routes.app_router import AppRouter
from feedback.routes.authentication import CHECKS_QUERY
from feedback.routes.error_responses import FAILURES
from feedback.routes.openapi import FeedbackOperation

OPERATORS = {"feedback_scope": "admin", "feedback_unbound": True}


def api_keys_router(dependencies: dict[str, Provide], listed: Callable[[], Awaitable[list[ApiKeyInfo]]]) -> AppRouter:
    """Return the route that lists API keys; `listed` reads them."""

    @get(
        "/feedback/api-keys",
        tags=["API keys"],
        summary="List API keys",
        operation_class=FeedbackOperation,
        opt=OPERATORS,
        description="Their names and scopes, never the keys themselves. The server's command line creates and revokes "
        "them.",
    )
    async def list_api_keys() -> list[ApiKeyInfo]:
        """Return the API keys of the server, newest first."""
        return await listed()

    return AppRouter(
        "/api/v1",
        route_handlers=[list_api_keys],
        dependencies=dependencies,
        exception_handlers=FAILURES,
        opt={CHECKS_QUERY: True},
    )
