"""Statistics: scores by key and version, with their confidence intervals."""

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
from feedback.reports.comparison import compare
from feedback.reports.confidence import Moments, _t95, mean_interval, newcombe, welch, wilson
from feedback.reports.query import FeedbackQuery
from tests.feedback.conftest import mint
from tests.feedback.stored_feedback import NOON, configure, insert, row

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


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)]
)
def test_student_quantiles_are_as_published(freedom: int, quantile: float) -> None:
    assert _t95(freedom) == pytest.approx(quantile, rel=2e-3)


def test_intervals_of_means_hold_the_means() -> None:
    one, other = Moments(10, 3.0, 12.0), Moments(12, 4.0, 9.0)
    assert rounded(mean_interval(one)) == (2.174, 3.826)
    assert mean_interval(one, 1, 5) == mean_interval(one)
    assert mean_interval(Moments(1, 3.0, 0.0)) is None
    difference = welch(one, other)
    assert difference is not None
    assert difference.low < 1 < difference.high
    assert rounded(difference) == (0.0526, 1.9474)


def test_no_feedback_leaves_the_widest_interval() -> None:
    assert rounded(wilson(0, 0)) == (0, 1)
    assert rounded(newcombe(0, 0, 5, 5)) == (-1, 1)


async def test_statistics_group_by_key_assistant_version_and_day(service: FeedbackPlugin) -> None:
    first = {"assistant_id": "a", "assistant_version": 1}
    await insert(
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
    found = await service.default.statistics.groups(FeedbackQuery(), ("assistant", "version", "day"), enough=3)
    shown = [(s.day, s.assistant_version, s.key, s.count, s.scores, s.positives, s.is_enough) for s in found]
    assert set(shown) == {
        ("2026-03-02", 1, "thumbs", 1, 1, 1, False),
        ("2026-03-01", 2, "thumbs", 1, 1, 1, False),
        ("2026-03-01", 1, "thumbs", 3, 3, 2, True),
        ("2026-03-01", None, "text", 1, 0, 0, False),
    }
    assert shown[0][0] == "2026-03-02"
    [text] = [statistic for statistic in found if statistic.key == "text"]
    assert (text.mean, text.share, rounded(text.interval)) == (None, None, (0, 1))
    [all_thumbs] = await service.default.statistics.groups(FeedbackQuery(key=["thumbs"]))
    assert (all_thumbs.count, all_thumbs.mean, all_thumbs.share, all_thumbs.day) == (5, 0.8, 0.8, None)
    assert all_thumbs.interval == wilson(4, 5)


async def test_models_never_enter_the_shares_of_people(service: FeedbackPlugin) -> None:
    await insert(service, [row(1, source="app"), row(0, source="model"), row(0, source="model")])
    for query in (FeedbackQuery(), FeedbackQuery(since="2026-03-01T11:00:00Z")):  # counts by day, and rows
        [people] = await service.default.statistics.groups(query)
        assert (people.count, people.share) == (1, 1.0)
        apart = {one.source: one.count for one in await service.default.statistics.groups(query, ("source",))}
        assert apart == {"app": 1, "model": 2}
    [models] = await service.default.statistics.groups(FeedbackQuery(source=["model"]))
    assert (models.count, models.share) == (2, 0.0)
    await insert(service, [row(1, key="faithfulness", source="model")])
    [judged] = await service.default.statistics.groups(FeedbackQuery(key=["faithfulness"]))
    assert judged.count == 1, "a feedback key that only models use has no share of people"


async def test_positive_follows_the_kind_of_the_key(service: FeedbackPlugin) -> None:
    await configure(service, "stars", {"type": "continuous", "min": 1, "max": 5})
    await configure(service, "disliked", {"type": "continuous", "min": 0, "max": 1}, lower=True)
    grades = [{"value": 0, "label": "bad", "is_positive": False}, {"value": 10, "label": "good", "is_positive": True}]
    await configure(service, "grade", {"type": "categorical", "categories": grades})
    await configure(service, "tone", {"type": "categorical", "categories": [{"value": at} for at in range(3)]})
    scores = {
        "stars": [2, 3, 4, 5], "disliked": [1, 0, 0], "grade": [0, 10, 10], "tone": [0, 1, 2], "thumbs": [1, -1, 0],
        "rated": [1, 2, 1, 2], "faithfulness": [0.9, 0.25], "latency_ms": [120, 950.5], "user_disliked": [1, 1, 0],
        "csat_stars": [1, 1], "said": [None],
    }  # fmt: skip
    await insert(service, [row(score, key=key) for key, given in scores.items() for score in given])
    found = {one.key: one for one in await service.default.statistics.groups(FeedbackQuery())}
    assert {key: (one.kind, one.is_kind_inferred, one.positives, one.negatives) for key, one in found.items()} == {
        "stars": ("rating", False, 2, 1),
        "disliked": ("reversed_thumbs", True, 2, 1),
        "grade": ("category", False, 2, 1),
        "tone": ("category", False, 0, 0),
        "thumbs": ("thumbs", True, 1, 1),
        "rated": ("rating", True, 0, 0),
        "faithfulness": ("rating", True, 0, 0),
        "latency_ms": ("number", True, 0, 0),
        "user_disliked": ("reversed_thumbs", True, 1, 2),
        "csat_stars": ("rating", True, 0, 0),
        "said": ("text", True, 0, 0),
    }
    assert {key for key, one in found.items() if one.share is None} == {
        "tone", "rated", "faithfulness", "latency_ms", "csat_stars", "said"
    }  # fmt: skip
    assert (found["rated"].low, found["rated"].high, found["faithfulness"].high) == (1, 5, 1)
    assert found["user_disliked"].negative_share == pytest.approx(2 / 3)


async def test_kind_of_a_minted_scale_is_known(client: App) -> None:
    url = await mint(client, "stars", feedback_config={"type": "continuous", "min": 1, "max": 5})
    await client.post(url, json={"score": 1})
    [found] = (await client.get("/api/v1/feedback/statistics")).json()
    assert (found["kind"], found["is_kind_inferred"], found["share"], found["high"]) == ("rating", False, 0.0, 5.0)


async def test_named_kind_and_direction_win(client: App) -> None:
    config = {"type": "continuous", "min": 1, "max": 5, "kind": "rating", "direction": "none", "title": "Length"}
    created = await client.post("/feedback-configs", json={"feedback_key": "length", "feedback_config": config})
    assert created.json()["feedback_config"] == config
    url = await mint(client, "length")
    await client.post(url, json={"score": 5})
    [found] = (await client.get("/api/v1/feedback/statistics")).json()
    assert (found["kind"], found["has_direction"], found["title"]) == ("rating", False, "Length")
    turn = {"feedback_key": "length", "feedback_config": {**config, "direction": "lower"}}
    assert (await client.patch("/feedback-configs", json=turn)).json()["is_lower_score_better"] is True
    [found] = (await client.get("/api/v1/feedback/statistics")).json()
    assert (found["has_direction"], found["negatives"]) == (True, 1)


async def test_mean_has_an_interval_despite_extreme_scores(service: FeedbackPlugin) -> None:
    extreme = {"huge": [1e308, 1e308, -1e308], "tiny": [1e-300, 5e-324, 1e-200], "mixed": [1e200, 2, 4]}
    rows = [row(score, key=key) for key, scores in extreme.items() for score in scores]
    await insert(service, [*rows, *(row(score, key="rated") for score in (1, 2, 4, 5, 3))])
    found = {one.key: one for one in await service.default.statistics.groups(FeedbackQuery())}
    assert (found["huge"].mean, found["huge"].scores, found["mixed"].mean) == (None, 3, 3)
    assert found["tiny"].mean == pytest.approx(0)
    assert found["rated"].mean == 3
    assert rounded(found["rated"].mean_interval, 2) == (1.04, 4.96), "3 ± 2.776 · 1.581 / √5"
    assert [one.key for one in await service.default.distributions.compute(FeedbackQuery(key=list(extreme)))] == list(
        extreme
    )


async def test_bounds_of_a_number_limit_its_interval(service: FeedbackPlugin) -> None:
    await configure(service, "cost", {"type": "continuous", "min": 0, "kind": "number"})
    await insert(service, [row(score, key="cost") for score in (0.2, 0.3, 9)])
    [found] = await service.default.statistics.groups(FeedbackQuery())
    assert found.mean_interval is not None
    assert (found.kind, found.low, found.high, found.mean_interval.low) == ("number", 0, None, 0)
    assert found.mean_interval.high > 9


async def test_weeks_and_months_are_their_days_together(service: FeedbackPlugin) -> None:
    days = [0, 0, 1, 8, 30, 31, 62]
    await insert(service, [row(at % 2, at=NOON + timedelta(days=day)) for at, day in enumerate(days)])
    for by, first in (("week", ["2026-04-27", "2026-03-30", "2026-03-09", "2026-03-02", "2026-02-23"]),
                      ("month", ["2026-05-01", "2026-04-01", "2026-03-01"])):  # fmt: skip
        found = await service.default.statistics.groups(FeedbackQuery(), (by,))  # type: ignore[arg-type]
        assert [getattr(one, by) for one in found] == first
        assert sum(one.scores for one in found) == len(days)
        assert sum(one.positives for one in found) == 3
    with pytest.raises(Invalid, match="name one of them"):
        await service.default.statistics.groups(FeedbackQuery(), ("day", "week"))


async def test_distribution_counts_each_step_label_and_bin(service: FeedbackPlugin) -> None:
    tone = [{"value": 0, "label": "Too formal"}, {"value": 1, "label": "Just right", "is_positive": True}]
    await configure(service, "tone", {"type": "categorical", "categories": tone, "allows_multiple_categories": True})
    await insert(service, [row(1, key="tone"), row(None, key="tone", value={"labels": ["a", "b"], "values": [0, 1]})])
    await insert(service, [row(score, key="stars") for score in (1, 5, 5)])
    await insert(service, [row(score / 7, key="latency") for score in range(1000)])
    await insert(service, [row(None, key="said", value="slow"), row(None, key="said", value="slow")])
    found = {one.key: one for one in await service.default.distributions.compute(
        FeedbackQuery(key=["tone", "stars", "latency", "said", "none"]))}  # fmt: skip
    assert [(one.label, one.count, one.is_positive) for one in found["tone"].buckets] == [
        ("Too formal", 1, None), ("Just right", 2, True)
    ]  # fmt: skip
    assert [(one.low, one.count) for one in found["stars"].buckets] == [(1, 1), (2, 0), (3, 0), (4, 0), (5, 2)]
    latency = found["latency"]
    assert (len(latency.buckets), sum(one.count for one in latency.buckets), latency.scores) == (20, 1000, 1000)
    assert latency.quartiles is not None
    assert latency.quartiles.median == pytest.approx(499 / 7)
    assert [(one.label, one.count) for one in found["said"].buckets] == [("slow", 2)]
    assert found["none"].buckets == []


@pytest.mark.parametrize(
    ("good", "of", "verdict"),
    [(55, 60, "better"), (5, 60, "worse"), (31, 60, "no difference shown"), (9, 9, "too few scores")],
)
async def test_versions_differ_where_the_interval_says_so(
    service: FeedbackPlugin, good: int, of: int, verdict: str
) -> None:
    def version(number: int, positives: int, count: int) -> list[dict[str, Any]]:
        scores = [1] * positives + [0] * (count - positives)
        return [row(score, assistant_id="a", assistant_version=number) for score in scores]

    await insert(service, version(1, 30, 60) + version(2, good, of) + version(3, 60, 60))
    found = await compare(service.default.statistics, FeedbackQuery(key=["thumbs"], assistant=["a"]), 1, 2)
    assert (found.baseline.scores, found.candidate.scores, found.verdict) == (60, of, verdict)
    assert found.difference == pytest.approx(good / of - 0.5)
    assert found.interval == newcombe(30, 60, good, of)


async def test_keys_name_implies_direction_until_it_is_configured(client: App) -> None:
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
    await insert(service, [row(9, key="seconds", assistant_id="a", assistant_version=1) for _ in range(30)])
    await insert(service, [row(1, key="seconds", assistant_id="a", assistant_version=2) for _ in range(30)])
    found = await compare(service.default.statistics, FeedbackQuery(key=["seconds"], assistant=["a"]), 1, 2)
    assert (found.verdict, found.is_lower_score_better) == ("better", True)


async def test_too_many_groups_are_refused(service: FeedbackPlugin) -> None:
    await insert(service, [row(key=f"key {at}") for at in range(4)])
    with pytest.raises(Invalid, match="more than 3 groups"):
        await service.default.statistics.groups(FeedbackQuery(), limit=3)


async def test_statistics_over_http(client: App) -> None:
    url = await mint(client)
    for score in (1, 1, 0):
        await client.post(url, json={"score": score})
    [found] = (await client.get("/api/v1/feedback/statistics", params={"by": ["day", "version"]})).json()
    assert (found["key"], found["count"], found["positives"], found["is_enough"]) == ("user_score", 3, 2, False)
    assert found["interval"]["low"] == pytest.approx(0.2077, abs=1e-4)
    query = {"key": "user_score", "assistant": "a", "baseline": 1, "candidate": 2}
    compared = (await client.get("/api/v1/feedback/comparison", params=query)).json()
    assert (compared["verdict"], compared["difference"]) == ("too few scores", None)


WRONG_STATISTICS: list[tuple[str, dict[str, Any]]] = [
    ("statistics", {"by": "year"}),
    ("statistics", {"by": ["day", "month"]}),
    ("distribution", {}),
    ("statistics", {"enough": 0}),
    ("statistics", {"limit": 100_000}),
    ("comparison", {"baseline": 1, "candidate": 2}),
    ("comparison", {"baseline": 1, "candidate": "new", "key": "k", "assistant": "a"}),
    ("comparison", {"candidate": 2, "key": "k", "assistant": "a"}),
]


async def test_statistics_that_cannot_be_are_refused(client: App, subtests: pytest.Subtests) -> None:
    for path, query in WRONG_STATISTICS:
        with subtests.test(path=path, query=query):
            response = await client.get(f"/api/v1/feedback/{path}", params=query)
            assert (response.status_code, response.json()["code"]) == (422, "invalid")


@pytest.mark.parametrize("period", ["day", "week", "month"])
async def test_total_counts_all_periods_at_once(service: FeedbackPlugin, period: Any) -> None:
    await insert(service, [row(at % 2, at=NOON + timedelta(days=at * 5), source="app") for at in range(12)])
    query = FeedbackQuery()
    totals = await service.default.statistics.groups(query, ["source"])
    periods = await service.default.statistics.groups(query, ["source", period])
    assert len(periods) > 1
    assert await service.default.statistics.groups(query, ["source", period], total=True) == [*totals, *periods]
    assert await service.default.statistics.groups(query, ["source"], total=True) == totals
