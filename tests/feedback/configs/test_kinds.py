"""Kinds of feedback keys: statistics, exports, alerts and lists count a score as positive only by the key's rules."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from msgspec import structs

from agent_server.database import open_database
from feedback import AlertRule, FeedbackPlugin, RunFacts
from feedback.configs.feedback_config import FeedbackConfig
from feedback.configs.kinds import SeenScores, find_kind
from feedback.errors import Invalid
from feedback.reports.alerts import Alerts
from feedback.reports.query import FeedbackQuery
from tests.feedback.stored_feedback import configure, insert, row

SCORES = (-1, 0, 0.25, 0.5, 1, 2, 3, 4, 5, 7, 10, 640.5)
CATEGORIES = [{"value": 0, "label": "Too formal"}, {"value": 1, "label": "Just right", "is_positive": True},
              {"value": 2, "label": "Too casual", "is_positive": False}]  # fmt: skip
CONFIGS: list[dict[str, Any] | None] = [
    None,
    {"type": "freeform"},
    {"type": "continuous"},
    {"type": "continuous", "min": 1, "max": 5},
    {"type": "continuous", "min": 0, "max": 1},
    {"type": "continuous", "min": 0, "max": 10, "direction": "none"},
    {"type": "continuous", "min": 0, "kind": "number"},
    {"type": "categorical", "categories": CATEGORIES},
    {"type": "categorical", "categories": [{"value": at} for at in range(6)]},
    {"type": "categorical", "categories": [{"value": at} for at in range(1, 6)], "kind": "rating"},
    {"type": "continuous", "min": 0, "max": 1, "kind": "thumbs"},
]
NAMES = ("score", "stars", "user_disliked")
keys = some.tuples(some.sampled_from(NAMES), some.sampled_from(CONFIGS), some.booleans(),
                   some.lists(some.sampled_from(SCORES), min_size=2, max_size=8))  # fmt: skip
numbered = count()


async def echo(run_id: str) -> RunFacts:
    """Return a run whose output is its own id, so that its example is recognizable."""
    return RunFacts(run_id, input={"question": "Who?"}, output=run_id)


@pytest.fixture
async def with_runs(database_url: str) -> AsyncIterator[FeedbackPlugin]:
    """Open the service beside a server that has every run."""
    async with FeedbackPlugin(open_database(database_url), run_lookup=echo).open() as plugin:
        yield plugin


def expected(name: str, config: dict[str, Any] | None, lower: bool, scores: list[float], score: float) -> bool | None:
    """Return whether the score is positive, computed from the documented rules instead of the code."""
    config = config or {}
    are_thumbs = all(one in (-1, 0, 1) for one in scores)
    if config.get("type") == "categorical" and config.get("kind") is None:
        return next((one.get("is_positive") for one in config["categories"] if one["value"] == score), None)
    if config.get("direction") == "none" or config.get("kind") == "number":
        return None
    low, high = config.get("min"), config.get("max")
    if config.get("kind") == "rating":
        low, high = 1, 5
    if low is None or high is None:
        if not are_thumbs or (name == "stars" and -1 not in scores):
            return None
        low, high = (-1 if -1 in scores else 0), 1
    elif (low, high) == (0, 1) and -1 in scores and (are_thumbs or config.get("kind") == "thumbs"):
        low = -1
    middle = (low + high) / 2
    return None if score == middle else (score > middle) != lower


@pytest.mark.parametrize(
    ("key", "scores", "scale"),
    [
        ("tone", (0, 1, 2), (0, 2)),
        ("tone", (0, 5), (0, 5)),
        ("tone", (1, 4), (1, 5)),
        ("tone", (0, 6), (0, 10)),
        ("nps", (0, 3), (0, 10)),
    ],
)
def test_scale_of_whole_scores_is_inferred(key: str, scores: tuple[float, ...], scale: tuple[float, float]) -> None:
    seen = SeenScores(tuple(map(float, scores)), float(scores[-1]))
    kind = find_kind(key, None, False, seen)
    assert (kind.name, kind.low, kind.high, kind.has_direction) == ("rating", *scale, False)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.lists(keys, min_size=1, max_size=4))
async def test_no_direction_is_used_without_a_rule(with_runs: FeedbackPlugin, drawn: list[Any]) -> None:
    at = datetime.now(UTC) - timedelta(minutes=5)
    rules: dict[str, bool | None] = {}
    named: dict[str, list[str]] = {}
    for name, config, lower, scores in drawn:
        key = name if name == "user_disliked" and name not in named else f"{name} {next(numbered)}"
        if key == "user_disliked":
            await erase(with_runs)
        is_lower = (lower and config is not None) or (config is None and key == "user_disliked")
        if config is not None:
            await configure(with_runs, key, config, lower=lower)
        rows = [row(score, key=key, at=at, assistant_id="a") for score in scores]
        await insert(with_runs, rows)
        named[key] = [one["run_id"] for one in rows]
        for one, score in zip(rows, scores, strict=True):
            rules[one["run_id"]] = expected(name, config, is_lower, list(scores), score)
    query = FeedbackQuery(key=list(named))
    listed = (await with_runs.default.reader.page(query, 1000)).feedback
    assert {one.run_id: one.is_positive for one in listed} == rules
    lines = b"".join(
        [part async for part in with_runs.default.exports.stream(structs.replace(query), "kto")]
    ).splitlines()
    labels = {one["completion"][0]["content"]: one["label"] for one in map(json.loads, lines)}
    assert labels == {run: rule for run, rule in rules.items() if rule is not None}
    report = await with_runs.default.exports.report(structs.replace(query), "kto")
    assert sum(report.left_out.values()) == len(rules) - len(labels)
    counted = {one.key: (one.positives, one.negatives) for one in await with_runs.default.statistics.groups(query)}
    alerts = Alerts(with_runs.database, with_runs.get_statistics_by_project)
    for key, runs in named.items():
        found = [rules[run] for run in runs]
        assert counted[key] == (found.count(True), found.count(False))
        [finding] = (await alerts.findings(AlertRule(key, below=0.7, enough=1))).values()
        if finding.share is not None:
            assert finding.share == found.count(True) / len(found)
        else:
            assert finding.is_bad is None
            assert finding.reason
            assert set(found) == {None}


async def erase(service: FeedbackPlugin) -> None:
    """Delete what an earlier example stored about the key with a fixed name."""
    for table, column in (("feedback", "key"), ("feedback_config", "key")):
        sql = f"DELETE FROM {table} WHERE {column} = 'user_disliked'"
        await service.database.write(lambda db, sql=sql: db.execute(sql))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "continuous", "kind": "rating"}, "ends of its scale"),
        ({"type": "continuous", "min": 1, "max": 5, "kind": "thumbs"}, "0 and 1"),
        ({"type": "freeform", "kind": "category"}, "send `type` categorical"),
        ({"type": "categorical", "categories": [{"value": 0}], "kind": "number"}, "send `type` continuous"),
        ({"type": "freeform", "kind": "thumbs", "direction": "lower"}, "send one of the two"),
        ({"type": "freeform", "kind": "thumbs", "direction": "none"}, "leave `direction` out"),
    ],
)
def test_kind_that_contradicts_its_range_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        msgspec.convert(config, FeedbackConfig).validate()


def test_reason_says_where_the_kind_comes_from() -> None:
    assert "0, 1 or -1" in find_kind("k", None, False, SeenScores((0.0, 1.0), 1.0)).reason
    assert "from 1 to 5" in find_kind("k", None, False, SeenScores((2.0, 4.0), 4.0)).reason
    assert find_kind("k", None, False, SeenScores()).reason == "there are no scores"
