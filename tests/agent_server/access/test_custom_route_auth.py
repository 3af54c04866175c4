"""`http.enable_custom_route_auth`: the routes of `http.app` need the same credentials as the server's own routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.exceptions import WebSocketDisconnect
from litestar.testing import AsyncTestClient

from agent_server.config import AuthSettings, ConfigError, Http
from agent_server.config.api_keys import parse_api_keys
from tests.agent_server.access.test_auth_users import ANNA, RULES
from tests.agent_server.served import config_of, served, whole_app

KEY = "a-key-that-is-long-enough"
APP = "tests.agent_server.web_apps:starlette"


@asynccontextmanager
async def serving(folder: Path, app: str = APP, **settings: Any) -> AsyncIterator[AsyncTestClient[Litestar]]:
    http = Http(app=app, custom_route_auth=settings.pop("custom_route_auth", True))
    config = config_of("sqlite:///", folder, http=http, allow_anyone=False, **settings)
    async with served(whole_app(config)) as client:
        yield client


async def test_app_routes_need_a_key(tmp_path: Path) -> None:
    async with serving(tmp_path, api_keys=parse_api_keys(f"{KEY}:run")) as client:
        for path in ("/", "/things/x", "/threads", "/who"):
            refused = await client.get(path)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert refused.headers["x-marked"] == "yes", "the app's middleware sees refused requests, too"
        assert (await client.get("/who", headers={"x-api-key": KEY})).json() == {"user": None, "permissions": None}
        assert (await client.get("/things/x", headers={"Authorization": f"Bearer {KEY}"})).status_code == 404


async def test_key_needs_the_scope_of_our_own_routes(tmp_path: Path) -> None:
    async with serving(tmp_path, api_keys=parse_api_keys(f"{KEY}:feedback-read")) as client:
        assert (await client.get("/who", headers={"x-api-key": KEY})).status_code == 403


async def test_our_routes_stay_as_open_as_they_are(tmp_path: Path) -> None:
    async with serving(tmp_path, api_keys=parse_api_keys(f"{KEY}:run")) as client:
        assert (await client.get("/ok")).status_code == 200
        assert (await client.post("/threads/search", json={})).status_code == 401
        assert (await client.post("/threads/search", json={}, headers={"x-api-key": KEY})).status_code == 200
        assert (await client.get("/nowhere")).status_code == 404


async def test_app_routes_see_the_authenticated_user(tmp_path: Path) -> None:
    async with serving(tmp_path, auth=AuthSettings(RULES)) as client:
        assert (await client.get("/who", headers=ANNA)).json() == {"user": "anna", "permissions": ["agents:use"]}
        refused = await client.get("/who")
        assert (refused.status_code, refused.json(), refused.headers["x-why"]) == (
            401,
            {"detail": "Who are you?"},
            "no token",
        )
        assert (await client.post("/echo", json={"a": 1}, headers=ANNA)).json() == {"given": {"a": 1}}


async def test_websockets_of_the_app_are_authorized_too(tmp_path: Path) -> None:
    async with serving(tmp_path, auth=AuthSettings(RULES)) as client:
        with await client.websocket_connect("/chat", headers=ANNA) as socket:
            assert socket.receive_json() == {"user": "anna"}
        refusing = await client.websocket_connect("/chat")
        with pytest.raises(WebSocketDisconnect) as refused, refusing:
            pass
    assert refused.value.code == 1008


async def test_without_the_setting_the_app_asks_for_itself(tmp_path: Path) -> None:
    async with serving(tmp_path, auth=AuthSettings(RULES), custom_route_auth=False) as client:
        assert (await client.get("/who")).json() == {"user": None, "permissions": None}


async def test_app_with_indistinguishable_routes_is_refused(tmp_path: Path) -> None:
    message = "enable_custom_route_auth needs an app of Starlette or FastAPI"
    with pytest.RaisesGroup(pytest.RaisesExc(ConfigError, match=message), flatten_subgroups=True, allow_unwrapped=True):
        async with serving(tmp_path, "tests.agent_server.web_apps:plain", api_keys=parse_api_keys(KEY)):
            pass
