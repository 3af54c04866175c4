"""The counts by day equal the counts of the rows after every change."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from feedback import FeedbackPlugin
from feedback.records.reviews import ReviewUpdate
from feedback.reports.query import FeedbackQuery
from feedback.reports.stats import Dimension
from tests.feedback.conftest import mint, stored
from tests.feedback.stored_feedback import NOON, configure, insert, row

ALL: tuple[Dimension, ...] = ("assistant", "version", "day", "status", "source")
COUNTED = "SELECT CAST(COALESCE(SUM(weight), 0) AS BIGINT) AS answers, COUNT(*) AS rows FROM feedback_by_day"


async def counted(service: FeedbackPlugin, by: tuple[Dimension, ...] = (), **query: Any) -> list[tuple[Any, ...]]:
    """Return the statistics: counts, scores, positives and mean of each group."""
    return [
        (one.key, one.day, one.review_status, one.count, one.scores, one.positives, one.mean)
        for one in await service.default.statistics.groups(FeedbackQuery(**query), by)
    ]


async def test_daily_counts_equal_individual_counts(service: FeedbackPlugin) -> None:
    await configure(service, "stars", {"type": "continuous", "min": 1, "max": 5})
    about = [{"assistant_id": "a", "assistant_version": 1}, {"assistant_id": "a", "assistant_version": 2}, {}]
    await insert(
        service,
        [
            row(
                score,
                key=key,
                at=NOON + timedelta(hours=hours),
                comment="words" if hours % 3 else None,
                source=("api", "app", "model")[hours % 3],
                **about[hours % 3],
            )
            for hours in range(0, 96, 7)
            for key, score in (("stars", hours % 5 + 1), ("thumbs", hours % 2), ("said", None))
        ],
    )
    days = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-04T00:00:00Z"}
    for query in (
        {}, days, {"key": ["stars"]}, {"assistant": ["a"], "version": [2]}, {"min_score": 1, "max_score": 3},
        {"has_comment": True}, {"has_comment": False, "has_score": False}, {"status": ["new"]}, {"status": ["done"]},
        {"source": ["app", "model"]},
    ):  # fmt: skip
        assert FeedbackQuery(**query).asks_for_days
        one_by_one = {**query, "has_correction": False}
        assert not FeedbackQuery(**one_by_one).asks_for_days
        assert await counted(service, ALL, **query) == await counted(service, ALL, **one_by_one), query


async def test_whole_days_are_read_from_the_counts_alone(service: FeedbackPlugin) -> None:
    await insert(service, [row()])
    await service.database.write(lambda db: db.execute("UPDATE feedback_day SET answers = 1000000"))
    assert [one[3] for one in await counted(service, ALL, key=["thumbs"], since="2026-03-01T00:00:00Z")] == [1_000_000]


async def test_part_of_a_day_is_counted_individually(service: FeedbackPlugin) -> None:
    await insert(service, [row(at=NOON + timedelta(hours=hours)) for hours in range(4)])
    [found] = await counted(service, since="2026-03-01T14:00:00Z")
    assert found[3] == 2


async def test_changed_retracted_and_erased_feedback_is_counted_currently(
    client: AsyncTestClient[Litestar],
) -> None:
    async def now() -> list[tuple[Any, ...]]:
        found = (await client.get("/api/v1/feedback/statistics", params={"by": "status"})).json()
        return [(one["review_status"], one["count"], one["positives"]) for one in found]

    url = await mint(client)
    feedback_id = (await client.post(url, json={"score": 1, "user_id": "ada"})).json()["id"]
    await client.post(url, json={"score": 1, "user_id": "bob"})
    assert await now() == [("new", 2, 2)]
    await client.put(f"/api/v1/feedback/{feedback_id}/review", json={"status": "done"})
    assert sorted(await now()) == [("done", 1, 1), ("new", 1, 1)]
    await client.post(url, json={"score": 0, "user_id": "ada"})
    assert await now() == [("new", 2, 1)]
    await client.patch(f"/api/v1/feedback/{feedback_id}", json={"score": None, "comment": "no score now"})
    assert await now() == [("new", 2, 1)]
    await client.delete(f"/api/v1/feedback/{feedback_id}")
    assert await now() == [("new", 1, 1)]
    await client.post("/api/v1/feedback/erasures", json={"subject": "bob"})
    assert await now() == []
    assert await stored(client) == []


async def test_no_counts_are_left_without_feedback(service: FeedbackPlugin) -> None:
    await insert(service, [row(at / 10, subject="ada", comment="x" if at % 2 else None) for at in range(20)])
    await service.default.erasure.erase_subject("ada")
    assert await service.database.read(lambda db: db.one(COUNTED)) == {"answers": 0, "rows": 0}


async def test_equal_feedback_erased_together_is_discounted(service: FeedbackPlugin) -> None:
    await insert(service, [row(1, subject="ada" if at % 3 else None) for at in range(60)])
    assert (await service.default.erasure.erase_subject("ada")).feedback == 40
    found = await service.database.read(lambda db: db.one(COUNTED))
    assert found is not None
    assert found["answers"] == 20


async def test_concurrent_changes_are_all_counted(service: FeedbackPlugin) -> None:
    rows = [[row(at % 2, comment=None if at % 3 else "x") for at in range(5)] for _ in range(12)]
    await asyncio.gather(*(insert(service, some) for some in rows))
    going = [one["id"] for some in rows for one in some[:2]]
    seen = [one["id"] for some in rows for one in some[2:4]]
    await asyncio.gather(
        *(service.default.store.delete(name) for name in going),
        *(service.default.reviews.set(name, ReviewUpdate("seen")) for name in seen),
    )
    found = {one[2]: one[3] for one in await counted(service, ("status",))}
    assert found == {"new": 12, "seen": 24}


@pytest.mark.parametrize(
    "query",
    [{"min_score": 9}, {"version": [7]}, {"has_comment": True}, {"has_score": False}, {"max_score": 0, "version": [3]}],
)
async def test_search_reads_only_days_with_feedback(service: FeedbackPlugin, query: dict[str, Any]) -> None:
    wanted = row(9, assistant_version=7, comment="x")
    none = row(None, assistant_version=3, at=NOON - timedelta(days=30))
    zero = row(0, assistant_version=3, at=NOON - timedelta(days=9))
    await insert(
        service, [wanted, none, zero, *(row(1, assistant_version=1, at=NOON - timedelta(days=at)) for at in range(5))]
    )
    everything = await service.default.reader.page(FeedbackQuery(), 1000)
    found = await service.default.reader.page(FeedbackQuery(**query), 1000)
    one_by_one = await service.default.reader.page(FeedbackQuery(**query, has_correction=False), 1000)
    assert [one.id for one in found.feedback] == [one.id for one in one_by_one.feedback]
    assert 0 < len(found.feedback) < len(everything.feedback)
    assert (await service.default.reader.page(FeedbackQuery(min_score=100))).feedback == []
