"""FeedbackReader: searches feedback, a page at a time.

Pages use a keyset cursor, not an offset: new feedback shifts nothing, so reading all pages returns each feedback that
existed at the start once, and the last page costs as much as the first.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from feedback.configs.kind_lookup import UNKNOWN, kinds
from feedback.configs.kinds import KeyKind
from feedback.database import Connection, Row
from feedback.errors import Invalid
from feedback.projects.scoped_database import ProjectDatabase
from feedback.records.reviews import ReviewedFeedback
from feedback.records.run_metadata import load_metadata
from feedback.reports.assistants import Assistants
from feedback.reports.query import DAY, EVER, FeedbackQuery
from feedback.reports.text_search import rows_by_span
from feedback.rows import COLUMNS, feedback_fields
from feedback.validation import from_micros

MAX_PAGE = 1000
EXPORT_PAGE = 500
REVIEW = ("review_status", "review_note", "reviewed_at", "review_assignee", "reviewer")
UNREAD = ("grant_id", "grant_key", "idempotency")
SELECT = f"SELECT {', '.join(name for name in (*COLUMNS, *REVIEW) if name not in UNREAD)} FROM feedback"
NEWEST = "SELECT MAX(created_at) AS at FROM feedback WHERE project = :project"
Kinds = dict[str, KeyKind]
RunsMetadata = dict[str, dict[str, str]]


class FeedbackPage(Struct):
    """A page of feedback, newest first, and the next page's cursor, if there is one."""

    feedback: list[ReviewedFeedback]
    next_cursor: str | None


class FeedbackReader:
    """Searches the feedback of one project."""

    def __init__(self, database: ProjectDatabase, assistants: Assistants) -> None:
        self._database = database
        self._assistants = assistants
        self.has_blocks = database.whole.dialect == "sqlite"

    async def page(self, query: FeedbackQuery, limit: int = 100, cursor: str | None = None) -> FeedbackPage:
        """Return a page of at most `limit` records, newest first, from the start or after `cursor`. Errors:
        `Invalid`."""
        where, parameters = query.sql()
        if cursor is not None:
            where += " AND (created_at, id) < (:cursor_at, :cursor_id)"
            parameters["cursor_at"], parameters["cursor_id"] = open_cursor(cursor)

        def work(db: Connection) -> tuple[list[Row], Kinds, RunsMetadata]:
            window, ends = day_window(db, query)
            sql = f"{SELECT} WHERE {where}{window}{{span}} ORDER BY created_at DESC, id DESC"
            rows = rows_by_span(db, self.has_blocks, query, sql, parameters | ends, limit + 1)
            return rows, find_missing_kinds(db, rows, {}), load_metadata(db, (row["run_id"] for row in rows))

        rows, found, metadata = await self._database.read(work)
        following = make_cursor(rows[limit - 1]) if len(rows) > limit else None
        return FeedbackPage(await self.add_names(rows[:limit], found, metadata), following)

    async def add_names(
        self, rows: Sequence[Row], found: Mapping[str, KeyKind], metadata: RunsMetadata | None = None
    ) -> list[ReviewedFeedback]:
        """Return the rows' feedback with the kinds of its keys, the names of its assistants, and its runs' metadata."""
        return await self._set_names([_read_reviewed(row, found) for row in rows], metadata or {})

    async def _set_names(self, feedback: list[ReviewedFeedback], metadata: RunsMetadata) -> list[ReviewedFeedback]:
        """Set the names of the assistants and the runs' metadata, and return the feedback."""
        names = await self._assistants.names({one.assistant_id for one in feedback})
        for one in feedback:
            one.assistant_name = names.get(one.assistant_id or "")
            if metadata:
                one.run_metadata = metadata.get(one.run_id or one.run_name or "", {})
        return feedback

    async def pages(
        self, query: FeedbackQuery, size: int = EXPORT_PAGE, found: Kinds | None = None
    ) -> AsyncIterator[list[ReviewedFeedback]]:
        """Yield all feedback that exists at the start, oldest first, in pages; only one is in memory at a time.

        The kinds of the feedback keys are read once, so that they are the same on all pages, and added to `found`.
        """
        where, parameters = query.sql()
        sql = f"""{SELECT} WHERE {where} AND (created_at, id) > (:after_at, :after_id) AND created_at <= :end
        ORDER BY created_at, id LIMIT :limit"""
        at = (EVER, "")
        known: Kinds = {} if found is None else found
        last = await self._database.read(lambda db: db.one(NEWEST))
        parameters["end"] = last["at"] if last and last["at"] is not None else at[0]

        def work(db: Connection) -> tuple[list[ReviewedFeedback], tuple[int, str], RunsMetadata]:
            rows = db.all(sql, **parameters, after_at=at[0], after_id=at[1], limit=size)
            known.update(find_missing_kinds(db, rows, known))
            following = (rows[-1]["created_at"], rows[-1]["id"]) if rows else at
            # Converted here, in the database's thread, so that the event loop goes on.
            return (
                [_read_reviewed(row, known) for row in rows],
                following,
                load_metadata(db, (row["run_id"] for row in rows)),
            )

        while True:
            feedback, at, metadata = await self._database.read(work)
            if feedback:
                yield await self._set_names(feedback, metadata)
            if len(feedback) < size:
                return

    async def count(self, query: FeedbackQuery) -> int:
        """Return the number of matching feedback records."""
        is_daily = query.asks_for_days
        where, parameters = query.days_sql() if is_daily else query.sql()
        table, number = ("feedback_by_day", "SUM(weight)") if is_daily else ("feedback", "COUNT(*)")
        sql = f"SELECT CAST({number} AS BIGINT) AS pieces FROM {table} WHERE {where}"
        row = await self._database.read(lambda db: db.one(sql, **parameters))
        return int(row["pieces"] or 0) if row else 0


def find_missing_kinds(db: Connection, rows: Iterable[Row], known: Mapping[str, KeyKind]) -> Kinds:
    """Return the kinds of the rows' feedback keys that are not in `known`."""
    return kinds(db, [key for key in dict.fromkeys(row["key"] for row in rows) if key not in known])


def day_window(db: Connection, query: FeedbackQuery) -> tuple[str, dict[str, Any]]:
    """Return a condition on the first and last day with matching feedback, for filters that have no index.

    Without it, a search for a rare or old score would read a million rows.
    """
    is_new = "new" in (query.status or ()) or None  # either most feedback is new, or hardly any
    rare = (query.min_score, query.max_score, query.has_comment, query.has_score, query.source or None, is_new)
    has_index = all(one is None for one in rare) and (not query.version or query.assistant)
    if has_index or not query.asks_for_days:
        return "", {}
    where, parameters = query.sql()
    days = db.one(f"SELECT MIN(created_at) AS first, MAX(created_at) AS last FROM feedback_by_day WHERE {where}",
                  **parameters)  # fmt: skip
    if days is None or days["first"] is None:
        return " AND 1 = 0", {}
    ends = {"first_day": days["first"], "day_after": days["last"] + DAY}
    return " AND created_at >= :first_day AND created_at < :day_after", ends


def _read_reviewed(row: Row, found: Mapping[str, KeyKind]) -> ReviewedFeedback:
    """Return a row's feedback with its review, its feedback key's kind, and whether its score is positive."""
    at, kind = row["reviewed_at"], found.get(row["key"], UNKNOWN)
    return ReviewedFeedback(
        **feedback_fields(row),
        kind=kind.name,
        is_positive=kind.is_positive(row["number"]),
        review_status=row["review_status"] or "new",
        review_note=row["review_note"],
        reviewed_at=None if at is None else from_micros(at),
        review_assignee=row["review_assignee"],
        reviewer=row["reviewer"],
    )


def make_cursor(row: Row) -> str:
    """Return the cursor of the page after the row."""
    return base64.urlsafe_b64encode(msgspec.json.encode((row["created_at"], row["id"]))).decode().rstrip("=")


def open_cursor(cursor: str) -> tuple[int, str]:
    """Return the time and id in a cursor. Errors: `Invalid`."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        at, name = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=tuple[int, str])
        if not -(2**62) < at < 2**62 or len(name) > 64 or "\0" in name:
            raise ValueError
    except ValueError:
        raise Invalid(
            "`cursor` is not one that was given here; take `next_cursor` of the page before, or none"
        ) from None
    return at, name
