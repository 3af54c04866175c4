"""Histories: earlier versions of feedback that was replaced, updated, deleted or retracted, while it is kept."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, structs

from feedback.database import Connection, Row
from feedback.errors import NotFound
from feedback.projects.scoped_database import ProjectDatabase
from feedback.rows import COLUMNS, read_feedback
from feedback.schema import Feedback
from feedback.validation import from_micros, parse_id

MAX_PAGE = 1000
CURRENT = f"SELECT {', '.join(COLUMNS)} FROM feedback WHERE project = :project AND id = :id"
KNOWN = "SELECT 1 AS known FROM feedback_history WHERE project = :project AND id = :id LIMIT 1"
BEFORE = f"""SELECT {", ".join(COLUMNS)}, sequence, replaced_at, reason FROM feedback_history
WHERE project = :project AND id = :id AND sequence < :cursor ORDER BY sequence DESC LIMIT :limit"""
LATEST = 2**62
"""A cursor after any version."""
Reason = Literal["replaced", "updated", "deleted", "retracted"]


class FeedbackVersion(Feedback, kw_only=True):
    """A version of feedback until its author replaced or retracted it, or a program updated or deleted it."""

    replaced_at: str
    reason: Reason


class FeedbackHistory(Struct):
    """Current feedback, null if it was deleted, and its earlier versions, newest first.

    `next_cursor` is where older versions continue, if there are any.
    """

    current: Feedback | None
    versions: list[FeedbackVersion]
    next_cursor: int | None


class Histories:
    """The histories of one project's feedback."""

    def __init__(self, database: ProjectDatabase) -> None:
        self._database = database

    async def page(self, feedback_id: str, limit: int = 100, cursor: int | None = None) -> FeedbackHistory:
        """Return the feedback and at most `limit` of its versions: the latest, or those before `cursor`.

        Errors: `NotFound` if the feedback never existed, or was erased.
        """
        name = parse_id("feedback_id", feedback_id)
        window = {"cursor": LATEST if cursor is None else cursor, "limit": limit + 1}

        def work(db: Connection) -> tuple[Row | None, list[Row]]:
            current, rows = db.one(CURRENT, id=name), db.all(BEFORE, id=name, **window)
            if current is None and not rows and db.one(KNOWN, id=name) is None:
                raise NotFound(f"There is no feedback with the id {name}, and never was; or it was erased")
            return current, rows

        current, rows = await self._database.read(work)
        following = rows[limit - 1]["sequence"] if len(rows) > limit else None
        now = None if current is None else read_feedback(current)
        return FeedbackHistory(now, [_version(row) for row in rows[:limit]], following)


def _version(row: Row) -> FeedbackVersion:
    fields = structs.asdict(read_feedback(row))
    return FeedbackVersion(**fields, replaced_at=from_micros(row["replaced_at"]), reason=row["reason"])
