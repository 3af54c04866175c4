"""Alerts: sent once when the interval shows bad feedback, and once more when that ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import AlertRule, FeedbackPlugin, FeedbackSettings, Webhook, alert_rules
from feedback.delivery.webhooks import Webhooks
from feedback.metrics import Metrics
from feedback.reports.alerts import Alerts
from tests.feedback.delivery.test_webhooks import SECRET, Receiver, receiver
from tests.feedback.stored_feedback import configure, insert, row
from tests.feedback.test_metrics import read

__all__ = ["receiver"]
RULE = AlertRule("thumbs", below=0.7, hours=24, enough=20)
WORSE = AlertRule("thumbs", hours=168, enough=20)


def alerts_of(service: FeedbackPlugin, *rules: AlertRule) -> Alerts:
    return Alerts(service.database, service.get_statistics_by_project, rules)


def scored(positives: int, negatives: int, hours_ago: float = 1, **more: Any) -> list[dict[str, Any]]:
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    return [row(score, at=at, **more) for score in [1] * positives + [0] * negatives]


async def changes(alerts: Alerts) -> list[tuple[str, bool]]:
    return [(alert.id, alert.firing) for alert in await alerts.look()]


async def test_alert_fires_where_the_whole_interval_is_below(service: FeedbackPlugin) -> None:
    alerts = alerts_of(service, RULE)
    await insert(service, scored(9, 11))
    assert await changes(alerts) == [(str(RULE), True)], "45 % of 20 is at most 66 %"
    [alert] = await alerts.list_alerts()
    assert (alert.finding.scores, alert.finding.share) == (20, 0.45)
    assert alert.finding.interval.high < 0.7


async def test_low_mean_of_few_scores_does_not_fire(service: FeedbackPlugin) -> None:
    alerts = alerts_of(service, RULE, AlertRule("thumbs", below=0.7, enough=1))
    await insert(service, scored(1, 2))
    assert await changes(alerts) == [], "33 % of 3 may be 79 %"
    await insert(service, scored(0, 10))
    assert await changes(alerts) == [("thumbs below 0.7 in 24h of 1", True)], "the other rule needs 20 feedbacks"


async def test_alert_fires_once_and_again_after_recovery(service: FeedbackPlugin, receiver: Receiver) -> None:
    webhooks = Webhooks(service.database, [Webhook(receiver.url, SECRET)])
    await webhooks.register()
    alerts = alerts_of(service, RULE)
    await insert(service, scored(5, 15, assistant_id="a"))
    name = f"{RULE} / a"
    assert [await changes(alerts) for _ in range(3)] == [[(name, True)], [], []]
    await insert(service, scored(25, 0, assistant_id="a"))
    assert await changes(alerts) == [], "66.7 % of 45 shows neither, so the alert stays"
    await insert(service, scored(10, 0, assistant_id="a"))
    assert await changes(alerts) == [(name, False)]
    async with httpx.AsyncClient() as client:
        await webhooks.deliver(client)
    received = sorted((json.loads(body) for _, body in receiver.requests), key=lambda one: one["timestamp"])
    assert [(one["type"], one["data"]["id"], one["data"]["firing"]) for one in received] == [
        ("feedback.alert", name, True),
        ("feedback.alert", name, False),
    ]
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 2


async def test_only_feedback_of_the_window_counts(service: FeedbackPlugin) -> None:
    alerts = alerts_of(service, RULE)
    await insert(service, scored(0, 30, hours_ago=25) + scored(20, 0))
    assert await changes(alerts) == []


async def test_alert_ends_without_data(service: FeedbackPlugin) -> None:
    alerts = alerts_of(service, RULE)
    await insert(service, scored(0, 20))
    await alerts.look()
    await service.database.write(
        lambda db: db.execute("DELETE FROM feedback WHERE id IN (SELECT id FROM feedback LIMIT 15)")
    )
    assert await changes(alerts) == [], "little feedback shows nothing"
    await service.database.write(lambda db: db.execute("DELETE FROM feedback"))
    assert await changes(alerts) == [(str(RULE), False)]


async def test_alert_fires_where_the_newest_version_is_worse(service: FeedbackPlugin) -> None:
    alerts = alerts_of(service, WORSE)
    about = {"assistant_id": "a"}
    old, good = scored(10, 20, **about, assistant_version=1), scored(27, 3, **about, assistant_version=2)
    await insert(service, old + good)
    assert await changes(alerts) == [], "2 is better than 1"
    await insert(service, scored(18, 12, **about, assistant_version=3))
    assert await changes(alerts) == [(f"{WORSE} / a / version 3", True)]
    [alert] = await alerts.list_alerts()
    assert (alert.finding.baseline, alert.finding.version) == (2, 3)
    await insert(service, scored(18, 12, **about, assistant_version=4))
    assert await changes(alerts) == [(f"{WORSE} / a / version 3", False)], "4 is no worse than 3"


async def test_lower_is_better_turns_the_alert(service: FeedbackPlugin) -> None:
    await configure(service, "thumbs", {"type": "continuous", "min": 0, "max": 1}, lower=True)
    alerts = alerts_of(service, RULE)
    await insert(service, scored(0, 20))
    assert await changes(alerts) == []
    await insert(service, scored(40, 0))
    assert await changes(alerts) == [(str(RULE), True)]


async def test_mean_alerts_fire_beyond_their_bound(service: FeedbackPlugin) -> None:
    slow, low = AlertRule("latency", enough=5, mean_above=800), AlertRule("stars", enough=5, mean_below=3.5)
    alerts = alerts_of(service, slow, low)
    at = datetime.now(UTC) - timedelta(hours=1)
    await insert(service, [row(score, key="latency", at=at) for score in (700, 750, 780, 810, 790)])
    await insert(service, [row(score, key="stars", at=at) for score in (1, 2, 2, 3, 2, 1)])
    assert await changes(alerts) == [(str(low), True)]
    await insert(service, [row(score, key="latency", at=at) for score in (2000, 2100, 1900, 2050, 1990, 2010)])
    assert await changes(alerts) == [(str(slow), True)]
    [found] = (await alerts.findings(low)).values()
    assert (found.kind, found.reason, found.mean) == ("rating", None, pytest.approx(11 / 6))


async def test_newer_versions_rating_is_worse_by_its_mean(service: FeedbackPlugin) -> None:
    await configure(service, "stars", {"type": "continuous", "min": 1, "max": 5})
    await configure(service, "steps", {"type": "continuous"})
    alerts = alerts_of(service, AlertRule("stars", hours=24, enough=5), AlertRule("steps", hours=24, enough=5))
    at = datetime.now(UTC) - timedelta(hours=1)
    for version, scores in ((1, (4, 5, 5, 4, 5)), (2, (1, 2, 1, 2, 2))):
        for key in ("stars", "steps"):
            place = {"assistant_id": "a", "assistant_version": version}
            await insert(service, [row(score, key=key, at=at, **place) for score in scores])
    assert await changes(alerts) == [("stars worse in 24h of 5 / a / version 2", True)], "steps have no good end"


async def test_alert_fires_once_across_processes_and_restarts(database_url: str, receiver: Receiver) -> None:
    async with FeedbackPlugin(open_database(database_url)).open() as service, open_database(database_url) as other:
        webhooks = Webhooks(service.database, [Webhook(receiver.url, SECRET)])
        await webhooks.register()
        await insert(service, scored(0, 20))
        every = [Alerts(one, service.get_statistics_by_project, [RULE]) for one in (service.database, other) * 3]
        received: Sequence[Any] = await asyncio.gather(*(alerts.look() for alerts in every))
        assert sum(map(len, received)) == 1
    async with FeedbackPlugin(open_database(database_url)).open() as again:
        assert await changes(alerts_of(again, RULE)) == []
        assert [alert.firing for alert in await alerts_of(again, RULE).list_alerts()] == [True]
        async with httpx.AsyncClient() as client:
            await Webhooks(again.database, [Webhook(receiver.url, SECRET)]).deliver(client)
    assert len(receiver.requests) == 1


async def test_running_service_evaluates_alerts_and_logs_them(sqlite_url: str, receiver: Receiver) -> None:
    async with FeedbackPlugin(open_database(sqlite_url)).open() as service:
        await insert(service, scored(0, 20))
    plugin = FeedbackPlugin(
        open_database(sqlite_url),
        FeedbackSettings(webhooks=(receiver.url,), webhook_secret=SECRET, alerts=f"{RULE}, {WORSE}"),
    )
    async with AsyncTestClient(Litestar(plugins=[plugin])) as client:
        for _ in range(400):
            if receiver.requests:
                break
            await asyncio.sleep(0.05)
        received = read((await client.get("/metrics")).text)
    assert json.loads(receiver.requests[0][1])["data"]["firing"] is True
    assert received["feedback_alerts_firing", str(RULE)] == 1
    assert received["feedback_alerts_firing", str(WORSE)] == 0


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("thumbs below 0.7 in 24h of 20", [RULE]),
        ("thumbs below 70%", [RULE]),
        ("  thumbs  worse  in 7d , my key worse in 36h of 5", [WORSE, AlertRule("my key", hours=36, enough=5)]),
        ("thumbs worse", [WORSE]),
        ("stars mean below 3.5 of 5", [AlertRule("stars", enough=5, mean_below=3.5)]),
        ("latency mean above 800 in 2d", [AlertRule("latency", hours=48, mean_above=800)]),
        ("", []),
    ],
)
def test_rules_are_read_from_text(text: str, rules: list[AlertRule]) -> None:
    assert alert_rules(text) == rules
    assert alert_rules(", ".join(map(str, rules))) == rules


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("thumbs", "is no alert rule"),
        ("thumbs above 0.7", "is no alert rule"),
        ("thumbs below 7", "a share is above 0, below 1"),
        ("thumbs below 0.7 in 0h", "0 hours"),
        ("thumbs below 0.7 of 0", "0 scores"),
        (f"{'k' * 181} worse", "181 characters"),
    ],
)
def test_wrong_rule_says_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        alert_rules(text)


def test_metrics_know_no_rules_that_there_are_not() -> None:
    assert "feedback_alerts_firing{" not in Metrics().text()
