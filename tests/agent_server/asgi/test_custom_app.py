"""`http` of langgraph.json: an application in front of the server, disabled routes, a prefix for all routes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server import Config
from agent_server.config import ConfigError, Http
from agent_server.config.webhooks import WebhookPolicy
from tests.agent_server import web_apps
from tests.agent_server.backend import until
from tests.agent_server.served import served, whole_app

Client = AsyncTestClient[Litestar]
KINDS = ["starlette", "litestar", "plain"]
RUN = {"assistant_id": "agent", "input": 3, "feedback_keys": ["liked"]}


@asynccontextmanager
async def serving(folder: Path, **http: Any) -> AsyncIterator[Client]:
    config = Config(folder, data_dir=folder, http=Http(**http), allow_anyone=True)
    async with served(whole_app(config)) as client:
        yield client


@pytest.fixture(params=KINDS)
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(tmp_path, app=f"tests.agent_server.web_apps:{request.param}") as client:
        yield client


async def test_app_routes_come_before_the_servers(client: Client) -> None:
    assert (await client.get("/")).json() == {"path": "/", "found": "at the start"}
    assert (await client.post("/echo", json={"a": 1})).json() == {"given": {"a": 1}}
    assert (await client.get("/ok")).json()["ok"] is True
    made = await client.post("/threads", json={"metadata": {"a": "größer"}})
    assert (made.status_code, made.json()["metadata"]) == (200, {"a": "größer"})
    assert (await client.get(f"/threads/{made.json()['thread_id']}")).status_code == 200
    assert (await client.get("/feedback")).status_code == 200


async def test_runs_stream_through_the_app(client: Client) -> None:
    response = await client.post("/runs/stream", json={**RUN, "stream_mode": "custom"})
    assert [line for line in response.text.splitlines() if line.startswith("event")][-1] == "event: feedback"
    assert (await client.post("/runs/wait", json=RUN)).json()["__feedback__"]


async def test_not_found_comes_from_the_responsible_app(client: Client) -> None:
    nowhere = await client.get("/nowhere")
    assert nowhere.status_code == 404
    ours = await client.get("/threads/018f0000-0000-7000-8000-000000000001")
    assert (ours.status_code, ours.json()["detail"]) == (
        404,
        "Thread with ID 018f0000-0000-7000-8000-000000000001 not found",
    )


@pytest.mark.parametrize("kind", ["starlette", "litestar"])
async def test_app_404_stays_its_own(kind: str, tmp_path: Path) -> None:
    async with serving(tmp_path, app=f"tests.agent_server.web_apps:{kind}") as client:
        assert (await client.get("/things/x")).json() == {"detail": "No thing x"}
        assert (await client.get("/info")).json()["path"] == "/info"  # shadows the server's route


async def test_app_error_does_not_affect_the_next_request(client: Client) -> None:
    client_app = client
    try:
        response = await client_app.get("/broken")
    except ValueError:  # Starlette raises again after its response, so that a server logs the error
        pass
    else:
        assert response.status_code == 500
        assert "secret" not in response.text
    assert (await client.get("/ok")).status_code == 200


@pytest.mark.parametrize("kind", ["starlette", "litestar"])
async def test_lifespan_of_the_app_runs_within_ours(kind: str, tmp_path: Path) -> None:
    web_apps.lifespan_events.clear()
    async with serving(tmp_path, app=f"tests.agent_server.web_apps:{kind}"):
        assert web_apps.lifespan_events == ["started"]
    assert web_apps.lifespan_events == ["started", "stopped"]


async def test_middleware_of_a_starlette_app_sees_our_answers(tmp_path: Path) -> None:
    for _ in range(2):  # a second server in the same process finds the application in its first state
        async with serving(tmp_path, app="tests.agent_server.web_apps:starlette") as client:
            assert (await client.get("/ok")).headers.get_list("x-marked") == ["yes"]
    assert len(web_apps.starlette.router.routes) == 8


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("tests.agent_server.web_apps:failing", "http.app: it could not start\nthe cellar is locked"),
        ("tests.agent_server.web_apps:lifespan_events", "is [], which is no ASGI app"),
        ("tests.agent_server.web_apps:nobody", "has no variable 'nobody'"),
        ("./missing.py:app", "there is no file"),
    ],
)
async def test_unservable_app_prevents_the_start(path: str, message: str, tmp_path: Path) -> None:
    web_apps.lifespan_events.clear()
    with pytest.RaisesGroup(
        pytest.RaisesExc(ConfigError, check=lambda e: message in str(e)), flatten_subgroups=True, allow_unwrapped=True
    ):
        async with serving(tmp_path, app=path):
            pass


GROUPS = {
    "assistants": ("POST", "/assistants/search"),
    "threads": ("POST", "/threads/search"),
    "runs": ("POST", "/runs/crons/search"),
    "store": ("POST", "/store/items/search"),
    "meta": ("GET", "/info"),
}


@pytest.mark.parametrize("group", GROUPS)
async def test_disabled_routes_are_not_there(group: Any, tmp_path: Path) -> None:
    async with serving(tmp_path, disabled=frozenset({group})) as client:
        for other, (method, path) in GROUPS.items():
            response = await client.request(method, path, json={} if method == "POST" else None)
            assert (response.status_code == 404) == (other == group), path
        assert (await client.get("/ok")).status_code == 200
        document = await client.get("/openapi.json")
        if group == "meta":
            assert {(await client.get(p)).status_code for p in ("/openapi.json", "/docs", "/metrics")} == {404}
        else:
            assert GROUPS[group][1] not in document.json()["paths"]
            assert len(document.json()["paths"]) > 30


async def test_disabled_runs_disable_thread_runs_but_not_threads(tmp_path: Path) -> None:
    async with serving(tmp_path, disabled=frozenset({"runs"})) as client:
        thread = (await client.post("/threads", json={})).json()["thread_id"]
        for path in (f"/threads/{thread}/runs", "/runs", "/runs/stream", f"/threads/{thread}/runs/crons"):
            assert (await client.post(path, json={"assistant_id": "agent"})).status_code == 404, path
        assert (await client.get(f"/threads/{thread}/state")).status_code == 200


@pytest.mark.parametrize("app", [None, "tests.agent_server.web_apps:starlette", "tests.agent_server.web_apps:litestar"])
async def test_prefix_precedes_every_path_and_url(app: str | None, tmp_path: Path) -> None:
    async with serving(tmp_path, app=app, mount_prefix="/agents") as client:
        assert (await client.get("/ok")).json()["ok"] is True
        assert (await client.get("/")).json()["ok"] is True
        assert (await client.get("/agents/ok")).json()["ok"] is True
        refused = await client.post("/threads", json={})
        assert (refused.status_code, refused.json()["detail"]) == (
            404,
            "Not Found. All paths of this server begin with /agents",
        )
        assert (await client.get("/agentsandmore/ok")).status_code == 404
        assert (await client.get("/agents/openapi.json")).json()["servers"] == [{"url": "/agents"}]
        url = (await client.post("/agents/runs/wait", json=RUN)).json()["__feedback__"]["liked"]
        assert url.startswith("http://server.test/agents/")
        assert (await client.post(url, json={"score": 1})).status_code == 200
        if app:
            assert (await client.get("/agents/info")).json()["found"] == "at the start"


async def test_settings_without_effect_are_logged_at_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "langgraph.json"
    file.write_text(json.dumps({"http": {"logging_headers": {"includes": ["x-a"]}}}))
    config = Config.load(file, {"AGENT_SERVER_DATA_DIR": str(tmp_path), "AGENT_SERVER_ALLOW_ANYONE": "true"})
    async with served(whole_app(config)):
        pass
    assert "http.logging_headers has no effect" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["starlette", "litestar"])
async def test_relative_webhook_reaches_own_route(kind: str, tmp_path: Path) -> None:
    policy = WebhookPolicy(disable_loopback=False, headers={"X-From": "here"})
    http = Http(app=f"tests.agent_server.web_apps:{kind}")
    config = Config(tmp_path, data_dir=tmp_path, webhooks=policy, http=http, allow_anyone=True)
    web_apps.echoed.clear()
    async with served(whole_app(config)) as client:
        run = (await client.post("/runs", json={**RUN, "webhook": "/echo"})).json()
        await until(lambda: web_apps.echoed)
    assert (web_apps.echoed[0]["run_id"], web_apps.echoed[0]["status"]) == (run["run_id"], "success")


async def test_disabled_webhooks_are_neither_refused_nor_kept(tmp_path: Path) -> None:
    config = Config(tmp_path, data_dir=tmp_path, webhooks=WebhookPolicy(disabled=True), allow_anyone=True)
    async with served(whole_app(config)) as client:
        run = await client.post("/runs", json={**RUN, "webhook": "http://127.0.0.1/refused-else"})
        assert (run.status_code, run.json()["kwargs"].get("webhook")) == (200, None)
