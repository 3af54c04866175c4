"""The list by run and user, reasons, response rates and datasets."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin, RunFacts
from feedback.reports.query import FeedbackQuery
from feedback.reports.run_feedback import MAX_OF_ROW
from tests.feedback.conftest import mint
from tests.feedback.stored_feedback import NOON, insert, row

App = AsyncTestClient[Litestar]
ONE, OTHER = (str(uuid.UUID(int=at)) for at in (1, 2))
TURNS = [{"type": "human", "content": "Where is it? " * 100}, {"type": "ai", "content": "On its way."}]


async def look_up(run_id: str) -> RunFacts | None:
    facts = {"input": {"messages": TURNS[:1]}, "output": {"messages": TURNS}}
    return RunFacts(run_id, "t", "a", 1, **facts, assistant_name="Support bot") if run_id == ONE else None


@pytest.fixture
async def with_runs(database_url: str) -> AsyncIterator[FeedbackPlugin]:
    """Open the service beside a server that has one run."""
    async with FeedbackPlugin(open_database(database_url), run_lookup=look_up).open() as plugin:
        yield plugin


async def test_row_summarizes_a_run_and_user(with_runs: FeedbackPlugin) -> None:
    about = {"run_id": ONE, "assistant_id": "a", "assistant_version": 1}
    await insert(with_runs, [
        row(1, **about, subject="ada"), row(5, **about, key="stars", subject="ada", at=NOON + timedelta(minutes=1)),
        row(0, **about, subject="bob", at=NOON + timedelta(minutes=2)), row(1, **about),
        row(0, run_id=OTHER), row(1, run_id=None), row(1, run_id=None),
    ])  # fmt: skip
    found = (await with_runs.get_services("default").by_run.page(FeedbackQuery())).rows
    assert [(one.run_id, one.subject, [piece.key for piece in one.feedback]) for one in found][:2] == [
        (ONE, "bob", ["thumbs"]),
        (ONE, "ada", ["stars", "thumbs"]),
    ]
    assert len(found) == 6, "anonymous feedback on a run shares one row; without a run each has its own"
    assert (found[0].reply, found[0].question is not None and len(found[0].question)) == ("On its way.", 601)
    assert found[1].feedback[0].assistant_name == "Support bot"
    assert {one.question for one in found if one.run_id != ONE} == {None}


async def test_row_stands_where_its_newest_fitting_piece_does(with_runs: FeedbackPlugin) -> None:
    rows = [row(at % 2, run_id=str(uuid.UUID(int=at // 3)), subject="ada" if at % 3 else None, key=f"k{at % 3}",
                at=NOON + timedelta(minutes=at)) for at in range(30)]  # fmt: skip
    await insert(with_runs, rows)
    by_run = with_runs.get_services("default").by_run
    query = FeedbackQuery(key=["k0", "k1"], max_score=0)
    seen: list[tuple[str | None, str | None]] = []
    cursor: str | None = None
    while True:
        page = await by_run.page(query, 3, cursor)
        seen += [(one.run_id, one.subject) for one in page.rows]
        if (cursor := page.next_cursor) is None:
            break
    fitting = [one for one in reversed(rows) if one["number"] == 0 and one["key"] in ("k0", "k1")]
    assert seen == list(dict.fromkeys((one["run_id"], one["subject"]) for one in fitting))


async def test_row_counts_the_records_that_it_omits(with_runs: FeedbackPlugin) -> None:
    await insert(with_runs, [row(1, run_id=ONE, at=NOON + timedelta(seconds=at)) for at in range(MAX_OF_ROW + 5)])
    [found] = (await with_runs.get_services("default").by_run.page(FeedbackQuery())).rows
    assert (len(found.feedback), found.omitted) == (MAX_OF_ROW, 5)


async def test_reasons_are_counted_filtered_and_follow_changes(client: App) -> None:
    url = await mint(client)

    async def send(user: str, reasons: Any) -> None:
        body = {"score": 0, "user_id": user, "metadata": {"reasons": reasons}}
        assert (await client.post(url, json=body)).status_code == 200

    async def counted() -> dict[str, int]:
        found = (await client.get("/api/v1/feedback/reasons")).json()
        return {one["reason"]: one["count"] for one in found}

    await send("ada", ["Wrong", "Too long", "Wrong", 7, {"a": 1}])
    await send("bob", ["Wrong"])
    await send("eve", "Wrong")
    await send("dan", ["é" * 5000])
    assert await counted() == {"Wrong": 2, "Too long": 1, "é" * 200: 1}
    found = (await client.get("/api/v1/feedback/search", params={"reason": "Too long"})).json()["feedback"]
    assert [one["feedback_source"]["user_id"] for one in found] == ["ada"]
    await send("ada", ["Too slow"])
    await client.delete(f"/feedback/{found[0]['id']}")
    assert await counted() == {"Wrong": 1, "é" * 200: 1}
    text = (await client.get("/api/v1/feedback/export", params={"format": "csv", "reason": "Wrong"})).text
    assert ",Wrong,\r\n" in text


async def test_response_rate_is_of_minted_urls(client: App) -> None:
    urls = [await mint(client) for _ in range(4)]
    await mint(client, "other")
    for url in (urls[0], urls[0], urls[2]):
        await client.post(url, json={"score": 1})
    await client.post("/feedback", json={"key": "user_score", "score": 1})
    found = {one["key"]: one for one in (await client.get("/api/v1/feedback/response-rates")).json()}
    assert {key: (one["minted"], one["with_feedback"], one["rate"]) for key, one in found.items()} == {
        "user_score": (4, 2, 0.5),
        "other": (1, 0, 0.0),
    }
    since = {"since": "2020-01-01T00:00:00Z"}
    assert len((await client.get("/api/v1/feedback/response-rates", params=since)).json()) == 2
    later = {"since": "2999-01-01T00:00:00Z"}
    assert (await client.get("/api/v1/feedback/response-rates", params=later)).json() == []


async def test_dataset_is_filled_filtered_and_emptied(client: App) -> None:
    url = await mint(client)
    ids = [(await client.post(url, json={"score": 1})).json()["id"] for _ in range(3)]
    path = "/api/v1/feedback/datasets/good ones"
    assert (await client.put(path, json={"ids": [*ids[:2], str(uuid.uuid4())]})).json() == {"changed": 2}
    assert (await client.put(path, json={"ids": ids[:1]})).json() == {"changed": 0}
    found = (await client.get("/api/v1/feedback/search", params={"dataset": "good ones"})).json()["feedback"]
    assert {one["id"] for one in found} == set(ids[:2])
    await client.delete(f"/feedback/{ids[0]}")
    [listed] = (await client.get("/api/v1/feedback/datasets")).json()
    assert (listed["name"], listed["count"]) == ("good ones", 1)
    assert (await client.delete(path, params={"id": ids[2]})).json() == {"changed": 0}
    assert (await client.delete(path)).json() == {"changed": 1}
    assert (await client.get("/api/v1/feedback/datasets")).json() == []
    assert (await client.put(path, json={"ids": []})).status_code == 422


async def test_many_reviews_change_at_once(client: App) -> None:
    url = await mint(client)
    ids = [(await client.post(url, json={"score": 1})).json()["id"] for _ in range(3)]
    await client.put(f"/api/v1/feedback/{ids[0]}/review", json={"status": "seen", "note": "kept"})
    update = {"ids": [*ids, str(uuid.uuid4())], "status": "done", "assignee": "ada", "reviewer": "bob"}
    assert (await client.put("/api/v1/feedback/reviews", json=update)).json() == {"changed": 3}
    assert (await client.put("/api/v1/feedback/reviews", json=update)).json() == {"changed": 0}
    review = (await client.get(f"/api/v1/feedback/{ids[0]}/review")).json()
    assert (review["status"], review["note"], review["assignee"], review["reviewer"]) == ("done", "kept", "ada", "bob")
    assert [entry["status"] for entry in review["log"]] == ["done", "seen"]
    assert (await client.get("/api/v1/feedback/count", params={"assignee": "ada"})).json() == {"count": 3}
    freed = {"ids": ids[:1], "assignee": None}
    assert (await client.put("/api/v1/feedback/reviews", json=freed)).json() == {"changed": 1}
    assert (await client.get("/api/v1/feedback/count", params={"assignee": "ada"})).json() == {"count": 2}


async def test_alert_rule_is_created_found_and_deleted(client: App) -> None:
    url = await mint(client)
    for _ in range(5):
        await client.post(url, json={"score": 0})
    rule = {"key": "user_score", "below": 0.7, "enough": 5}
    created = (await client.post("/api/v1/feedback/alert-rules", json=rule)).json()
    assert created["rule"] == "user_score below 0.7 in 24h of 5"
    assert [(one["finding"]["share"], one["finding"]["is_bad"]) for one in created["alerts"]] == [(0.0, True)]
    assert (await client.post("/api/v1/feedback/alert-rules", json=rule)).status_code == 409
    [listed] = (await client.get("/api/v1/feedback/alert-rules")).json()
    assert listed["id"] == created["id"]
    assert (await client.delete(f"/api/v1/feedback/alert-rules/{created['id']}")).status_code == 204
    assert (await client.delete(f"/api/v1/feedback/alert-rules/{created['id']}")).status_code == 404
    assert (await client.get("/api/v1/feedback/alert-rules")).json() == []


@pytest.mark.parametrize(
    "body",
    [
        {"key": "k"},
        {"key": "k", "below": 7},
        {"key": "k", "below": 0.5, "mean_below": 3},
        {"key": "", "below": 0.5},
        {"key": "k", "compares_versions": True, "hours": 0},
    ],
)
async def test_wrong_alert_rule_is_refused(client: App, body: dict[str, Any]) -> None:
    assert (await client.post("/api/v1/feedback/alert-rules", json=body)).status_code == 422
