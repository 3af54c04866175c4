"""Presigned URLs as people and programs follow them: typed values, prefetching, CORS, headers, addresses."""

from __future__ import annotations

import gzip
import uuid
from typing import Any
from urllib.parse import quote

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings
from tests.feedback.conftest import RUN, mint, stored

PROGRAM = {"Accept": "application/json"}
App = AsyncTestClient[Litestar]


TYPED: list[tuple[str, str, Any]] = [
    ("score=1", "score", 1),
    ("score=0.5", "score", 0.5),
    ("score=true", "score", True),
    ("score=False", "score", False),
    ("value=1", "value", 1),
    ("value=true", "value", True),
    ("value=yes", "value", "yes"),
    ("value=1_000", "value", "1_000"),
    ("value=nan", "value", "nan"),
    ("comment=12", "comment", "12"),
    ("comment=so+good%21", "comment", "so good!"),
    ("correction=" + quote('{"a": [1]}'), "correction", {"a": [1]}),
    ("correction=%5B1%5D", "correction", "[1]"),
]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_query_is_typed_as_langsmith_types_it(client: App, token_url: str, method: str) -> None:
    for query, field, stored_value in TYPED:
        response = await client.request(method, f"{token_url}?{query}", headers=PROGRAM)
        assert (response.status_code, response.json()["status"]) == (200, "created"), response.text
        newest = (await stored(client, limit=1))[0]
        assert repr(newest[field]) == repr(stored_value), query


@pytest.mark.parametrize(
    "body",
    [
        {"content": b'{"score": 1, "comment": "hi"}', "headers": {"content-type": "text/plain;charset=UTF-8"}},
        {"content": b'{"score": 1, "comment": "hi"}', "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"content": b'{"score": 1, "comment": "hi"}', "headers": {"content-type": "image/png"}},
        {"content": b'{"score": 1, "comment": "hi"}'},
        {"data": {"score": "1", "comment": "hi"}},
        {"content": b"score=1&comment=hi", "headers": {"content-type": "text/plain"}},
    ],
)
async def test_json_forms_and_plain_text_are_taken(client: App, token_url: str, body: dict[str, Any]) -> None:
    assert (await client.post(token_url, **body)).status_code == 200
    [row] = await stored(client)
    assert (row["score"], row["comment"]) == (1, "hi")


async def test_form_of_either_kind_is_a_submission(client: App, token_url: str) -> None:
    fields = {"score": "1", "comment": "ünï & so on", "metadata": '{"page": 1}'}
    for sent in ({"data": fields}, {"files": {name: (None, text) for name, text in fields.items()}}):
        response = await client.post(token_url, **sent)  # type: ignore[arg-type]
        assert response.status_code == 200, response.text
    rows = await stored(client)
    assert [(row["score"], row["comment"]) for row in rows] == [(1, "ünï & so on")] * 2
    headers = {"content-type": "multipart/form-data"}
    refused = await client.post(token_url, content=b"--a\r\nscore=1", headers=headers)
    assert (refused.status_code, "boundary" in refused.json()["detail"]) == (422, True)


async def test_several_values_are_several_categories_in_every_format(client: App) -> None:
    categories = [{"value": at, "label": label} for at, label in enumerate(("wrong", "slow", "rude"))]
    config = {"type": "categorical", "categories": categories, "allows_multiple_categories": True}
    url = await mint(client, "why", feedback_config=config)
    pairs, body = [("value", "wrong"), ("value", "rude")], "value=wrong&value=rude"
    form = {"content-type": "application/x-www-form-urlencoded"}
    for response in (
        await client.get(f"{url}?{body}", headers=PROGRAM),
        await client.post(f"{url}?{body}"),
        await client.post(url, content=body, headers=form),
        await client.post(url, files=[(name, (None, text)) for name, text in pairs]),
    ):
        assert response.status_code == 200, response.text
    assert [row["value"] for row in await stored(client)] == [{"labels": ["wrong", "rude"], "values": [0, 2]}] * 4
    page = (await client.get(f"{url}?{body}", headers={"Accept": "text/html"})).text
    assert [" checked" in page.partition(f'value="{at}"')[2][:9] for at in range(3)] == [True, False, True]
    assert (await client.get(f"{await mint(client)}?{body}", headers=PROGRAM)).status_code == 422, (
        "one parameter cannot be both"
    )


async def test_compressed_body_is_refused_with_a_reason(client: App, token_url: str) -> None:
    body, headers = gzip.compress(b'{"score": 1}'), {"content-encoding": "gzip", "content-type": "application/json"}
    refused = await client.post(token_url, content=body, headers=headers)
    assert (refused.status_code, "compressed (gzip)" in refused.json()["detail"]) == (422, True)
    assert await stored(client) == []


async def test_metadata_may_come_in_the_query(client: App, token_url: str) -> None:
    await client.get(token_url + "?score=1&metadata=" + quote('{"page": "a"}'), headers=PROGRAM)
    [row] = await stored(client)
    assert row["feedback_source"] == {"type": "api", "metadata": {"page": "a"}, "user_id": None}
    refused = await client.get(token_url + "?score=1&metadata=5", headers=PROGRAM)
    assert (refused.status_code, "JSON object" in refused.json()["detail"]) == (422, True)


async def test_link_without_config_shows_existing_kinds(client: App) -> None:
    thumbs, stars = ({"type": "continuous", "min": low, "max": high} for low, high in ((0, 1), (1, 5)))
    url = await mint(client, "quality")
    assert (await client.get(url)).json()["feedback_config"] is None
    await client.post("/feedback-configs", json={"feedback_key": "quality", "feedback_config": stars})
    assert (await client.get(url)).json()["feedback_config"] == stars
    own = await mint(client, "quality", feedback_config=thumbs)
    assert (await client.get(own)).json()["feedback_config"] == thumbs


async def test_link_without_score_explains_and_stores_nothing(client: App) -> None:
    url = await mint(client, "stars", feedback_config={"type": "continuous", "min": 1, "max": 5})
    for query in ("", "?utm_source=mail", "?user_id=ada", "?score="):
        response = await client.get(url + query)
        assert response.status_code == 200
        assert response.json()["key"] == "stars"
        assert response.json()["feedback_config"] == {"type": "continuous", "min": 1, "max": 5}
    assert await stored(client) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Purpose": "preview"},
        {"X-Moz": "prefetch"},
    ],
)
async def test_prefetch_stores_nothing(client: App, token_url: str, headers: dict[str, str]) -> None:
    assert (await client.get(token_url + "?score=1", headers=headers)).status_code == 200
    assert await stored(client) == []


async def test_head_stores_nothing(client: App, token_url: str) -> None:
    response = await client.head(token_url + "?score=1")
    assert (response.status_code, response.content) == (200, b"")
    assert (await client.head(f"/feedback/tokens/{uuid.uuid4()}")).status_code == 404
    assert await stored(client) == []


@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1"])
async def test_browser_of_any_origin_may_submit(client: App, token_url: str, prefix: str) -> None:
    url = prefix + token_url.removeprefix("/api/v1")
    headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    preflight = await client.options(url, headers={**headers, "Access-Control-Request-Headers": "content-type, x-mine"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-allow-headers"] == "content-type, x-mine"
    for status, submission in ((200, {"score": 1}), (422, {"score": "x"})):
        response = await client.post(url, json=submission, headers={"Origin": "https://a.example"})
        assert (response.status_code, response.headers["access-control-allow-origin"]) == (status, "*")
    gone = await client.get(f"{prefix}/feedback/tokens/{uuid.uuid4()}", headers={"Origin": "https://a.example"})
    assert (gone.status_code, gone.headers["access-control-allow-origin"]) == (404, "*")


async def test_administration_is_not_open_to_other_origins(client: App, token_url: str) -> None:
    await client.post(token_url, json={"score": 1})
    for path in ("/feedback", f"/feedback/tokens?run_id={RUN}"):
        response = await client.get(path, headers={"Origin": "https://a.example"})
        assert response.status_code == 403
        assert "access-control-allow-origin" not in response.headers


async def test_responses_are_not_cached_indexed_or_referred(client: App, token_url: str) -> None:
    for response in (
        await client.get(token_url),
        await client.post(token_url, json={}),
        await client.post(token_url + "0"),
    ):
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["x-robots-tag"] == "noindex, nofollow"


async def test_any_spelling_of_the_token_is_taken(client: App, token_url: str) -> None:
    token = uuid.UUID(token_url.rpartition("/")[2])
    for spelling in (token.hex, token.hex.upper(), token.urn, f"{{{token}}}"):
        response = await client.post(f"/feedback/tokens/{quote(spelling)}", json={"score": 1})
        assert response.status_code == 200, spelling


@pytest.mark.parametrize(
    ("options", "headers", "base"),
    [
        ({}, {}, "http://feedback.test"),
        ({}, {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}, "http://feedback.test"),
        (
            {"trust_forwarded": True},
            {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example", "X-Forwarded-Prefix": "/fb/"},
            "https://a.example/fb",
        ),
        (
            {"public_url": "https://pub.example/x/", "trust_forwarded": True},
            {"X-Forwarded-Host": "b"},
            "https://pub.example/x",
        ),
    ],
)
async def test_url_follows_the_public_base_or_the_request(
    sqlite_url: str, options: dict[str, Any], headers: dict[str, str], base: str
) -> None:
    app = Litestar(plugins=[FeedbackPlugin(open_database(sqlite_url), FeedbackSettings(**options))])
    async with AsyncTestClient(app, base_url="http://feedback.test") as client:
        minted = await client.post("/feedback/tokens", json={"run_id": RUN, "feedback_key": "k"}, headers=headers)
        assert minted.json()["url"] == f"{base}/api/v1/feedback/tokens/{minted.json()['id']}"


async def test_unusable_forwarded_host_is_refused(sqlite_url: str) -> None:
    app = Litestar(plugins=[FeedbackPlugin(open_database(sqlite_url), FeedbackSettings(trust_forwarded=True))])
    async with AsyncTestClient(app) as client:
        headers = {"X-Forwarded-Host": "a.example/?x=#"}
        minted = await client.post("/feedback/tokens", json={"run_id": RUN, "feedback_key": "k"}, headers=headers)
        assert (minted.status_code, "public URL" in minted.json()["detail"]) == (422, True)
