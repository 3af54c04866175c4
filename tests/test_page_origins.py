"""Web pages of other origins and a server that needs no API key: the refused requests, on every route."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.testing import AsyncTestClient

from agent_server.composition import build
from agent_server.config import Config, CorsRules, Http
from agent_server.database import open_database
from feedback import FeedbackPlugin
from tests.test_access import needed, operations

Client = AsyncTestClient[Litestar]
EVIL, SHOP, STUDIO = "https://evil.example", "https://shop.example", "https://smith.langchain.com"
LOOPBACK = ("http://localhost:3000", "http://127.0.0.1:5173", "https://app.localhost", "http://[::1]:8080")
NOT_LOOPBACK = ("null", "http://localhost.evil.example", "http://127.0.0.1.evil.example", "https://evil.example", "")
BASE = "http://127.0.0.1:2024"
TEXT = {"Content-Type": "text/plain;charset=UTF-8"}
ID = str(uuid.uuid4())


def served(config: Config) -> Client:
    """Return a client of the server on a loopback address."""
    return AsyncTestClient(build(config), base_url=BASE, raise_server_exceptions=False)


@pytest.fixture
async def keyless(database_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    """Open a server without API keys that lists the pages of one origin."""
    url = database_url if database_url.startswith("postgres") else None
    async with served(Config(tmp_path, data_dir=tmp_path, database_url=url, cors_origins=(SHOP,))) as client:
        yield client


def guarded(app: Litestar) -> list[tuple[str, str]]:
    """Return all operations that need an API key once one exists, with paths that can be called."""
    named = [(method, path) for method, path in operations(app) if needed(method, path) is not None]
    return [(method, re.sub(r"\{(\w+)\}", r"\1", path.replace("{schema_id}", "1"))) for method, path in named]


async def test_foreign_page_is_refused_on_every_route(keyless: Client) -> None:
    found = guarded(keyless.app)
    assert len(found) > 100
    for method, path in found:
        by_origin = await keyless.request(method, path, headers={"Origin": EVIL, **TEXT}, content=b"{")
        hidden = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
        without_origin = await keyless.request(method, path, headers=hidden)
        assert (by_origin.status_code, without_origin.status_code) == (403, 403), (method, path)
        assert "access-control-allow-origin" not in by_origin.headers


async def test_refused_page_changes_nothing(keyless: Client) -> None:
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/threads", {"thread_id": ID}),
        ("/runs/wait", {"assistant_id": "agent"}),
        ("/api/v1/feedback", {"run_id": ID, "key": "k", "score": 0}),
        ("/api/v1/feedback/erasures", {"run": ID}),
        ("/api/v1/feedback/projects", {"name": "evil"}),
    ]
    for path, body in bodies:
        for headers in ({"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            refused = await keyless.post(path, content=json.dumps(body), headers={**headers, **TEXT})
            assert refused.status_code == 403, (path, headers)
            assert "API key" in str(refused.json())
    assert (await keyless.post("/threads/search", json={})).json() == []
    assert (await keyless.get("/api/v1/feedback", params={"run": ID})).json() == []


async def test_allowed_pages_call_and_read(keyless: Client, subtests: pytest.Subtests) -> None:
    for origin in [SHOP, *LOOPBACK, BASE]:
        with subtests.test(origin=origin):
            headers = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "x-mine",
            }
            preflight = await keyless.options("/threads", headers=headers)
            assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, origin)
            assert preflight.headers["access-control-allow-private-network"] == "true"
            made = await keyless.post("/threads", json={}, headers={"Origin": origin})
            assert (made.status_code, made.headers["access-control-allow-origin"]) == (200, origin)


async def test_other_pages_do_not(keyless: Client, subtests: pytest.Subtests) -> None:
    for origin in NOT_LOOPBACK:
        with subtests.test(origin=origin):
            assert (await keyless.post("/threads", json={}, headers={"Origin": origin})).status_code == 403
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            preflight = await keyless.options("/threads", headers=headers)
            assert (preflight.status_code, "access-control-allow-origin" in preflight.headers) == (400, False)


async def test_own_pages_and_links_work(keyless: Client) -> None:
    own = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}  # a page with Referrer-Policy: no-referrer
    assert (await keyless.post("/threads", json={}, headers=own)).status_code == 200
    typed = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    link = {**typed, "Sec-Fetch-Site": "cross-site"}
    for headers in (typed, link):
        assert (await keyless.get("/metrics", headers=headers)).status_code == 200
    frame = {**link, "Sec-Fetch-Dest": "iframe"}
    assert (await keyless.get("/metrics", headers=frame)).status_code == 403
    assert (await keyless.post("/threads", json={}, headers=link)).status_code == 403


async def test_programs_may_leave_the_content_type_out(keyless: Client) -> None:
    for headers in ({}, TEXT, {"Content-Type": "application/x-www-form-urlencoded"}):
        assert (await keyless.post("/threads", content=b"{}", headers=headers)).status_code == 200
    feedback = json.dumps({"run_id": ID, "key": "k", "score": 1})
    assert (await keyless.post("/api/v1/feedback", content=feedback)).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_pages_send_json_as_json(keyless: Client, kind: str) -> None:
    for path in ("/threads", "/api/v1/feedback", "/api/v1/feedback/tokens"):
        refused = await keyless.post(path, content=b"{}", headers={"Origin": SHOP, "Content-Type": kind})
        assert refused.status_code == 415, path
        assert "application/json" in str(refused.json())
    for right in ("application/json", "application/json; charset=utf-8", "application/merge-patch+json"):
        made = await keyless.post("/threads", content=b"{}", headers={"Origin": SHOP, "Content-Type": right})
        assert made.status_code == 200


async def test_presigned_urls_stay_open_to_every_page(keyless: Client) -> None:
    minted = await keyless.post("/api/v1/feedback/tokens", json={"run_id": ID, "feedback_key": "k"})
    url = minted.json()["url"]
    for headers in ({"Origin": EVIL}, {"Origin": "null"}, {"Origin": EVIL, **TEXT}, {"Sec-Fetch-Site": "cross-site"}):
        given = await keyless.post(url, content=b'{"score": 1}', headers=headers)
        assert (given.status_code, given.headers["access-control-allow-origin"]) == (200, "*")
    preflight = await keyless.options(url, headers={"Origin": EVIL, "Access-Control-Request-Method": "POST"})
    assert preflight.headers["access-control-allow-private-network"] == "true"


async def test_studio_works_once_it_is_listed(tmp_path: Path) -> None:
    for listed, status in ((None, 403), ((STUDIO,), 200), (("*",), 200)):
        async with served(Config(tmp_path, data_dir=tmp_path, cors_origins=listed)) as client:
            made = await client.post("/threads", json={}, headers={"Origin": STUDIO})
            assert made.status_code == status
            assert made.headers.get("access-control-allow-origin") in (STUDIO, "*", None)


async def test_pattern_of_origins_counts(tmp_path: Path) -> None:
    rules = Http(cors=CorsRules(origin_pattern=r"https://.*\.team\.example"))
    async with served(Config(tmp_path, data_dir=tmp_path, cors_origins=(), http=rules)) as client:
        for origin, status in (("https://a.team.example", 200), ("https://a.team.example.evil", 403)):
            assert (await client.post("/threads", json={}, headers={"Origin": origin})).status_code == status


async def test_api_keys_open_the_server_to_all_pages(tmp_path: Path) -> None:
    key = "a-key-of-24-characters-or-more"
    keys = Config.load(None, {"AGENT_SERVER_API_KEYS": key}).api_keys
    async with served(Config(tmp_path, data_dir=tmp_path, api_keys=keys)) as client:
        headers = {"Origin": EVIL}
        assert (await client.post("/threads", json={}, headers=headers)).status_code == 401
        made = await client.post("/threads", json={}, headers={**headers, "x-api-key": key})
        assert (made.status_code, made.headers["access-control-allow-origin"]) == (200, "*")


@pytest.mark.parametrize("cors", [None, CORSConfig(allow_origins=[SHOP])], ids=["closed", "listed"])
async def test_feedback_alone_refuses_foreign_pages(sqlite_url: str, cors: CORSConfig | None) -> None:
    app = Litestar(plugins=[FeedbackPlugin(open_database(sqlite_url))], cors_config=cors)
    body = {"run_id": ID, "key": "k", "score": 1}
    expected = {EVIL: 403, "null": 403, SHOP: 200 if cors else 403, LOOPBACK[0]: 200, BASE: 200}
    async with AsyncTestClient(app, base_url=BASE) as client:
        for origin, status in expected.items():
            given = await client.post("/api/v1/feedback", json=body, headers={"Origin": origin})
            assert given.status_code == status, origin
        hidden = await client.get("/api/v1/feedback/search", headers={"Sec-Fetch-Site": "cross-site"})
        text = await client.post("/api/v1/feedback", content=b"{}", headers={"Origin": LOOPBACK[0], **TEXT})
        assert (hidden.status_code, text.status_code) == (403, 415)
