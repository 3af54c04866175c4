"""Statistics say what people think, of which version, and how sure that is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from litestar import Litestar
from litestar.testing import AsyncTestClient

from feedback import FeedbackPlugin
from feedback.errors import Invalid
from feedback.reports.confidence import newcombe, wilson
from feedback.reports.query import FeedbackQuery
from tests.feedback.answers import NOON, configure, keep, row
from tests.feedback.conftest import mint

App = AsyncTestClient[Litestar]
counts = some.integers(1, 10**6).flatmap(lambda n: some.tuples(some.integers(0, n), some.just(n)))


def rounded(interval: Any, places: int = 4) -> tuple[float, float]:
    return round(interval.low, places), round(interval.high, places)


@pytest.mark.parametrize(
    ("positives", "count", "expected"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_wilson_interval_is_as_published(positives: int, count: int, expected: tuple[float, float]) -> None:
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3
    assert rounded(wilson(positives, count)) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [((48, 80), (56, 70), (0.0524, 0.3339)), ((3, 10), (9, 10), (0.1705, 0.8090)), ((0, 10), (10, 10), (0.6075, 1.0))],
)
def test_newcombe_interval_is_as_published(
    one: tuple[int, int], other: tuple[int, int], expected: tuple[float, float]
) -> None:
    # Newcombe, "Interval estimation for the difference between independent proportions", 1998, table II, method 10
    assert rounded(newcombe(*one, *other)) == expected


@given(counts, counts)
def test_intervals_hold_what_was_seen(one: tuple[int, int], other: tuple[int, int]) -> None:
    low, high = (lambda found: (found.low, found.high))(wilson(*one))
    assert 0 <= low <= one[0] / one[1] <= high <= 1
    difference = newcombe(*one, *other)
    assert -1 <= difference.low <= other[0] / other[1] - one[0] / one[1] <= difference.high <= 1


def test_no_answers_leave_everything_possible() -> None:
    assert rounded(wilson(0, 0)) == (0, 1)
    assert rounded(newcombe(0, 0, 5, 5)) == (-1, 1)


async def test_answers_are_counted_by_key_assistant_version_and_day(service: FeedbackPlugin) -> None:
    first = {"assistant_id": "a", "assistant_version": 1}
    await keep(
        service,
        [
            row(1, **first),
            row(0, **first),
            row(1, **first, at=NOON + timedelta(hours=11, minutes=59)),
            row(1, **first, at=NOON + timedelta(hours=12)),
            row(1, assistant_id="a", assistant_version=2),
            row(None, comment="words", key="text"),
        ],
    )
    found = await service.statistics.groups(FeedbackQuery(), ("assistant", "version", "day"), enough=3)
    shown = [(s.day, s.assistant_version, s.key, s.answers, s.scores, s.positives, s.is_enough) for s in found]
    assert set(shown) == {
        ("2026-03-02", 1, "thumbs", 1, 1, 1, False),
        ("2026-03-01", 2, "thumbs", 1, 1, 1, False),
        ("2026-03-01", 1, "thumbs", 3, 3, 2, True),
        ("2026-03-01", None, "text", 1, 0, 0, False),
    }
    assert shown[0][0] == "2026-03-02"
    [text] = [statistic for statistic in found if statistic.key == "text"]
    assert (text.mean, text.share, rounded(text.interval)) == (None, None, (0, 1))
    [all_thumbs] = await service.statistics.groups(FeedbackQuery(key=["thumbs"]))
    assert (all_thumbs.answers, all_thumbs.mean, all_thumbs.share, all_thumbs.day) == (5, 0.8, 0.8, None)
    assert all_thumbs.interval == wilson(4, 5)


async def test_positive_follows_the_keys_range_and_direction(service: FeedbackPlugin) -> None:
    await configure(service, "stars", {"type": "continuous", "min": 1, "max": 5})
    await configure(service, "disliked", {"type": "continuous", "min": 0, "max": 1}, lower=True)
    grades = [{"value": 0, "label": "bad"}, {"value": 10, "label": "good"}]
    await configure(service, "grade", {"type": "categorical", "categories": grades})
    scores = {"stars": [2, 3, 4, 5], "disliked": [1, 0, 0], "grade": [0, 10], "thumbs": [1, -1, 0]}
    await keep(service, [row(score, key=key) for key, said in scores.items() for score in said])
    found = {
        s.key: (s.positives, s.scores, s.is_lower_score_better)
        for s in await service.statistics.groups(FeedbackQuery())
    }
    assert found == {
        "stars": (2, 4, False),
        "disliked": (2, 3, True),
        "grade": (1, 2, False),
        "thumbs": (1, 3, False),
    }


@pytest.mark.parametrize(
    ("good", "of", "verdict"),
    [(55, 60, "better"), (5, 60, "worse"), (31, 60, "no difference shown"), (9, 9, "too few answers")],
)
async def test_versions_differ_where_the_interval_says_so(
    service: FeedbackPlugin, good: int, of: int, verdict: str
) -> None:
    def version(number: int, positives: int, count: int) -> list[dict[str, Any]]:
        scores = [1] * positives + [0] * (count - positives)
        return [row(score, assistant_id="a", assistant_version=number) for score in scores]

    await keep(service, version(1, 30, 60) + version(2, good, of) + version(3, 60, 60))
    found = await service.statistics.comparison(FeedbackQuery(key=["thumbs"], assistant=["a"]), 1, 2)
    assert (found.baseline.scores, found.candidate.scores, found.verdict) == (60, of, verdict)
    assert found.difference == pytest.approx(good / of - 0.5)
    assert found.interval == newcombe(30, 60, good, of)


async def test_key_whose_name_says_so_is_better_when_lower_until_it_is_configured(client: App) -> None:
    for key, score in (("user_disliked", 1), ("user_disliked", 0), ("user_disliked", 1), ("user_liked", 1)):
        await client.post(await mint(client, key), json={"score": score})

    async def counted() -> dict[str, Any]:
        found = (await client.get("/api/v1/feedback/statistics")).json()
        return {one["key"]: (one["positives"], one["is_lower_score_better"]) for one in found}

    assert await counted() == {"user_disliked": (1, True), "user_liked": (1, False)}
    shown = (await client.get("/api/v1/feedback/search", params={"key": "user_disliked"})).json()["feedback"]
    assert [one["is_positive"] for one in shown] == [False, True, False]
    config = {"feedback_key": "user_disliked", "feedback_config": {"type": "continuous", "min": 0, "max": 1}}
    assert (await client.post("/feedback-configs", json=config)).json()["is_lower_score_better"] is True
    await client.patch("/feedback-configs", json={"feedback_key": "user_disliked", "is_lower_score_better": False})
    assert (await counted())["user_disliked"] == (2, False)


async def test_lower_is_better_turns_the_verdict(service: FeedbackPlugin) -> None:
    await configure(service, "seconds", {"type": "continuous", "min": 0, "max": 10}, lower=True)
    await keep(service, [row(9, key="seconds", assistant_id="a", assistant_version=1) for _ in range(30)])
    await keep(service, [row(1, key="seconds", assistant_id="a", assistant_version=2) for _ in range(30)])
    found = await service.statistics.comparison(FeedbackQuery(key=["seconds"], assistant=["a"]), 1, 2)
    assert (found.verdict, found.is_lower_score_better) == ("better", True)


async def test_more_groups_than_asked_for_are_refused_rather_than_cut(service: FeedbackPlugin) -> None:
    await keep(service, [row(key=f"key {at}") for at in range(4)])
    with pytest.raises(Invalid, match="more than 3 groups"):
        await service.statistics.groups(FeedbackQuery(), limit=3)


async def test_statistics_over_http(client: App) -> None:
    url = await mint(client)
    for score in (1, 1, 0):
        await client.post(url, json={"score": score})
    [found] = (await client.get("/api/v1/feedback/statistics", params={"by": ["day", "version"]})).json()
    assert (found["key"], found["answers"], found["positives"], found["is_enough"]) == ("user_score", 3, 2, False)
    assert found["interval"]["low"] == pytest.approx(0.2077, abs=1e-4)
    query = {"key": "user_score", "assistant": "a", "baseline": 1, "candidate": 2}
    compared = (await client.get("/api/v1/feedback/comparison", params=query)).json()
    assert (compared["verdict"], compared["difference"]) == ("too few answers", None)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("statistics", {"by": "month"}),
        ("statistics", {"enough": 0}),
        ("statistics", {"limit": 100_000}),
        ("comparison", {"baseline": 1, "candidate": 2}),
        ("comparison", {"baseline": 1, "candidate": "new", "key": "k", "assistant": "a"}),
        ("comparison", {"candidate": 2, "key": "k", "assistant": "a"}),
    ],
)
async def test_statistics_that_cannot_be_are_refused(client: App, path: str, query: dict[str, Any]) -> None:
    answer = await client.get(f"/api/v1/feedback/{path}", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
