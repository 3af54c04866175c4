"""Alerts on significantly bad feedback; a low mean of a few scores does not fire one.

A rule (`alert_rules.py`) covers the recent feedback of one feedback key, separately for each assistant and project. It
fires if the whole 95 % confidence interval is on the bad side and there are enough scores (of each version). A firing
alert ends once the figure itself is back on the good side, so that it does not flap at the edge of an interval, or once
no feedback is left. Otherwise its state does not change.

The feedback key's kind (`configs/kinds.py`) defines which scores are positive and in which direction a mean improves. A
rule that needs a direction which the feedback key lacks never fires; the finding's `reason` states this.

An alert's state is a row. One transaction updates the row and queues the webhook message `feedback.alert`, so each
change is reported once, regardless of the number of processes and of restarts.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Struct, structs

from feedback.configs.kind_lookup import UNKNOWN
from feedback.configs.kinds import KeyKind, KindName
from feedback.database import Connection, Database
from feedback.delivery.outbox import put_alert
from feedback.projects.scoped_database import DEFAULT
from feedback.reports.alert_rules import AlertRule
from feedback.reports.comparison import choose_measure, differ
from feedback.reports.confidence import Interval, mean_interval, wilson
from feedback.reports.groups import Group, Sums
from feedback.reports.query import FeedbackQuery
from feedback.reports.stats import MAX_GROUPS, Dimension, Statistics
from feedback.reports.stored_rules import every_rule
from feedback.validation import from_micros

logger = logging.getLogger("feedback")

LOOK_SECONDS = 60.0
NO_DIRECTION = "no rule says which scores of the key are positive; configure the key's kind, range or categories"

FIRE = """INSERT INTO feedback_alert (id, rule, assistant_id, firing, changed_at, finding)
VALUES (:id, :rule, :assistant_id, 1, now_us(), :finding)
ON CONFLICT (id) DO UPDATE SET firing = 1, changed_at = now_us(), finding = excluded.finding
WHERE feedback_alert.firing = 0"""
RESOLVE = """UPDATE feedback_alert SET firing = 0, changed_at = now_us(), finding = :finding
WHERE id = :id AND firing = 1"""
BY_ID = "SELECT * FROM feedback_alert WHERE id = :id"
ALL = "SELECT * FROM feedback_alert ORDER BY rule, id"


class Finding(Struct, kw_only=True):
    """A rule's evaluation for one assistant: the number of scores, and the figure with its 95 % interval.

    `share` is the share of positive scores, `mean` the mean of all. `interval` belongs to the rule's figure, or to the
    difference from the version before. `reason` explains a missing figure.
    """

    key: str
    assistant_id: str | None
    scores: int = 0
    share: float | None = None
    interval: Interval = Interval(0.0, 1.0)
    below: float | None = None
    version: int | None = None
    baseline: int | None = None
    difference: float | None = None
    project: str = DEFAULT
    kind: KindName = "text"
    mean: float | None = None
    mean_below: float | None = None
    mean_above: float | None = None
    assistant_name: str | None = None
    reason: str | None = None
    is_bad: bool | None = None
    """True if the figure is bad, false if it is good, null if neither is significant."""


class Alert(Struct):
    """The state of a rule for one assistant: whether it fires, since when, and the finding at that time."""

    id: str
    rule: str
    firing: bool
    changed_at: str
    finding: Finding


StatisticsByProject = Callable[[], Awaitable[Mapping[str, Statistics]]]
"""Returns the statistics of all projects, by project name."""


class ActiveRule(Struct, frozen=True):
    """A rule in effect: a configured one, or one created for a project (with its id)."""

    rule: AlertRule
    project: str | None = None
    id: str | None = None


class Alerts:
    """Evaluates the configured rules and the projects' rules on the feedback of one database."""

    def __init__(self, database: Database, statistics: StatisticsByProject, rules: Sequence[AlertRule] = ()) -> None:
        self._database = database
        self._statistics = statistics
        self.rules = list(dict.fromkeys(rules))

    async def list_active(self) -> list[ActiveRule]:
        """Return all rules; a project's copy of a configured rule is omitted."""
        stored = await self._database.read(every_rule)
        return [
            *(ActiveRule(rule) for rule in self.rules),
            *(ActiveRule(one.rule, one.project, one.id) for one in stored if one.rule not in self.rules),
        ]

    async def look(self) -> list[Alert]:
        """Evaluate all rules; return the changed alerts. Only one process reports each change to the webhooks."""
        changed: list[Alert] = []
        active = await self.list_active()
        known = await self._list_known()
        for one in active:
            found = await self.findings(one.rule, one.project)
            firing = {alert.id: alert for alert in known if alert.firing and _is_of(one, alert)}
            gone = {name: _empty_finding(alert.finding) for name, alert in firing.items()}
            for name, finding in (gone | found).items():
                fires = _fires(one.rule, finding)
                if fires is not None and fires != (name in firing):
                    changed += await self._change(name, one.rule, finding, fires)
        return changed

    async def retire(self, rule: AlertRule, project: str) -> None:
        """End and report the alerts of a rule that the project has deleted."""
        active = await self.list_active()
        for alert in await self._list_known():
            was_its = alert.firing and _is_of(ActiveRule(rule, project), alert)
            if was_its and not any(_is_of(one, alert) for one in active):
                await self._change(alert.id, rule, _empty_finding(alert.finding), False)

    async def findings(self, rule: AlertRule, project: str | None = None) -> dict[str, Finding]:
        """Return the rule's findings by alert id, for each assistant with feedback, in one project or in all."""
        found: dict[str, Finding] = {}
        for name, statistics in (await self._statistics()).items():
            for finding in await _findings(rule, name, statistics) if project in (None, name) else ():
                found[_name(rule, finding)] = finding
        return found

    async def list_alerts(self) -> list[Alert]:
        """Return the states of all alerts of active rules that have ever fired."""
        active = await self.list_active()
        return [alert for alert in await self._list_known() if any(_is_of(one, alert) for one in active)]

    async def _list_known(self) -> list[Alert]:
        return [_alert(row) for row in await self._database.read(lambda db: db.all(ALL))]

    async def count_firing(self) -> dict[str, int]:
        """Return the number of firing alerts by rule, without rules that have none."""
        return Counter(alert.rule for alert in await self.list_alerts() if alert.firing)

    async def keep_looking(self, every: float = LOOK_SECONDS) -> None:
        """Evaluate all rules periodically until cancelled."""
        is_failing = False
        while True:
            try:
                for alert in await self.look():
                    logger.warning("alert %s: %s", "fires" if alert.firing else "is over", alert.id)
                is_failing = False
            except Exception as error:  # the next round retries an unavailable database
                level = logging.DEBUG if is_failing else logging.WARNING
                logger.log(level, "alert rules could not be checked: %r", error)
                is_failing = True
            await asyncio.sleep(every)

    async def _change(self, name: str, rule: AlertRule, finding: Finding, fires: bool) -> list[Alert]:
        """Store and return the changed alert; nothing if another process was first."""
        text = msgspec.json.encode(finding).decode()
        row = {"id": name, "finding": text}

        def work(db: Connection) -> list[Alert]:
            if fires:
                changed = db.execute(FIRE, **row, rule=str(rule), assistant_id=finding.assistant_id)
            else:
                changed = db.execute(RESOLVE, **row)
            now = db.one(BY_ID, id=name) if changed else None
            if now is None:
                return []
            alert = _alert(now)
            put_alert(db, name, alert)
            return [alert]

        return await self._database.write(work)


def _is_of(active: ActiveRule, alert: Alert) -> bool:
    """Return whether the alert belongs to the rule."""
    return alert.rule == str(active.rule) and active.project in (None, alert.finding.project)


async def _findings(rule: AlertRule, project: str, statistics: Statistics) -> list[Finding]:
    """Return the rule's findings in one project, for each assistant with feedback."""
    since = (datetime.now(UTC) - timedelta(hours=rule.hours)).isoformat()
    by: Sequence[Dimension] = ("assistant", "version") if rule.compares_versions else ("assistant",)
    query = FeedbackQuery(key=[rule.key], since=since, has_score=True)
    groups, kinds = await statistics.sums(query, by, MAX_GROUPS)
    kind = kinds.get(rule.key, UNKNOWN)
    names = await statistics.names(groups)
    ordered = sorted(groups, key=lambda one: (_assistant(one) or "", one.place.get("assistant_version") or 0))
    found = [_build_finding(rule, kind, list(of)) for _, of in groupby(ordered, key=_assistant)]
    return [
        structs.replace(one, project=project, kind=kind.name, assistant_name=names.get(one.assistant_id or ""))
        for one in found
    ]


def _assistant(group: Group) -> str | None:
    name: str | None = group.place["assistant_id"]
    return name


def _fires(rule: AlertRule, finding: Finding) -> bool | None:
    """Return whether the rule fires on the finding; None keeps the alert's state."""
    if finding.scores < rule.enough:
        return False if finding.scores == 0 else None
    return finding.is_bad


def _build_finding(rule: AlertRule, kind: KeyKind, of: list[Group]) -> Finding:
    """Return the rule's finding from the counts of one assistant, which are ordered by version."""
    newest = of[-1]
    counted = newest.votes if rule.below is not None else newest.sums
    found = Finding(key=rule.key, assistant_id=_assistant(newest), scores=counted.scores, below=rule.below,
                    mean_below=rule.mean_below, mean_above=rule.mean_above)  # fmt: skip
    if rule.compares_versions:
        return _judge_versions(found, kind, of)
    return _judge_share(found, kind, counted) if rule.below is not None else _judge_mean(found, kind, counted)


def _judge_share(found: Finding, kind: KeyKind, sums: Sums) -> Finding:
    if not kind.has_direction or found.below is None:
        return structs.replace(found, reason=NO_DIRECTION)
    share, interval = sums.positives / sums.scores, wilson(sums.positives, sums.scores)
    is_bad = True if interval.high < found.below else False if share >= found.below else None
    return structs.replace(found, share=share, interval=interval, is_bad=is_bad)


def _judge_mean(found: Finding, kind: KeyKind, sums: Sums) -> Finding:
    moments = sums.moments
    interval = mean_interval(moments, kind.low, kind.high)
    if interval is None:
        return structs.replace(found, reason="a confidence interval needs at least two scores")
    if found.mean_below is not None:
        is_bad = True if interval.high < found.mean_below else False if moments.mean >= found.mean_below else None
    else:
        bound = found.mean_above or 0.0
        is_bad = True if interval.low > bound else False if moments.mean <= bound else None
    return structs.replace(found, mean=moments.mean, interval=interval, is_bad=is_bad)


def _judge_versions(found: Finding, kind: KeyKind, of: list[Group]) -> Finding:
    newest = of[-1]
    found = structs.replace(found, version=newest.place["assistant_version"])
    if len(of) < 2:
        return structs.replace(found, scores=0)
    measure, before, after = choose_measure(kind), of[-2].votes, newest.votes
    difference, interval = differ(measure, kind, before, after)
    found = structs.replace(
        found,
        scores=min(before.scores, after.scores),
        baseline=of[-2].place["assistant_version"],
        share=after.positives / after.scores if measure == "share" and kind.has_direction else None,
        mean=after.moments.mean if measure == "mean" else None,
        difference=difference,
        interval=interval or found.interval,
    )
    if (measure == "share" and not kind.has_direction) or (measure == "mean" and kind.better is None):
        return structs.replace(found, reason=NO_DIRECTION)
    if interval is None or difference is None:
        return structs.replace(found, reason="a comparison needs at least two scores of each version")
    improves = -1 if measure == "mean" and kind.better == "lower" else 1
    is_worse = max(interval.low * improves, interval.high * improves) < 0
    return structs.replace(found, is_bad=True if is_worse else False if difference * improves >= 0 else None)


def _empty_finding(finding: Finding) -> Finding:
    """Return the finding with no feedback left."""
    return Finding(
        key=finding.key,
        assistant_id=finding.assistant_id,
        below=finding.below,
        mean_below=finding.mean_below,
        mean_above=finding.mean_above,
        kind=finding.kind,
        assistant_name=finding.assistant_name,
        version=finding.version,
        baseline=finding.baseline,
        project=finding.project,
    )


def _name(rule: AlertRule, finding: Finding) -> str:
    """Return the alert's id, which is the same in all processes and after restarts."""
    project = None if finding.project == DEFAULT else f"project {finding.project}"
    about = (project, finding.assistant_id, None if finding.version is None else f"version {finding.version}")
    return " / ".join((str(rule), *(one for one in about if one is not None)))


def _alert(row: Mapping[str, Any]) -> Alert:
    finding = msgspec.json.decode(row["finding"], type=Finding)
    return Alert(row["id"], row["rule"], bool(row["firing"]), from_micros(row["changed_at"]), finding)
