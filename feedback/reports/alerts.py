"""Alerts: told when answers are shown to be bad, not when a mean of a few of them happens to be low.

A rule looks at one key's answers of the last hours, of each assistant (and each project) apart:

    thumbs below 0.7 in 24h of 20    the share of positive answers is below 70 %, even at the upper end of its interval
    thumbs worse in 7d of 20         the newest version's share is below that of the version before it, in all of the
                                     interval in which their difference is

Both intervals hold in 95 of 100 cases (`confidence.py`), and need at least as many scores (of each version) as the rule
says. An alert that fires is over once the share itself is back where it should be, so that it does not come and go at
the edge of an interval, or once there is nothing left to look at. In between it stays as it is.

What became of an alert is a row, and a change of it is told by a webhook message, `feedback.alert`, written in the same
unit of work. So it is told once, however many processes look, and whatever restarts in between.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Struct, structs

from feedback.database import Connection, Database
from feedback.delivery.outbox import put_alert
from feedback.projects.scoped_database import DEFAULT
from feedback.reports.confidence import Interval, newcombe
from feedback.reports.query import FeedbackQuery
from feedback.reports.stats import ENOUGH, MAX_GROUPS, Dimension, Statistic, Statistics
from feedback.validation import MAX_KEY, from_micros

logger = logging.getLogger("feedback")

LOOK_SECONDS = 60.0
MAX_HOURS = 24 * 365
EXAMPLES = "`thumbs below 0.7 in 24h of 20` or `thumbs worse in 7d of 20`"
_RULE = re.compile(
    r"(?P<key>.+?)\s+(?:below\s+(?P<below>\d*\.?\d+)(?P<percent>\s*%)?|(?P<worse>worse))"
    r"(?:\s+in\s+(?P<time>\d+)\s*(?P<unit>[hd]))?(?:\s+of\s+(?P<enough>\d+))?"
)

FIRE = """INSERT INTO feedback_alert (id, rule, assistant_id, firing, changed_at, finding)
VALUES (:id, :rule, :assistant_id, 1, now_us(), :finding)
ON CONFLICT (id) DO UPDATE SET firing = 1, changed_at = now_us(), finding = excluded.finding
WHERE feedback_alert.firing = 0"""
RESOLVE = """UPDATE feedback_alert SET firing = 0, changed_at = now_us(), finding = :finding
WHERE id = :id AND firing = 1"""
BY_ID = "SELECT * FROM feedback_alert WHERE id = :id"
ALL = "SELECT * FROM feedback_alert ORDER BY rule, id"


class AlertRule(Struct, frozen=True):
    """When to tell of a key's answers: where the share of positive ones is `below` a share, or, without one, where a
    newer version of an assistant is worse. `hours` is how far back it looks, `enough` how many scores it takes.

    Errors: `ValueError`.
    """

    key: str
    below: float | None = None
    hours: int = 24
    enough: int = ENOUGH

    def __post_init__(self) -> None:
        if not 0 < len(self.key) <= MAX_KEY:
            raise ValueError(f"an alert's feedback key has {len(self.key)} characters; it has 1 to {MAX_KEY}")
        if self.below is not None and not 0 < self.below < 1:
            raise ValueError(
                f"the alert of {self.key!r} is for a share below {self.below:g}; a share is above 0, below 1"
            )
        if not 1 <= self.hours <= MAX_HOURS:
            raise ValueError(f"the alert of {self.key!r} looks back {self.hours} hours; give 1 to {MAX_HOURS}")
        if self.enough < 1:
            raise ValueError(f"the alert of {self.key!r} takes {self.enough} scores; give 1 at least")

    def __str__(self) -> str:
        time = f"{self.hours // 24}d" if self.hours % 24 == 0 and self.hours > 24 else f"{self.hours}h"
        what = "worse" if self.below is None else f"below {self.below:g}"
        return f"{self.key} {what} in {time} of {self.enough}"


class Finding(Struct, kw_only=True):
    """What a rule found in one assistant's answers: how many scores, which share of them is positive or by how much it
    differs from the version before, and where the true value is (95 %).
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


class Alert(Struct):
    """One rule and one assistant: whether the rule fires, since when, and what it had found then."""

    id: str
    rule: str
    firing: bool
    changed_at: str
    finding: Finding


def alert_rules(text: str) -> list[AlertRule]:
    """The rules in a text that separates them by commas, such as the environment has. Errors: `ValueError`."""
    return [_rule(one.strip()) for one in text.split(",") if one.strip()]


def _rule(text: str) -> AlertRule:
    if (found := _RULE.fullmatch(text)) is None:
        raise ValueError(f"{text!r} is no alert rule; write one such as {EXAMPLES}")
    given = found.groupdict()
    below = None if given["worse"] else float(given["below"]) / (100 if given["percent"] else 1)
    hours = int(given["time"]) * (24 if given["unit"] == "d" else 1) if given["time"] else 24 if below else 24 * 7
    return AlertRule(given["key"], below, hours, int(given["enough"] or ENOUGH))


StatisticsByProject = Callable[[], Awaitable[Mapping[str, Statistics]]]
"""The statistics of every project that there is, by its name."""


class Alerts:
    """Looks at the answers of one feedback database by rules, of which every process is given the same."""

    def __init__(self, database: Database, statistics: StatisticsByProject, rules: Sequence[AlertRule] = ()) -> None:
        self._database = database
        self._statistics = statistics
        self.rules = list(dict.fromkeys(rules))

    async def look(self) -> list[Alert]:
        """What changed, by every rule; each change is told to the webhooks, by one of the processes that see it."""
        changed: list[Alert] = []
        firing = {alert.id: alert for alert in await self.listed() if alert.firing}
        for rule in self.rules:
            found = await self.findings(rule)
            gone = {name: _nothing(alert.finding) for name, alert in firing.items() if alert.rule == str(rule)}
            for name, finding in (gone | found).items():
                fires = _fires(rule, finding)
                if fires is not None and fires != (name in firing):
                    changed += await self._change(name, rule, finding, fires)
        return changed

    async def findings(self, rule: AlertRule) -> dict[str, Finding]:
        """What the rule finds now, of every assistant with answers, by the names of the alerts that it may mean."""
        found: dict[str, Finding] = {}
        for project, statistics in (await self._statistics()).items():
            for finding in await _findings(rule, project, statistics):
                found[_name(rule, finding)] = finding
        return found

    async def listed(self) -> list[Alert]:
        """What became of every alert that fired once, of the rules that there are."""
        rules = {str(rule) for rule in self.rules}
        rows = await self._database.read(lambda db: db.all(ALL))
        return [_alert(row) for row in rows if row["rule"] in rules]

    async def firing(self) -> dict[str, int]:
        """How many alerts fire now, by rule; rules without any are left out."""
        return Counter(alert.rule for alert in await self.listed() if alert.firing)

    async def keep_looking(self, every: float = LOOK_SECONDS) -> None:
        """Look again and again, until cancelled."""
        while self.rules:
            try:
                for alert in await self.look():
                    logger.warning("alert %s: %s", "fires" if alert.firing else "is over", alert.id)
            except Exception as error:  # a database that does not answer now will, later
                logger.warning("answers were not looked at for alerts: %r", error)
            await asyncio.sleep(every)

    async def _change(self, name: str, rule: AlertRule, finding: Finding, fires: bool) -> list[Alert]:
        """The alert, now firing or over; nothing where another process was first."""
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


async def _findings(rule: AlertRule, project: str, statistics: Statistics) -> list[Finding]:
    """What the rule finds in one project, of every assistant with answers."""
    since = (datetime.now(UTC) - timedelta(hours=rule.hours)).isoformat()
    by: Sequence[Dimension] = ("assistant",) if rule.below is not None else ("assistant", "version")
    query = FeedbackQuery(key=[rule.key], since=since, has_score=True)
    groups = await statistics.groups(query, by, rule.enough, MAX_GROUPS)
    ordered = sorted(groups, key=lambda one: (one.assistant_id or "", one.assistant_version or 0))
    found = [_finding(rule, list(of)) for _, of in groupby(ordered, key=lambda one: one.assistant_id)]
    return [structs.replace(one, project=project) for one in found]


def _fires(rule: AlertRule, finding: Finding) -> bool | None:
    """Whether the rule fires on what it found; nothing where that shows neither, and the alert stays as it is."""
    if finding.scores < rule.enough:
        return False if finding.scores == 0 else None
    return _shown(rule, finding)


def _shown(rule: AlertRule, finding: Finding) -> bool | None:
    if rule.below is not None:
        if finding.interval.high < rule.below:
            return True
        return False if finding.share is not None and finding.share >= rule.below else None
    if finding.interval.high < 0:
        return True
    return False if finding.difference is None or finding.difference >= 0 else None


def _finding(rule: AlertRule, of: list[Statistic]) -> Finding:
    """What the rule finds in the counts of one assistant, which are in the order of its versions."""
    newest = of[-1]
    if rule.below is not None:
        return Finding(key=rule.key, assistant_id=newest.assistant_id, scores=newest.scores, share=newest.share,
                       interval=newest.interval, below=rule.below)  # fmt: skip
    if len(of) < 2:
        return Finding(key=rule.key, assistant_id=newest.assistant_id, version=newest.assistant_version)
    before = of[-2]
    one, other = before.share or 0.0, newest.share or 0.0
    return Finding(
        key=rule.key,
        assistant_id=newest.assistant_id,
        scores=min(before.scores, newest.scores),
        share=newest.share,
        interval=newcombe(before.positives, before.scores, newest.positives, newest.scores),
        version=newest.assistant_version,
        baseline=before.assistant_version,
        difference=other - one,
    )


def _nothing(finding: Finding) -> Finding:
    """The same where there are no answers left."""
    return Finding(
        key=finding.key,
        assistant_id=finding.assistant_id,
        below=finding.below,
        version=finding.version,
        baseline=finding.baseline,
        project=finding.project,
    )


def _name(rule: AlertRule, finding: Finding) -> str:
    """What the alert is called: the same for every process, and after every restart."""
    project = None if finding.project == DEFAULT else f"project {finding.project}"
    about = (project, finding.assistant_id, None if finding.version is None else f"version {finding.version}")
    return " / ".join((str(rule), *(one for one in about if one is not None)))


def _alert(row: Mapping[str, Any]) -> Alert:
    finding = msgspec.json.decode(row["finding"], type=Finding)
    return Alert(row["id"], row["rule"], bool(row["firing"]), from_micros(row["changed_at"]), finding)
