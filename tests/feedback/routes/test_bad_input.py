"""Bad input gets a status and a message that says what would be right. It causes no 500 and loses nothing accepted."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import AsyncTestClient, TestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin
from tests.feedback.conftest import RUN, stored

App = AsyncTestClient[Litestar]
DEEP: Any = 1
for _ in range(17):
    DEEP = {"a": DEEP}


BAD_SUBMISSIONS: list[Any] = [
    (b"nonsense", 422, "not JSON"),
    (b"[1]", 422, "object"),
    (b'"text"', 422, "object"),
    (b'{"score": "high"}', 422, "`score`"),
    (b'{"score": [1]}', 422, "`score`"),
    (b'{"score": NaN}', 422, "NaN"),
    (b'{"score": 1e999}', 422, "`score`: Number out of range"),
    (b'{"score": 1' + b"0" * 30 + b"}", 422, "below 2**63"),
    (b'{"score": 1' + b"0" * 5000 + b"}", 422, "`score`"),
    (b'{"value": [1]}', 422, "`value` is an array"),
    (b'{"value": {"n": Infinity}}', 422, "Infinity"),
    (b'{"comment": 5}', 422, "`comment`"),
    (b'{"comment": "a\\u0000b"}', 422, "`comment` holds a NUL"),
    (b'{"comment": "\\ud800"}', 422, "`comment` holds half of a surrogate pair"),
    (b'{"metadata": {"a": {"b": "\\udfff"}}}', 422, "`metadata.a.b` holds half of a surrogate pair"),
    (b'{"metadata": {"a\\u0000": 1}}', 422, "`metadata` holds a NUL"),
    (b'{"metadata": [1]}', 422, "`metadata`"),
    (b'{"correction": 5}', 422, "`correction`"),
    (b'{"user_id": ""}', 422, "`user_id` is empty"),
    (b'{"user_id": "' + b"a" * 201 + b'"}', 422, "`user_id` has 201 characters"),
    (b'{"id": "7"}', 422, "`id` is not a UUID"),
    (b'{"comment": "' + b"a" * 16385 + b'"}', 413, "`comment` has 16,385 bytes; at most 16,384"),
    (b'{"comment": "' + b"a" * 70000 + b'"}', 413, "64 KB"),
    (b"[" * 60000, 422, "body"),
    (b'{"value": ' + b'{"a":' * 10000, 422, "nested too deep"),
    (b'{"score": 1', 422, "not JSON"),
    (b'{"comment": "\xff"}', 422, "not UTF-8"),
    (b"score=high&comment=x", 422, "`score` is 'high'"),
    (b"metadata=5", 422, "`metadata` is not a JSON object"),
]


async def test_bad_submission_is_refused_with_a_message(client: App, token_url: str) -> None:
    for body, status, message in BAD_SUBMISSIONS:
        response = await client.post(token_url, content=body)
        assert (response.status_code, message in response.json()["detail"]) == (status, True), response.text
        assert response.json()["code"]
    assert await stored(client) == []
    assert (await client.post(token_url, json={"score": 1})).status_code == 200


@pytest.mark.parametrize("field", ["value", "correction", "metadata"])
async def test_too_deep_json_is_refused(client: App, token_url: str, field: str) -> None:
    response = await client.post(token_url, json={field: DEEP})
    assert (response.status_code, response.json()["detail"]) == (
        422, f"`{field}` is nested more than 16 levels deep; send a flatter one",
    )  # fmt: skip
    assert (await client.post(token_url, json={field: DEEP["a"]})).status_code == 200


BAD_QUERIES: list[Any] = ["score=high", "comment=%00", "comment=%ff%00", "user_id=+", "id=7", "value=%00"]


async def test_bad_query_is_refused(client: App, token_url: str) -> None:
    for query in BAD_QUERIES:
        url = f"{token_url}?score=1&{query}" if "score" not in query else f"{token_url}?{query}"
        response = await client.get(url, headers={"accept": "application/json"})
        assert response.status_code == 422, response.text
        assert await stored(client) == []


async def test_tampered_token_is_404_and_expired_410(client: App, token_url: str, database_url: str) -> None:
    last = "0" if token_url[-1] != "0" else "1"
    for unknown in (token_url[:-1] + last, token_url[:-1], "/feedback/tokens/x", "/feedback/tokens/%00"):
        for method in ("GET", "POST"):
            response = await client.request(method, unknown + "?score=1")
            assert (response.status_code, response.json()["code"]) == (404, "token_unknown")
    async with open_database(database_url) as database:
        await database.write(lambda db: db.execute("UPDATE feedback_grant SET expires_at = 1"))
    for response in (await client.post(token_url, json={"score": 1}), await client.get(token_url)):
        assert (response.status_code, response.json()["code"]) == (410, "token_expired")


BAD_MINTS: list[Any] = [
    ({}, "run_id"),
    ({"run_id": RUN}, "feedback_key"),
    ({"run_id": 5, "feedback_key": "k"}, "`run_id`"),
    ({"run_id": "", "feedback_key": "k"}, "`run_id` is empty"),
    ({"run_id": "a\0", "feedback_key": "k"}, "NUL"),
    ({"run_id": RUN, "feedback_key": ""}, "`feedback_key` is empty"),
    ({"run_id": RUN, "feedback_key": "k" * 181}, "at most 180"),
    ({"run_id": RUN, "feedback_key": "k", "expires_in": {"minutes": 0}}, "comes to nothing"),
    ({"run_id": RUN, "feedback_key": "k", "expires_in": {"minutes": -5}}, "comes to nothing"),
    ({"run_id": RUN, "feedback_key": "k", "expires_in": {"days": 10**9}}, "past the year"),
    ({"run_id": RUN, "feedback_key": "k", "expires_in": {"days": 10**400}}, "expires_in.days"),
    ({"run_id": RUN, "feedback_key": "k", "expires_in": "3h"}, "expires_in"),
    ({"run_id": RUN, "feedback_key": "k", "expires_at": "2020-01-01T00:00:00Z"}, "not in the future"),
    ({"run_id": RUN, "feedback_key": "k", "expires_at": "tomorrow"}, "ISO 8601"),
    ({"run_id": RUN, "feedback_key": "k", "expires_at": "9999-12-31T23:59:59-23:00"}, "not a time"),
    ({"run_id": RUN, "feedback_key": "k", "feedback_config": {"type": "stars"}}, "feedback_config.type"),
    ({"run_id": RUN, "feedback_key": "k", "feedback_config": {"type": "continuous", "min": 2, "max": 1}}, "above"),
    ({"run_id": RUN, "feedback_key": "k", "feedback_config": {"type": "categorical"}}, "has 0 entries"),
    ([], "1 to 1000"),
    ([{"run_id": RUN, "feedback_key": "k"}, {"run_id": RUN}], "feedback_key"),
]


async def test_bad_mint_is_refused_with_a_message(client: App) -> None:
    for body, message in BAD_MINTS:
        response = await client.post("/feedback/tokens", json=body)
        assert (response.status_code, message in response.json()["detail"]) == (422, True), response.text
        assert (await client.get("/feedback/tokens", params={"run_id": RUN})).json() == []


async def test_expiry_takes_seconds_and_prefers_the_absolute_one(client: App) -> None:
    body = {"run_id": RUN, "feedback_key": "k", "expires_in": {"seconds": 30}}
    short = datetime.fromisoformat((await client.post("/feedback/tokens", json=body)).json()["expires_at"])
    assert 0 < (short - datetime.now(UTC)).total_seconds() <= 30
    both = await client.post("/feedback/tokens", json={**body, "expires_at": "2040-01-02T03:04:05"})
    assert both.json()["expires_at"] == "2040-01-02T03:04:05.000000+00:00"
    never = await client.post("/feedback/tokens", json={**body, "expires_at": "9999-12-31T23:59:59Z"})
    assert (await client.post(f"/feedback/tokens/{never.json()['id']}", json={})).status_code == 200


BAD_REQUESTS: list[Any] = [
    ("GET", "/feedback/tokens", 422),
    ("GET", "/feedback/tokens?run_id=%00", 422),
    ("GET", f"/feedback/tokens?run_id={RUN}&limit=0", 422),
    ("GET", f"/feedback/tokens?run_id={RUN}&offset=-1", 422),
    ("GET", f"/feedback/tokens?run_id={RUN}&offset=99999999999999999999", 422),
    ("GET", "/feedback?limit=101", 422),
    ("GET", "/feedback?limit=many", 422),
    ("GET", "/feedback?offset=99999999999999999999", 422),
    ("GET", "/feedback?run=%00", 422),
    ("GET", "/feedback?key=%00", 422),
    ("GET", "/feedback?source=%00", 422),
    ("GET", "/feedback?user=%00", 422),
    ("GET", "/feedback?has_comment=maybe", 422),
    ("GET", "/feedback?min_created_at=soon", 422),
    ("GET", "/feedback?level=tenant", 422),
    ("GET", "/feedback/7", 422),
    ("GET", f"/feedback/{RUN}", 404),
    ("PATCH", f"/feedback/{RUN}", 404),
    ("DELETE", f"/feedback/{RUN}", 404),
    ("DELETE", "/feedback/token", 422),
    ("POST", "/feedback", 422),
    ("POST", "/feedback/tokens", 422),
]


async def test_bad_request_has_its_status(client: App) -> None:
    for method, path, status in BAD_REQUESTS:
        body = {"json": {}} if method in ("POST", "PATCH") else {}
        response = await client.request(method, path, **body)  # type: ignore[arg-type]
        assert response.status_code == status, response.text
        assert response.json()["detail"]
        assert response.json()["code"]


@pytest.mark.parametrize("path", ["/feedback", "/feedback/tokens"])
async def test_missing_body_is_refused(client: App, path: str) -> None:
    response = await client.post(path)
    assert response.status_code == 422, response.text
    assert response.json()["code"] == "invalid"


BAD_FEEDBACK: list[Any] = [
    ({"key": ""}, "`key`"),
    ({"key": "k", "id": "x"}, "`id`"),
    ({"key": "k", "run_id": "a\0"}, "NUL"),
    ({"key": "k", "created_at": "now"}, "`created_at`"),
    ({"key": "k", "start_time": "soon"}, "`start_time`"),
    ({"key": "k", "start_time": 1e300}, "`start_time`"),
    ({"key": "k", "start_time": True}, "`start_time`"),
    ({"key": "k", "feedback_source": {"type": ""}}, "feedback_source.type"),
    ({"key": "k", "extra": DEEP}, "`extra`"),
    ({"key": "k", "feedback_config": {"type": "continuous", "max": 1}, "score": 2}, "at most 1"),
]


async def test_bad_feedback_is_refused_with_a_message(client: App) -> None:
    for body, message in BAD_FEEDBACK:
        response = await client.post("/feedback", json=body)
        assert (response.status_code, message in response.json()["detail"]) == (422, True), response.text


async def test_unexpected_failure_is_json_without_internals(
    client: App, token_url: str, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_database(database_url) as database:
        await database.write(lambda db: db.execute("ALTER TABLE feedback RENAME TO lost"))
    broken = await client.post(token_url, json={"score": 1})
    assert (broken.status_code, broken.json()["code"]) == (500, "internal")
    assert "table" not in broken.text
    assert "POST /api/v1/feedback/tokens/<token> failed" in caplog.text
    assert token_url not in "".join(record.getMessage() for record in caplog.records if record.name == "feedback")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["score", "value", "comment", "correction", "metadata", "user_id", "id"])


@pytest.fixture(params=["sqlite", "postgres"])
def shared_client(request: pytest.FixtureRequest) -> Any:
    url = request.getfixturevalue(f"{request.param}_url")
    with TestClient(Litestar(plugins=[FeedbackPlugin(open_database(url))]), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", "/feedback/tokens", None, "The body is missing; send JSON"),
        ("POST", "/feedback-configs", None, "The body is missing; send JSON"),
        ("POST", "/feedback/tokens", [{"run_id": RUN, "feedback_key": "k", "feedback_config": {"type": "stars"}}],
         "`[0].feedback_config.type`: Invalid enum value 'stars'; send one of categorical, continuous, freeform"),
        ("PATCH", "/feedback-configs", {"feedback_key": "k", "subject_policy": "x"}, "one of append, first, replace"),
        ("GET", "/api/v1/feedback/export?format=xml", None, "`format`: Invalid enum value 'xml'; send one of csv, dpo"),
        ("GET", "/api/v1/feedback/statistics?by=user", None, "`by`: Invalid enum value 'user'; send one of assistant,"),
        ("GET", "/api/v1/feedback/search?status=old", None, "`status`: Invalid enum value 'old'; send one of done"),
        ("GET", "/feedback?level=thread", None, "`level`: Invalid enum value 'thread'; send one of run, session"),
        ("POST", "/v1/feedback", {"feedback_token": "x", "outcome": "meh"}, "send one of negative, positive"),
    ],
)  # fmt: skip
async def test_message_names_what_there_is_to_choose_from(
    client: App, method: str, path: str, body: Any, message: str
) -> None:
    refused = await client.request(method, path, json=body) if body else await client.request(method, path)
    received = refused.json()
    assert (refused.status_code, message in (received.get("detail") or received["error"]["message"])) == (422, True), (
        received
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(NAMES, JSON, max_size=4))
def test_accepted_json_reads_back_and_none_fails(shared_client: Any, body: dict[str, Any]) -> None:
    run = str(uuid.uuid4())
    token = shared_client.post("/feedback/tokens", json={"run_id": run, "feedback_key": "k"}).json()["id"]
    response = shared_client.post(f"/feedback/tokens/{token}", json=body)
    assert response.status_code in (200, 409, 413, 422), response.text
    if response.status_code == 200:
        feedback = shared_client.get(f"/feedback/{response.json()['id']}").json()
        for name in ("score", "value", "comment", "correction"):
            assert feedback[name] == body.get(name)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=60))
def test_no_bytes_make_the_service_fail(shared_client: Any, body: bytes) -> None:
    token = shared_client.post("/feedback/tokens", json={"run_id": RUN, "feedback_key": "k"}).json()["id"]
    assert shared_client.post(f"/feedback/tokens/{token}", content=body).status_code in (200, 413, 422)
