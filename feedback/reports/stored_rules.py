"""Alert rules that clients create over HTTP, in addition to the configured ones."""

from __future__ import annotations

import msgspec
import uuid_utils
from msgspec import Struct

from feedback.database import Connection, Row
from feedback.errors import Conflict, Invalid, NotFound
from feedback.projects.scoped_database import ProjectDatabase
from feedback.reports.alert_rules import AlertRule
from feedback.reports.stats import ENOUGH
from feedback.validation import MAX_KEY, check_name, parse_id

MAX_RULES = 200
EVERY = "SELECT id, project, rule FROM feedback_alert_rule ORDER BY project, created_at, id"
ALL = "SELECT id, project, rule FROM feedback_alert_rule WHERE project = :project ORDER BY created_at, id"
INSERT = """INSERT INTO feedback_alert_rule (id, project, rule, created_at)
VALUES (:id, :project, :rule, now_us()) ON CONFLICT DO NOTHING"""
ONE = "SELECT id, project, rule FROM feedback_alert_rule WHERE project = :project AND id = :id"
DELETE = "DELETE FROM feedback_alert_rule WHERE project = :project AND id = :id"


class AlertRuleCreate(Struct):
    """The body that creates an alert rule: one bound, or `compares_versions` to check the newest version.

    `below` is a share of positive scores, from 0 to 1; `mean_below` and `mean_above` are means.
    """

    key: str
    below: float | None = None
    mean_below: float | None = None
    mean_above: float | None = None
    compares_versions: bool = False
    hours: int = 24
    enough: int = ENOUGH

    def rule(self) -> AlertRule:
        """Return the rule. Errors: `Invalid`."""
        check_name("key", self.key, MAX_KEY)
        bounds = [one for one in (self.below, self.mean_below, self.mean_above) if one is not None]
        if len(bounds) + self.compares_versions != 1:
            raise Invalid("Send one of `below`, `mean_below`, `mean_above` and `compares_versions`")
        try:
            return AlertRule(self.key, self.below, self.hours, self.enough, self.mean_below, self.mean_above)
        except ValueError as error:
            raise Invalid(str(error)) from None


class StoredRule(Struct):
    """A project's alert rule and its id."""

    id: str
    project: str
    rule: AlertRule


class StoredAlertRules:
    """Stores one project's alert rules."""

    def __init__(self, database: ProjectDatabase) -> None:
        self._database = database

    async def all(self) -> list[StoredRule]:
        """Return the rules, oldest first."""
        return [_read_rule(row) for row in await self._database.read(lambda db: db.all(ALL))]

    async def create(self, wanted: AlertRuleCreate) -> StoredRule:
        """Create and return the rule. Errors: `Invalid`; `Conflict` if the project has the same rule, or too many."""
        rule = wanted.rule()

        def work(db: Connection) -> Row | None:
            if len(db.all(ALL)) >= MAX_RULES:
                raise Conflict(f"The project has {MAX_RULES} alert rules, which is the most; delete one first")
            name = str(uuid_utils.uuid7())
            db.execute(INSERT, id=name, rule=msgspec.json.encode(rule).decode())
            return db.one(ONE, id=name)

        if (row := await self._database.write(work)) is None:
            raise Conflict(f"The project has the alert rule `{rule}` already")
        return _read_rule(row)

    async def delete(self, rule_id: str) -> AlertRule:
        """Delete and return the rule. Errors: `NotFound`, `Invalid`."""
        name = parse_id("rule_id", rule_id)

        def work(db: Connection) -> Row | None:
            row = db.one(ONE, id=name)
            return row if db.execute(DELETE, id=name) else None

        if (row := await self._database.write(work)) is None:
            raise NotFound(f"There is no alert rule with the id {name} in this project")
        return _read_rule(row).rule


def every_rule(db: Connection) -> list[StoredRule]:
    """Return the rules of all projects."""
    return [_read_rule(row) for row in db.all(EVERY)]


def _read_rule(row: Row) -> StoredRule:
    return StoredRule(row["id"], row["project"], msgspec.json.decode(row["rule"], type=AlertRule))
