"""The routes of `http.app` get the server's CORS, metrics, body limit and disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from structlog.testing import capture_logs

from agent_server import Config, create_app
from agent_server.composition import build
from agent_server.config import CorsRules, Http
from agent_server.database import open_database
from feedback import FeedbackPlugin

Client = AsyncTestClient[Litestar]
SHOP, EVIL = "https://shop.example", "https://evil.example"
LIMIT = 1024
KINDS = ["starlette", "litestar"]


def make_app(tmp_path: Path, kind: str, **settings: Any) -> Any:
    http = Http(app=f"tests.agent_server.web_apps:{kind}", cors=settings.pop("cors", CorsRules()))
    config = Config(tmp_path, data_dir=tmp_path, allow_anyone=True, http=http, max_body_bytes=LIMIT, **settings)
    return create_app(config)


@asynccontextmanager
async def serving(tmp_path: Path, kind: str, **settings: Any) -> AsyncIterator[Client]:
    async with AsyncTestClient(make_app(tmp_path, kind, **settings), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("kind", KINDS)
async def test_cors_holds_for_all_routes(tmp_path: Path, kind: str) -> None:
    rules = CorsRules(headers=("x-custom",))
    async with serving(tmp_path, kind, cors_origins=(SHOP,), cors=rules) as client:
        for path in ("/info", "/echo", "/threads"):
            headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-custom"}
            for origin, status in ((SHOP, 204), (EVIL, 400)):
                preflight = await client.options(path, headers={"Origin": origin, **headers})
                assert preflight.status_code == status, path
                given = await client.get(path, headers={"Origin": origin})
                for one in (preflight, given):
                    allowed = one.headers.get_list("access-control-allow-origin")
                    assert allowed == ([SHOP] if origin == SHOP else []), (path, origin)
        missing = await client.get("/nowhere", headers={"Origin": SHOP})
        assert (missing.status_code, missing.headers["access-control-allow-origin"]) == (404, SHOP)


@pytest.mark.parametrize("kind", KINDS)
async def test_requests_of_all_routes_are_counted(tmp_path: Path, kind: str) -> None:
    async with serving(tmp_path, kind) as client:
        await client.get("/info")
        await client.get("/ok")
        text = (await client.get("/metrics")).text
    assert 'lg_api_http_requests_total{method="GET",path="(custom route)",status="200"} 1.0' in text
    assert 'lg_api_http_requests_total{method="GET",path="/ok",status="200"} 1.0' in text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["/echo", "/threads"])
async def test_body_limit_holds_for_all_routes(tmp_path: Path, kind: str, path: str) -> None:
    app = make_app(tmp_path, kind)
    pieces = [b'{"metadata": {"a": "', *[b"a" * 100] * 20, b'"}}']
    async with app.lifespan():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            refused = await client.post(path, content=b"".join(pieces))
        assert (refused.status_code, "at most 1,024" in refused.json()["detail"]) == (413, True)
        chunks = [{"type": "http.request", "body": one, "more_body": True} for one in pieces]
        sent = await call(app, path, [*chunks, {"type": "http.request"}], b"transfer-encoding", b"chunked")
        assert [message["status"] for message in sent if "status" in message] == [413]


@pytest.mark.parametrize("path", ["/echo", "/threads", "/runs/wait"])
async def test_client_that_leaves_is_no_error_of_ours(tmp_path: Path, path: str) -> None:
    http = Http(app="tests.agent_server.web_apps:starlette")
    app = create_app(Config(tmp_path, data_dir=tmp_path, allow_anyone=True, http=http))
    async with app.lifespan():
        with capture_logs() as lines:
            sent = await leave(app, path)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            text = (await client.get("/metrics")).text
    assert [message["status"] for message in sent if "status" in message] == [499]
    assert [line for line in lines if line["log_level"] in ("error", "warning")] == []
    assert ('status="499"' in text, 'status="500"' in text) == (True, False)


@pytest.mark.parametrize("is_alone", [False, True])
async def test_client_that_leaves_feedback_is_no_error(
    tmp_path: Path, sqlite_url: str, is_alone: bool, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config(tmp_path, data_dir=tmp_path, allow_anyone=True)
    app = Litestar(plugins=[FeedbackPlugin(open_database(sqlite_url))]) if is_alone else build(config)
    async with app.lifespan():
        sent = await leave(app, "/api/v1/feedback")
        assert [message["status"] for message in sent if "status" in message] == [499]
        assert [one for one in caplog.records if one.levelname in ("ERROR", "WARNING")] == []


async def leave(app: Any, path: str) -> list[Any]:
    """Send half of a body to the app and close the connection; return what the app sends."""
    half = {"type": "http.request", "body": b'{"a', "more_body": True}
    return await call(app, path, [half, {"type": "http.disconnect"}], b"content-length", b"100")


async def call(app: Any, path: str, messages: list[Any], *header: bytes) -> list[Any]:
    """POST to the app and return what it sends."""
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(0)
        return messages.pop(0) if len(messages) > 1 else messages[0]

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), header, (b"content-type", b"application/json")]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http"}
    address = {"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers}
    peers = {"client": ("127.0.0.1", 5), "server": ("127.0.0.1", 2024), "state": {}}
    await app({**scope, **address, **peers}, receive, send)
    return sent
