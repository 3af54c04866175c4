"""The router around the agent server's routes belongs to its app, and so do the hooks of that app."""

from __future__ import annotations

from pathlib import Path

from litestar import Litestar, Response

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
