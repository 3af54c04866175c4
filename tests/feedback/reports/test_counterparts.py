"""Shares of feedback keys for thumbs up and down, such as `user_liked` and `user_disliked`, which make up a pair."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feedback import AlertRule, FeedbackPlugin
from feedback.configs.kinds import COUNTERPARTS
from feedback.reports.alerts import Alerts
from feedback.reports.comparison import compare
from feedback.reports.query import FeedbackQuery
from feedback.reports.stats import Statistic
from tests.feedback.stored_feedback import NOON, insert, row

UP, DOWN = "user_liked", "user_disliked"


def pressed(ups: int, downs: int, up: str = UP, **more: Any) -> list[dict[str, Any]]:
    return [row(1, key=key, **more) for key in [up] * ups + [COUNTERPARTS[up]] * downs]


def shares(found: list[Statistic]) -> dict[str, tuple[int, float | None, float | None]]:
    return {one.key: (one.scores, one.share, one.negative_share) for one in found}


@pytest.mark.parametrize("up", COUNTERPARTS)
async def test_share_is_of_both_keys(service: FeedbackPlugin, up: str) -> None:
    await insert(service, pressed(3, 1, up))
    found = await service.default.statistics.groups(FeedbackQuery())
    assert shares(found) == {up: (3, 0.75, 0.25), COUNTERPARTS[up]: (1, 0.75, 0.25)}
    assert {one.key: one.counterpart.scores for one in found if one.counterpart} == {up: 1, COUNTERPARTS[up]: 3}
    [alone] = await service.default.statistics.groups(FeedbackQuery(key=[up]))
    assert (alone.key, alone.count, alone.share, alone.mean) == (up, 3, 0.75, 1.0)


@pytest.mark.parametrize("dimension", ["day", "week", "version", "assistant", "source"])
async def test_group_with_only_one_thumb_has_its_share(service: FeedbackPlugin, dimension: Any) -> None:
    later = {
        "day": {"at": NOON + timedelta(days=8)},
        "week": {"at": NOON + timedelta(days=8)},
        "version": {"assistant_version": 2},
        "assistant": {"assistant_id": "other"},
        "source": {"source": "app"},
    }[dimension]
    await insert(service, [*pressed(3, 1), *pressed(0, 2, **later)])
    for keys in (None, [UP]):
        found = await service.default.statistics.groups(FeedbackQuery(key=keys), by=("key", dimension), total=True)
        ups = [one for one in found if one.key == UP]
        totals = [0.5] if dimension in ("day", "week") else []
        assert sorted(one.share for one in ups if one.share is not None) == sorted([*totals, 0.75, 0.0])
        assert {one.key for one in found} == ({UP} if keys else {UP, DOWN})


async def test_key_without_counterpart_keeps_its_own_share(service: FeedbackPlugin) -> None:
    await insert(service, [row(1, key=UP), row(0, key=UP), row(1), row(None, key=DOWN)])
    found = await service.default.statistics.groups(FeedbackQuery())
    assert shares(found) == {UP: (2, 0.5, 0.5), "thumbs": (1, 1.0, 0.0), DOWN: (0, None, None)}
    assert all(one.counterpart is None for one in found)


async def test_versions_are_compared_by_both_keys(service: FeedbackPlugin) -> None:
    await insert(
        service,
        [
            *pressed(45, 5, assistant_id="helper", assistant_version=1),
            *pressed(20, 30, assistant_id="helper", assistant_version=2),
        ],
    )
    for key, share in ((UP, 0.4), (DOWN, 0.4)):
        found = await compare(service.default.statistics, FeedbackQuery(assistant=["helper"], key=[key]), 1, 2)
        assert (found.verdict, found.candidate.scores, found.candidate.share) == ("worse", 50, share)


@pytest.mark.parametrize("key", [UP, DOWN])
async def test_alert_judges_both_keys(service: FeedbackPlugin, key: str) -> None:
    at = datetime.now(UTC) - timedelta(hours=1)
    rule = AlertRule(key, below=0.7, enough=20)
    alerts = Alerts(service.database, service.get_statistics_by_project, [rule])
    await insert(service, pressed(19, 1, at=at))
    assert await alerts.look() == []
    await insert(service, pressed(0, 40, at=at))
    [alert] = await alerts.look()
    assert (alert.firing, alert.finding.scores, round(alert.finding.share or 0, 2)) == (True, 60, 0.32)
