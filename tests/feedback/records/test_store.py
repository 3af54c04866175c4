"""How feedback is stored: replaced by subject, added without one, never lost, never doubled by a repeated request."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from feedback import FeedbackPlugin
from feedback.errors import TokenGone
from feedback.schema import FeedbackCreate, FeedbackSource, FeedbackSubmission
from tests.feedback.conftest import mint, stored

App = AsyncTestClient[Litestar]


async def history(service: FeedbackPlugin) -> list[tuple[str, str, str | None]]:
    """Return the id, reason and score of each earlier version."""
    rows = await service.database.read(
        lambda db: db.all("SELECT id, reason, score FROM feedback_history ORDER BY sequence")
    )
    return [(row["id"], row["reason"], row["score"]) for row in rows]


async def test_anonymous_feedback_adds_up(client: App, token_url: str) -> None:
    responses = [await client.post(token_url, json={"score": 1}) for _ in range(2)]
    assert [response.json()["status"] for response in responses] == ["created", "created"]
    assert len(await stored(client)) == 2


async def test_submission_of_the_same_user_replaces_the_earlier(client: App, token_url: str) -> None:
    first = (await client.post(token_url, json={"score": 0, "user_id": "ada", "comment": "no"})).json()
    second = (await client.post(token_url, json={"score": 1, "user_id": "ada"})).json()
    assert (second["id"], second["status"]) == (first["id"], "updated")
    await client.post(token_url, json={"score": 0, "user_id": "bob"})
    by_user: dict[Any, Any] = {}
    for row in await stored(client):
        source: Any = row["feedback_source"]
        by_user[source["user_id"]] = (row["score"], row["comment"])
    assert by_user == {"ada": (1, None), "bob": (0, None)}


async def test_equal_submission_of_the_same_user_is_unchanged(client: App, token_url: str) -> None:
    submission = {"score": True, "user_id": "ada", "metadata": {"a": 1}}
    first = (await client.post(token_url, json=submission)).json()
    assert (await client.post(token_url, json=submission)).json() == {"id": first["id"], "status": "unchanged"}


async def test_replaced_updated_and_deleted_feedback_is_in_history(service: FeedbackPlugin, run_id: str) -> None:
    url = (await service.urls_for_run(run_id, ["k"], "http://here"))["k"]
    pointer = await service.default.tokens.open(url.rpartition("/")[2])
    for score in (1, 2):
        result = await service.default.store.submit(pointer, FeedbackSubmission(score=score, user_id="ada"))
    created = FeedbackCreate("k", id=result.id, run_id=run_id, score=3, feedback_source=FeedbackSource(user_id="ada"))
    await service.default.store.create(created)
    await service.default.store.delete(result.id)
    versions = [("replaced", "1"), ("replaced", "2"), ("deleted", "3")]
    assert await history(service) == [(result.id, *version) for version in versions]
    assert await service.feedback_for_run(run_id) == []


async def test_concurrent_submissions_leave_one_row_and_full_history(service: FeedbackPlugin, run_id: str) -> None:
    url = (await service.urls_for_run(run_id, ["k"], "http://here"))["k"]
    pointer = await service.default.tokens.open(url.rpartition("/")[2])
    await asyncio.gather(
        *(service.default.store.submit(pointer, FeedbackSubmission(score=score, user_id="ada")) for score in range(20))
    )
    [current] = await service.feedback_for_run(run_id)
    earlier = [score for _, _, score in await history(service)]
    assert sorted(map(int, [*filter(None, earlier), str(current.score)])) == list(range(20))


async def test_repeat_with_the_same_idempotency_key_changes_nothing(client: App, token_url: str) -> None:
    headers = {"Idempotency-Key": "once"}
    first = (await client.post(token_url, json={"score": 1}, headers=headers)).json()
    again = (await client.post(token_url, json={"score": 0}, headers=headers)).json()
    assert again == {"id": first["id"], "status": "unchanged"}
    assert [row["score"] for row in await stored(client)] == [1]


async def test_late_repeat_does_not_restore_replaced_feedback(client: App, token_url: str) -> None:
    first = {"json": {"score": 0, "user_id": "ada"}, "headers": {"Idempotency-Key": "first"}}
    await client.post(token_url, **first)  # type: ignore[arg-type]
    await client.post(token_url, json={"score": 1, "user_id": "ada"}, headers={"Idempotency-Key": "second"})
    assert (await client.post(token_url, **first)).json()["status"] == "unchanged"  # type: ignore[arg-type]
    assert [row["score"] for row in await stored(client)] == [1]


async def test_idempotency_key_counts_for_its_own_token_only(client: App, token_url: str) -> None:
    other = await mint(client, "other")
    for url in (token_url, other):
        assert (await client.post(url, json={"score": 1}, headers={"Idempotency-Key": "k"})).json()[
            "status"
        ] == "created"


async def test_concurrent_repeats_store_one_feedback(service: FeedbackPlugin, run_id: str) -> None:
    url = (await service.urls_for_run(run_id, ["k"], "http://here"))["k"]
    pointer = await service.default.tokens.open(url.rpartition("/")[2])
    results = await asyncio.gather(
        *(service.default.store.submit(pointer, FeedbackSubmission(score=1), "the same") for _ in range(20))
    )
    assert len({result.id for result in results}) == 1
    assert sorted(result.status for result in results) == ["created", *["unchanged"] * 19]
    assert len(await service.feedback_for_run(run_id)) == 1


async def test_same_id_in_the_body_changes_nothing(client: App, token_url: str) -> None:
    name = uuid.uuid4()
    first = await client.post(token_url, json={"score": 1, "id": str(name)})
    assert first.json() == {"id": str(name), "status": "created"}
    again = await client.post(token_url, json={"score": 0, "id": name.hex})
    assert again.json() == {"id": str(name), "status": "unchanged"}


async def test_id_of_another_users_feedback_is_refused(client: App, token_url: str) -> None:
    name = str(uuid.uuid4())
    await client.post(await mint(client, "other"), json={"score": 1, "id": name})
    refused = await client.post(token_url, json={"score": 0, "id": name})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


async def test_feedback_with_a_known_id_is_updated(client: App) -> None:
    body = {"id": str(uuid.uuid4()), "key": "k", "run_id": str(uuid.uuid4()), "score": 1, "comment": "a"}
    assert (await client.post("/feedback", json=body)).json()["score"] == 1
    changed = (await client.post("/feedback", json={**body, "score": 2, "comment": None})).json()
    assert (changed["id"], changed["score"], changed["comment"]) == (body["id"], 2, None)
    assert len((await client.get("/feedback", params={"run": body["run_id"]})).json()) == 1


async def test_javascript_clients_camel_case_config_is_enforced(client: App) -> None:
    config = {"type": "categorical", "categories": [{"value": 1, "label": "yes"}, {"value": 0, "label": "no"}]}
    body = {"key": "k", "run_id": None, "value": "yes", "feedbackConfig": config}
    created = await client.post("/feedback", json=body)
    assert (created.json()["score"], created.json()["value"]) == (1, "yes")
    refused = await client.post("/feedback", json={"key": "k", "score": 7, "feedbackConfig": config})
    assert refused.status_code == 422
    assert "one of 1 (yes), 0 (no)" in refused.json()["detail"]


async def test_run_without_uuid_is_stored_by_name(client: App) -> None:
    token = (await client.post("/feedback/tokens", json={"run_id": "chat 7", "feedback_key": "k"})).json()
    await client.post(f"/feedback/tokens/{token['id']}", json={"score": 1})
    [row] = (await client.get("/feedback", params={"run": "chat 7"})).json()
    assert (row["run_id"], row["trace_id"], row["run_name"]) == (None, None, "chat 7")


async def test_run_id_in_any_spelling_is_one_run(client: App, token_url: str, run_id: str) -> None:
    await client.post(token_url, json={"score": 1})
    spelled = await client.get("/feedback", params={"run": uuid.UUID(run_id).hex.upper()})
    assert len(spelled.json()) == 1


async def test_list_pages_through_all_feedback_newest_first(client: App, token_url: str) -> None:
    created = [(await client.post(token_url, json={"score": n})).json()["id"] for n in range(5)]
    pages = [await stored(client, limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [row["id"] for page in pages for row in page] == created[::-1]


async def test_list_filters_by_time_user_score_and_level(client: App, token_url: str) -> None:
    await client.post(token_url, json={"comment": "only words"})
    scored = (await client.post(token_url, json={"score": 1, "user_id": "ada"})).json()["id"]
    [row] = await stored(client, has_score=True)
    assert row["id"] == scored
    assert [row["id"] for row in await stored(client, user="ada")] == [scored]
    assert [row["id"] for row in await stored(client, min_created_at=row["created_at"])] == [scored]
    assert len(await stored(client, max_created_at=row["created_at"], level="run")) == 2
    assert await stored(client, level="session") == []


async def test_submission_through_an_expired_token_is_refused(service: FeedbackPlugin, run_id: str) -> None:
    url = (await service.urls_for_run(run_id, ["k"], "http://here"))["k"]
    pointer = await service.default.tokens.open(url.rpartition("/")[2])
    await service.database.write(lambda db: db.execute("UPDATE feedback_grant SET expires_at = 1"))
    with pytest.raises(TokenGone):
        await service.default.store.submit(pointer, FeedbackSubmission(score=1))
    assert await service.feedback_for_run(run_id) == []
