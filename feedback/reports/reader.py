"""FeedbackReader: searches feedback, a page at a time.

Pages use a keyset cursor, not an offset: new feedback shifts nothing, so reading all pages returns each feedback that
existed at the start once, and the last page costs as much as the first.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from feedback.configs.kind_lookup import kinds
from feedback.configs.kinds import KeyKind
from feedback.database import Connection, Row
from feedback.errors import Invalid
from feedback.projects.scoped_database import ProjectDatabase
from feedback.records.reviews import ReviewedFeedback
from feedback.records.run_metadata import has_metadata, load_metadata
from feedback.reports.assistants import Assistants
from feedback.reports.query import DAY, EVER, FeedbackQuery
from feedback.reports.reviewed_rows import (
    ASSISTANT_ID,
    COLUMNS,
    CREATED_AT,
    ID,
    KEY,
    RUN_ID,
    SELECT,
    Names,
    Tuple,
    convert_rows,
)
from feedback.reports.text_search import rows_by_span

T = TypeVar("T")

MAX_PAGE = 1000
EXPORT_PAGE = 500
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
            found = find_missing_kinds(db, (row["key"] for row in rows), {})
            return rows, found, load_metadata(db, (row["run_id"] for row in rows))

        rows, found, metadata = await self._database.read(work)
        following = make_cursor(rows[limit - 1]) if len(rows) > limit else None
        return FeedbackPage(await self.add_names(rows[:limit], found, metadata), following)

    async def add_names(
        self, rows: Sequence[Row], found: Mapping[str, KeyKind], metadata: RunsMetadata
    ) -> list[ReviewedFeedback]:
        """Return the rows' feedback with the kinds of its keys, the names of its assistants, and its runs' metadata."""
        assistants = await self._assistants.names({row["assistant_id"] for row in rows})
        return convert_rows([tuple(row[name] for name in COLUMNS) for row in rows], Names(found, assistants, metadata))

    async def pages(
        self,
        query: FeedbackQuery,
        convert: Callable[[list[Tuple], Names], T],
        found: Kinds | None = None,
        size: int = EXPORT_PAGE,
    ) -> AsyncIterator[tuple[int, T]]:
        """Yield the amount and the conversion of each page of all feedback that exists at the start, oldest first.

        Only one page is in memory at a time. `convert` is called in the database's thread, so that the event loop goes
        on, with rows of `COLUMNS`. The kinds of the feedback keys are read once, so that they are the same on all
        pages, and added to `found`; so are the names of the assistants.
        """
        where, parameters = query.sql()
        sql = f"""{SELECT} WHERE {where} AND (created_at, id) > (:after_at, :after_id) AND created_at <= :end
        ORDER BY created_at, id LIMIT :limit"""
        at = (EVER, "")
        known: Kinds = {} if found is None else found
        assistants: dict[str | None, str | None] = {None: None}
        last = await self._database.read(lambda db: db.one(NEWEST))
        parameters["end"] = last["at"] if last and last["at"] is not None else at[0]

        def work(db: Connection) -> tuple[int, T, tuple[int, str]] | set[str]:
            rows = db.tuples(sql, **parameters, after_at=at[0], after_id=at[1], limit=size)
            if unnamed := {row[ASSISTANT_ID] for row in rows} - assistants.keys():
                return unnamed  # their names are read from runs, outside of this transaction
            known.update(find_missing_kinds(db, (row[KEY] for row in rows), known))
            metadata = load_metadata(db, (row[RUN_ID] for row in rows)) if has_metadata(db) else {}
            converted = convert(rows, Names(known, assistants, metadata))
            return len(rows), converted, (rows[-1][CREATED_AT], rows[-1][ID]) if rows else at

        while True:
            page = await self._database.read(work)
            if isinstance(page, set):
                names = await self._assistants.names(page)
                assistants |= {one: names.get(one) for one in page}
                continue
            count, converted, at = page
            if count:
                yield count, converted
            if count < size:
                return

    async def count(self, query: FeedbackQuery) -> int:
        """Return the number of matching feedback records."""
        is_daily = query.asks_for_days
        where, parameters = query.days_sql() if is_daily else query.sql()
        table, number = ("feedback_by_day", "SUM(weight)") if is_daily else ("feedback", "COUNT(*)")
        sql = f"SELECT CAST({number} AS BIGINT) AS pieces FROM {table} WHERE {where}"
        row = await self._database.read(lambda db: db.one(sql, **parameters))
        return int(row["pieces"] or 0) if row else 0


def find_missing_kinds(db: Connection, keys: Iterable[str], known: Mapping[str, KeyKind]) -> Kinds:
    """Return the kinds of the feedback keys that are not in `known`."""
    return kinds(db, [key for key in dict.fromkeys(keys) if key not in known])


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
