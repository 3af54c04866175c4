"""Earlier versions of feedback: read over HTTP page by page, deleted by erasure."""

from __future__ import annotations

import uuid

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from tests.feedback.conftest import RUN, stored

App = AsyncTestClient[Litestar]


async def test_history_has_every_version_of_feedback(client: App, token_url: str) -> None:
    first = {"score": 0, "comment": "no", "metadata": {"page": 1}, "user_id": "ada"}
    name = (await client.post(token_url, json=first)).json()["id"]
    path = f"/api/v1/feedback/{name}"
    assert (await client.get(f"{path}/history")).json()["versions"] == []
    await client.post(token_url, json={"score": 1, "user_id": "ada"})
    await client.patch(f"/feedback/{name}", json={"comment": "edited"})
    history = (await client.get(f"{path}/history")).json()
    assert history["current"] == (await client.get(path)).json()
    assert [(one["reason"], one["score"], one["comment"]) for one in history["versions"]] == [
        ("updated", 1, None),
        ("replaced", 0, "no"),
    ]
    oldest = history["versions"][1]
    assert (oldest["id"], oldest["run_id"], oldest["key"]) == (name, RUN, "user_score")
    assert oldest["feedback_source"] == {"type": "api", "metadata": {"page": 1}, "user_id": "ada"}
    assert oldest["created_at"] <= oldest["modified_at"] < oldest["replaced_at"]
    await client.delete(token_url, params={"user_id": "ada"})
    gone = (await client.get(f"{path}/history")).json()
    assert (gone["current"], gone["versions"][0]["reason"], len(gone["versions"])) == (None, "retracted", 3)


async def test_history_is_read_a_page_at_a_time(client: App, token_url: str) -> None:
    for score in range(6):
        name = (await client.post(token_url, json={"score": score, "user_id": "ada"})).json()["id"]
    scores, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        more = {} if cursor is None else {"cursor": cursor}
        page = (await client.get(f"/api/v1/feedback/{name}/history", params={"limit": 2, **more})).json()
        scores += [one["score"] for one in page["versions"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert (scores, pages) == ([4, 3, 2, 1, 0], 3)


async def test_erased_feedback_has_no_history(client: App, token_url: str) -> None:
    for score in (0, 1):
        name = (await client.post(token_url, json={"score": score, "user_id": "ada"})).json()["id"]
    await client.delete(token_url, params={"user_id": "ada"})
    assert await stored(client) == []
    await client.post("/api/v1/feedback/erasures", json={"subject": "ada"})
    gone = await client.get(f"/api/v1/feedback/{name}/history")
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "cursor=-1", "cursor=x", f"cursor={2**70}"])
async def test_page_that_cannot_be_is_refused(client: App, token_url: str, query: str) -> None:
    name = (await client.post(token_url, json={"score": 1})).json()["id"]
    assert (await client.get(f"/api/v1/feedback/{name}/history?{query}")).status_code == 422
    assert (await client.get("/api/v1/feedback/nothing/history")).status_code == 422
    assert (await client.get(f"/api/v1/feedback/{uuid.uuid4()}/history")).status_code == 404
