"""Every route of the whole application needs the right scope; a new route without a rule fails."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from litestar import Litestar
from litestar.routes import WebSocketRoute
from litestar.testing import AsyncTestClient

from agent_server.access.api_keys import ApiKeys
from agent_server.composition import build
from agent_server.config import Config
from agent_server.config.api_keys import SCOPES, Scope, allows
from agent_server.database import open_database

App = AsyncTestClient[Litestar]
OPEN = {"/", "/ok", "/info", "/openapi.json", "/docs", "/metadata/submit", "/feedback/ui"}
TOKEN = re.compile(r"/feedback/tokens/\{token\}")
ASSET = re.compile(r"/feedback/[\w./-]+\.(js|css|svg|d\.ts|txt)")
ADMINISTRATION = {
    ("POST", "/feedback/erasures"),
    ("PUT", "/feedback/retention"),
    ("POST", "/feedback/projects"),
    ("PATCH", "/feedback/projects/{name}"),
    ("DELETE", "/feedback/projects/{name}"),
    ("GET", "/feedback/api-keys"),
}
MINTING = {("POST", "/feedback/tokens"), ("POST", "/feedback/token")}
LANGSMITH_READING = (
    *("/api/v1/runs/query", "/api/v1/runs/stats", "/api/v1/runs/{run_id}", "/api/v1/sessions"),
    *("/api/v1/datasets", "/api/v1/examples", "/api/v1/annotation-queues"),
)
EVALGUARD_READING = ("/api/v1/annotations", "/api/v1/scorers/calibrate")
WORKFLOWAI, EVALGUARD = "/v1/feedback", {"/feedback/submit"}
"""They take their own tokens."""


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    config = Config(tmp_path, data_dir=tmp_path)
    async with AsyncTestClient(build(config), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
async def keys(app: App, tmp_path: Path) -> dict[Scope, str]:  # noqa: ARG001  it has the tables made
    """Return an API key for each scope, which has no other scope."""
    async with open_database(f"sqlite:///{tmp_path / 'runs.db'}") as database:
        return {scope: (await ApiKeys(database).create(scope, {scope}, None))[0] for scope in SCOPES}


def operations(app: Litestar) -> Iterator[tuple[str, str]]:
    """Yield method and path of all routes, including those that the OpenAPI document omits."""
    for route in app.routes:
        if isinstance(route, WebSocketRoute):  # tests/clients/test_event_sockets.py tests who may open them
            continue
        for method in sorted(getattr(route, "methods", {"GET"}) - {"OPTIONS"}):
            yield method, re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)


def needed(method: str, path: str) -> Scope | Literal["any"] | None:
    """Return what a route should need: a scope, `any` API key, or nothing."""
    bare = re.sub(r"^(/api/v1|/api|/v1(?=/metadata))(?=/)", "", path)
    if bare == "/metrics":
        return "any"
    if bare in OPEN | EVALGUARD or path == WORKFLOWAI or path.startswith("/docs") or ASSET.fullmatch(bare):
        return None
    if TOKEN.fullmatch(bare):
        return None
    if path.startswith(LANGSMITH_READING) or path in EVALGUARD_READING:
        reads = method in ("GET", "HEAD") or path.endswith(("/query", "/stats", "/calibrate"))
        return "feedback-read" if reads else "feedback-write"
    if "feedback" in bare and not bare.startswith(("/threads/", "/runs/")):
        if (method, bare) in ADMINISTRATION:
            return "admin"
        if (method, bare) in MINTING:
            return "feedback-mint"
        return "feedback-read" if method in ("GET", "HEAD") else "feedback-write"
    return "feedback-write" if bare == "/runs/multipart" else "run"


async def status(app: App, method: str, path: str, key: str | None) -> httpx.Response:
    """Send a minimal request; a status after the access check may refuse it."""
    filled = re.sub(r"\{\w+\}", str(uuid.uuid4()), path)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    content: dict[str, Any] = {} if method in ("GET", "HEAD") else {"json": {}}
    return await app.request(method, filled, headers=headers, timeout=20, **content)


async def test_every_route_needs_the_scope_that_it_should(app: App, keys: dict[Scope, str]) -> None:
    wrong = []
    for method, path in operations(app.app):
        scope = needed(method, path)
        bare = await status(app, method, path, None)
        if (bare.status_code == 401) != (scope is not None):
            wrong.append((method, path, "without a key", bare.status_code))
        if bare.status_code == 401 and bare.headers["www-authenticate"] != "Bearer":
            wrong.append((method, path, "no challenge", 401))
        for has, key in keys.items():
            if scope is not None and scope != "any" and not allows({has}, scope):
                refused = await status(app, method, path, key)
                if refused.status_code != 403 or scope not in refused.text:
                    wrong.append((method, path, has, refused.status_code))
    assert not wrong, "\n".join(map(str, wrong))


async def test_the_right_scope_opens_every_route(app: App, keys: dict[Scope, str]) -> None:
    wrong = []
    for method, path in operations(app.app):
        scope = needed(method, path)
        if scope is not None:
            chosen = keys["run" if scope == "any" else scope]
            for key in (chosen, keys["admin"]):
                response = await status(app, method, path, key)
                if response.status_code in (401, 403, 500):
                    wrong.append((method, path, scope, response.status_code, response.text))
    assert not wrong, "\n".join(map(str, wrong))


async def test_preflights_pass_without_a_key(app: App, keys: dict[Scope, str]) -> None:
    assert keys
    headers = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    for path in ("/threads", "/runs/stream", f"/feedback/tokens/{uuid.uuid4()}"):
        assert (await app.options(path, headers=headers)).status_code == 204


async def test_pages_can_read_why_they_are_refused(app: App, keys: dict[Scope, str]) -> None:
    assert keys
    refused = await app.post("/threads", json={}, headers={"Origin": "https://page.example"})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")
    assert "x-api-key" in refused.json()["detail"]


async def test_dialects_refuse_in_their_own_words(app: App, keys: dict[Scope, str]) -> None:
    listed = await app.get("/v1/_/agents/_/feedback")
    assert (listed.status_code, listed.json()["error"]["status_code"]) == (401, 401)
    body = {"kind": "eval_run", "id": "run-1", "fields": ["score"]}
    minted = await app.post("/api/v1/feedback/token", json=body, headers={"Authorization": f"Bearer {keys['run']}"})
    assert (minted.status_code, minted.json()["success"]) == (403, False)


async def test_remote_callers_are_refused_without_keys(app: App) -> None:
    for path in ("/threads/search", "/feedback/tokens"):
        refused = await app.post(path, json={})  # the test's client sends testserver.local as the server's host
        assert refused.status_code == 401
        assert "agent-server keys create" in refused.json()["detail"]
    assert (await app.get("/ok")).status_code == 200


async def test_dashboard_lists_api_keys_without_their_text(app: App, keys: dict[Scope, str]) -> None:
    response = await app.get("/api/v1/feedback/api-keys", headers={"x-api-key": keys["admin"]})
    listed = {one["name"]: one for one in response.json()}
    assert listed.keys() == keys.keys()
    assert listed["feedback-read"]["scopes"] == ["feedback-read"]
    assert all(key not in response.text for key in keys.values())
    assert (
        await app.get("/api/v1/feedback/api-keys", headers={"x-api-key": keys["feedback-write"]})
    ).status_code == 403
