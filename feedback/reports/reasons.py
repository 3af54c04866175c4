"""Counts of the reasons that users select, such as "Wrong" or "Too long", by feedback key."""

from __future__ import annotations

from msgspec import Struct

from feedback.projects.scoped_database import ProjectDatabase
from feedback.reports.query import FeedbackQuery

MAX_REASONS = 500


class ReasonCount(Struct):
    """The count of a reason for a feedback key."""

    key: str
    reason: str
    count: int


class Reasons:
    """Counts the reasons in one project's feedback."""

    def __init__(self, database: ProjectDatabase) -> None:
        self._database = database

    async def counts(self, query: FeedbackQuery) -> list[ReasonCount]:
        """Return at most `MAX_REASONS` reasons of the matching feedback, most frequent first. Errors: `Invalid`."""
        where, parameters = query.sql()
        # CROSS JOIN makes SQLite begin with the reasons: there are fewer of them than of feedback.
        sql = f"""SELECT key, of_feedback AS reason, COUNT(*) AS times
        FROM (SELECT feedback_id, reason AS of_feedback FROM feedback_reason WHERE project = :project) AS listed
        CROSS JOIN feedback WHERE id = feedback_id AND {where}
        GROUP BY key, of_feedback ORDER BY times DESC, key, of_feedback LIMIT :most"""
        rows = await self._database.read(lambda db: db.all(sql, most=MAX_REASONS, **parameters))
        return [ReasonCount(row["key"], row["reason"], row["times"]) for row in rows]
