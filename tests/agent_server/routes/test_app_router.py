"""The router around the agent server's routes belongs to its app, and so do the hooks of that app."""

from __future__ import annotations

from pathlib import Path

from litestar import Litestar, Response
from litestar.routes import HTTPRoute

from agent_server import AgentServerPlugin
from tests.agent_server.served import config_of, counting, served


def app_with_header(folder: Path, value: str) -> Litestar:
    """Return an app whose hook names it in every response."""

    def mark(response: Response[object]) -> Response[object]:
        response.headers["x-app"] = value
        return response

    server = AgentServerPlugin(config_of("sqlite:///", folder / value), agents={"agent": counting})
    return Litestar(plugins=[server], after_request=mark)


async def test_hooks_of_apps_stay_apart(tmp_path: Path) -> None:
    apps = {value: app_with_header(tmp_path, value) for value in ("first", "second")}
    for value, app in apps.items():
        (tmp_path / value).mkdir()
        async with served(app) as client:
            for path in ("/info", "/ok", "/metrics"):
                response = await client.get(path)
                assert (response.status_code, response.headers["x-app"]) == (200, value), path


async def test_options_name_all_methods_of_a_path(tmp_path: Path) -> None:
    app = app_with_header(tmp_path, "first")
    (tmp_path / "first").mkdir()
    async with served(app) as client:
        for path, methods in {
            "/threads/00000000-0000-4000-8000-000000000000": "DELETE, GET, OPTIONS, PATCH",
            "/store/items": "DELETE, GET, OPTIONS, PUT",
            "/ok": "GET, HEAD, OPTIONS",
        }.items():
            response = await client.options(path)
            assert (response.status_code, response.headers["allow"], response.content) == (204, methods, b""), path


def test_routes_share_their_handlers_of_options(tmp_path: Path) -> None:
    routes = [route for route in app_with_header(tmp_path, "first").routes if isinstance(route, HTTPRoute)]
    handlers = {id(one) for route in routes for one in route.route_handlers if one.http_methods == {"OPTIONS"}}
    assert len(handlers) < len(routes) / 5
