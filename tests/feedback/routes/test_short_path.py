"""The short path of plain submissions gives the same responses as the full handler."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar, Response
from litestar.testing import AsyncTestClient
from prometheus_client.parser import text_string_to_metric_families

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings, Limits, RateLimit
from tests.feedback.conftest import RUN, mint

App = AsyncTestClient[Litestar]
UNKNOWN = "/feedback/tokens/018f0000-0000-4000-8000-000000000001"
VARYING = {"date", "content-length"}


def comparable(response: httpx.Response) -> tuple[int, dict[str, str], Any]:
    headers = {name: value for name, value in response.headers.items() if name not in VARYING}
    body = response.json() if "json" in response.headers.get("content-type", "") else response.text
    return response.status_code, headers, {**body, "id": None} if isinstance(body, dict) and "id" in body else body


async def both_ways(client: App, path: str, content: bytes, headers: dict[str, str]) -> list[Any]:
    """Return the response of the short path, and the full handler's, which a query parameter selects."""
    return [
        comparable(await client.post(path + query, content=content, headers=headers)) for query in ("", "?unused=1")
    ]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"score": 1}', 200),
        (b'{"score": true, "comment": "Nice.", "metadata": {"a": [1]}, "unknown": 1}', 200),
        (b"{}", 200),
        (b'{"score": "high"}', 422),
        (b'{"score": 1e999}', 422),
        (b'{"score": 1', 422),
        (b'{"comment": "\\u0000"}', 422),
        (b'{"comment": "\\ud800"}', 422),
        (b'{"user_id": ""}', 422),
        (b'{"comment": "' + b"x" * 20_000 + b'"}', 413),
        (b'{"comment": "' + b"x" * 70_000 + b'"}', 413),
        (b'{"value": ' + b"[" * 40 + b"]" * 40 + b"}", 422),
        (b"[1]", 422),
        (b"null", 200),
        (b"", 200),
        (b'\xff{"score": 1}', 422),
        (b"score=1", 200),
    ],
)
async def test_short_path_responds_as_the_handler(client: App, token_url: str, content: bytes, status: int) -> None:
    for headers in ({}, {"Content-Type": "application/json"}, {"Origin": "https://shop.example"}):
        short, full = await both_ways(client, token_url, content, headers)
        assert short == full
        assert short[0] == status


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html", "text/html;q=0.1, application/json", ""])
async def test_short_path_keeps_to_what_clients_accept(client: App, token_url: str, accept: str) -> None:
    short, full = await both_ways(client, token_url, b'{"score": "high"}', {"Accept": accept})
    assert short == full


async def test_errors_of_tokens_are_the_handlers(client: App, token_url: str) -> None:
    short, full = await both_ways(client, UNKNOWN, b'{"score": 1}', {})
    assert short == full
    assert short[0] == 404
    assert (await client.post(f"{token_url}/revoke")).status_code == 200
    short, full = await both_ways(client, token_url, b'{"score": 1}', {})
    assert short == full


async def test_short_path_counts_and_limits_as_the_handler(sqlite_url: str) -> None:
    settings = FeedbackSettings(limits=Limits(token=RateLimit(2, 600), address=None))
    plugin = FeedbackPlugin(open_database(sqlite_url), settings)
    app = Litestar(plugins=[plugin])
    transport = httpx.ASGITransport(app, client=("203.0.113.7", 1))
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://a.test") as client:
        path = await mint(client)
        responses = [await client.post(path, json={"score": 1}) for _ in range(3)]
        assert [one.status_code for one in responses] == [200, 200, 429]
        assert int(responses[-1].headers["retry-after"]) > 0
        text = (await client.get("/metrics")).text
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["feedback_answers_total", "created", "user_score"] == 2
    assert samples["feedback_refusals_total", "429", "too_many"] == 1


async def test_hooks_of_the_app_see_every_response(sqlite_url: str) -> None:
    async def mark(response: Response[Any]) -> Response[Any]:
        response.headers["x-marked"] = "yes"
        return response

    app = Litestar(plugins=[FeedbackPlugin(open_database(sqlite_url))], after_request=mark)
    async with AsyncTestClient(app, base_url="http://feedback.test") as client:
        path = await mint(client)
        assert (await client.post(path, json={"score": 1})).headers["x-marked"] == "yes"


async def test_body_in_pieces_is_one_submission(sqlite_url: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"sco', b're": 1, "comment": ', b'"Nice."}'):
            yield piece

    app = Litestar(plugins=[FeedbackPlugin(open_database(sqlite_url))])
    transport = httpx.ASGITransport(app)
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://a.test") as client:
        path = await mint(client)
        assert (await client.post(path, content=pieces())).json()["status"] == "created"
        assert (await client.post(path, content=b'{"comment": "' + b"x" * 70_000 + b'"}')).status_code == 413
        listed = (await client.get("/feedback", params={"run": RUN})).json()
    assert [one["comment"] for one in listed] == ["Nice."]
