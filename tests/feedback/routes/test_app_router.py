"""The router around feedback's routes belongs to its app, and so do the hooks of that app."""

from __future__ import annotations

from copy import deepcopy

from litestar import Litestar, Response
from litestar.config.app import AppConfig
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin


def app_with_header(database_url: str, value: str) -> Litestar:
    """An app whose hook names it in every response."""

    def mark(response: Response[object]) -> Response[object]:
        response.headers["x-app"] = value
        return response

    return Litestar(plugins=[FeedbackPlugin(open_database(database_url))], after_request=mark)


async def test_hooks_of_apps_stay_apart(sqlite_url: str) -> None:
    apps = [app_with_header(sqlite_url, "first"), app_with_header(sqlite_url, "second")]
    for app, value in zip(apps, ("first", "second"), strict=True):
        async with AsyncTestClient(app, base_url="http://feedback.test") as client:
            for path in ("/info", "/api/v1/info", "/feedback", "/metrics"):
                response = await client.get(path)
                assert (response.status_code, response.headers["x-app"]) == (200, value), path


def test_router_is_registered_without_a_copy(sqlite_url: str) -> None:
    config = FeedbackPlugin(open_database(sqlite_url)).on_app_init(AppConfig())
    [router] = config.route_handlers
    assert deepcopy(router) is router


async def test_options_name_all_methods_of_a_path(sqlite_url: str) -> None:
    app = app_with_header(sqlite_url, "first")
    async with AsyncTestClient(app, base_url="http://feedback.test") as client:
        response = await client.options("/api/v1/feedback/00000000-0000-4000-8000-000000000000")
        assert (response.status_code, response.headers["allow"]) == (204, "DELETE, GET, OPTIONS, PATCH")
