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
        sql = f"""SELECT fitting.key AS key, reason, COUNT(*) AS times
        FROM (SELECT id, key FROM feedback WHERE {where}) AS fitting
        JOIN feedback_reason ON feedback_id = fitting.id
        GROUP BY fitting.key, reason ORDER BY times DESC, fitting.key, reason LIMIT :most"""
        rows = await self._database.read(lambda db: db.all(sql, most=MAX_REASONS, **parameters))
        return [ReasonCount(row["key"], row["reason"], row["times"]) for row in rows]
