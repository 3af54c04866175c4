"""Requests that must not appear to succeed: unknown fields and parameters, and text that is not UTF-8."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.testing import AsyncTestClient

from agent_server.composition import build
from agent_server.config import Config
from feedback.routes.authentication import CHECKS_QUERY
from tests.feedback.conftest import mint, stored

App = AsyncTestClient[Litestar]
RUN = str(uuid.uuid4())


@pytest.fixture
async def app(database_url: str, tmp_path: Path) -> AsyncIterator[App]:
    url = database_url if database_url.startswith("postgres") else None
    config = Config(tmp_path, data_dir=tmp_path, database_url=url, allow_anyone=True)
    async with AsyncTestClient(build(config), raise_server_exceptions=False) as client:
        yield client


def operations(app: Litestar) -> list[tuple[str, str, dict[str, object]]]:
    """Return every method and path that can be called, with the `opt` of its handler."""
    found = []
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                path = route.path.replace("{schema_id:int}", "1")
                found.append((method, _filled(path), handler.opt))
    return found


def _filled(path: str) -> str:
    return "/".join(RUN if part.startswith("{") else part for part in path.split("/"))


async def test_query_that_is_not_utf8_is_refused_everywhere(app: App) -> None:
    for method, path, _ in operations(app.app):
        if method == "OPTIONS" or path.startswith(("/docs", "/v1/", "/a2a", "/mcp")):
            continue
        for query in ("x=%ff", "%c3%28=1", "a=1&x=%ed%a0%80"):
            refused = await app.request(method, f"{path}?{query}")
            assert refused.status_code in (400, 404, 405, 422), (method, path)
            if refused.status_code in (400, 422) and method != "HEAD":
                assert "not UTF-8" in refused.text, (method, path)
    assert (await app.get("/api/v1/feedback/search?text=%ff")).status_code == 422
    assert (await app.get("/store/items?namespace=a&key=%ff")).status_code == 422
    assert (await app.get("/api/v1/feedback/search?text=%c3%a4")).status_code == 200


async def test_unknown_parameter_is_refused_where_we_read(app: App) -> None:
    checked = [path for method, path, opt in operations(app.app) if method == "GET" and opt.get(CHECKS_QUERY)]
    assert {"/api/v1/feedback/search", "/api/v1/feedback/export", "/api/v1/feedback/statistics"} <= set(checked)
    for path in checked:
        for name in ("q", "user_id", "services", "request", "feedback_query"):
            refused = await app.get(path, params={name: "zebra"})
            assert (refused.status_code, f"no query parameter '{name}'" in refused.json()["detail"]) == (422, True), (
                path
            )
    known = {"run": RUN, "key": "k", "source": "api", "limit": "1", "project": "default", "has_score": "true"}
    assert (await app.get("/api/v1/feedback/search", params=known)).status_code == 200
    assert (await app.get("/api/v1/feedback/export", params={"format": "csv"})).status_code == 200


TAKING_BODIES: list[tuple[str, str]] = [
    ("POST", "/threads"),
    ("POST", "/threads/search"),
    ("POST", "/threads/count"),
    ("POST", "/assistants/search"),
    ("POST", "/runs/cancel"),
    ("POST", "/runs/crons/search"),
    ("POST", "/store/items/search"),
    ("POST", "/runs/wait"),
    ("POST", "/api/v1/feedback"),
    ("POST", "/api/v1/feedback/tokens"),
    ("POST", "/api/v1/feedback/erasures"),
]


async def test_body_of_unknown_fields_is_refused(app: App, subtests: pytest.Subtests) -> None:
    for method, path in TAKING_BODIES:
        with subtests.test(method=method, path=path):
            refused = await app.request(method, path, json={"metadatas": {}, "limits": 5})
            assert (refused.status_code, "no known field" in refused.text) == (422, True) or "missing" in refused.text


async def test_unknown_beside_known_fields_is_ignored(app: App) -> None:
    made = await app.post("/threads", json={"metadata": {"a": 1}, "from_the_future": True})
    assert (made.status_code, made.json()["metadata"]) == (200, {"a": 1})
    assert (await app.post("/threads/search", json={})).status_code == 200


async def test_misspelt_submission_is_not_stored(app: App) -> None:
    url = await mint(app)
    refused = await app.post(url, json={"scoer": 1})
    assert (refused.status_code, "'scoer'" in refused.json()["detail"]) == (422, True)
    assert (await app.post(url, json={"score": 1, "scoer": 1})).status_code == 200
    assert len(await stored(app)) == 1


async def test_empty_time_is_refused(app: App, subtests: pytest.Subtests) -> None:
    for path in ["search", "statistics", "comparison", "export"]:
        for name in ["since", "until"]:
            with subtests.test(path=path, name=name):
                needed = (
                    {"baseline": "1", "candidate": "2", "key": "k", "assistant": RUN} if path == "comparison" else {}
                )
                for value in ("", " ", "yesterday"):
                    refused = await app.get(f"/api/v1/feedback/{path}", params={**needed, name: value})
                    assert (refused.status_code, f"`{name}` is not a time" in refused.json()["detail"]) == (422, True)


HOSTS = {
    "localhost": 200,
    "localhost:2024": 200,
    "[::1]:80": 200,
    "my_service": 200,
    "a.b-c.example:65535": 200,
    "": 400,
    "localhost:x": 400,
    "localhost:65536": 400,
    "localhost:80:80": 400,
    "user@localhost": 400,
    "localhost/../evil": 400,
    "localhost?x": 400,
    "localhost#x": 400,
    "localhost, evil.example": 400,
    "localhost\\@evil.example": 400,
    'localhost"><script>': 400,
    "[::1": 400,
    "-": 400,
}


async def test_host_is_checked_before_everything(app: App) -> None:
    paths = ["/ok", "/threads/search", "/nothing", "/api/v1/feedback/search", f"/feedback/tokens/{RUN}", "/feedback/ui"]
    for host, status in HOSTS.items():
        for path in paths:
            given = await app.get(path, headers={"Host": host})
            assert (given.status_code == 400) == (status == 400), (host, path, given.text)
    assert "Host header" in (await app.get("/ok", headers={"Host": "localhost:x"})).json()["detail"]
