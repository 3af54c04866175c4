"""Reading: answers found by what they are about and what they say, a page at a time, however many there are.

Pages are cut by key, not by count: an answer that comes in between moves nothing, so that whoever pages sees every
answer that was there at the start once, and the last page costs what the first does.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from operator import methodcaller
from typing import Any

import msgspec
from msgspec import Struct, structs

from feedback.configs.score_direction import UP, Direction, directions
from feedback.database import Connection, Row
from feedback.errors import Invalid
from feedback.projects.scoped_database import ProjectDatabase
from feedback.records.reviews import STATUSES, ReviewedFeedback, ReviewStatus
from feedback.rows import COLUMNS, feedback_of
from feedback.validation import check_name, check_number, check_text, from_micros, parse_time, run_name, to_micros

MAX_PAGE = 1000
MAX_NAMES = 1000
MAX_TEXT = 1000
EXPORT_PAGE = 500
SELECT = f"SELECT {', '.join(COLUMNS)}, review_status, review_note, reviewed_at FROM feedback"
NEWEST = "SELECT MAX(created_at) AS at FROM feedback WHERE project = :project"
WORDS = ("comment", "value", "correction")
"""The columns that a text is looked for in; an index has the rows where one of them is filled."""
DAY = 86_400_000_000
EVER = -(2**62)
"""Before any answer. SQLite takes the index of those with words where their time is asked for, and else reads all."""


class FeedbackQuery(Struct, kw_only=True):
    """Which answers: a list is a choice, and what is left out does not matter.

    `since` counts in and `until` does not, so that days put side by side count every answer once. `text` is looked for
    in comment, value and correction; upper and lower case are the same, of ASCII letters at least.
    """

    run: list[str] | None = None
    thread: list[str] | None = None
    assistant: list[str] | None = None
    version: list[int] | None = None
    key: list[str] | None = None
    subject: list[str] | None = None
    source: list[str] | None = None
    since: str | None = None
    until: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    text: str | None = None
    has_comment: bool | None = None
    has_score: bool | None = None
    has_correction: bool | None = None
    status: list[ReviewStatus] | None = None

    @property
    def asks_for_days(self) -> bool:
        """Whether it is about whole days (UTC), and nothing that the counts by day do not tell apart."""
        others = (self.run, self.thread, self.subject, self.source, self.text, self.has_correction)
        ends = [to_micros(parse_time("time", end)) for end in (self.since, self.until) if end is not None]
        return all(one in (None, [], "") for one in others) and all(end % DAY == 0 for end in ends)

    def sql(self) -> tuple[str, dict[str, Any]]:
        """The conditions, of which one names the project, and their parameters. Errors: `Invalid`."""
        clauses = ["project = :project"]
        parameters: dict[str, Any] = {}
        for column, names in self._choices().items():
            parameters |= {f"{column}_{at}": name for at, name in enumerate(names)}
            clauses.append(f"{column} IN ({', '.join(f':{column}_{at}' for at in range(len(names)))})")
        for condition, name, bound in self._bounds():
            if bound is not None:
                parameters[name] = bound
                clauses.append(condition)
        present = {"comment": self.has_comment, "score": self.has_score, "correction": self.has_correction}
        clauses += [f"{column} IS {'NOT ' if is_there else ''}NULL" for column, is_there in present.items()
                    if is_there is not None]  # fmt: skip
        if self.status:
            clauses.append(_statuses(self.status, bool(self.text)))
        return " AND ".join(clauses), parameters

    def _choices(self) -> dict[str, list[Any]]:
        choices: dict[str, list[Any]] = {
            "run_id": [run_name("run", name) for name in self.run or ()],
            "thread_id": [check_name("thread", name) for name in self.thread or ()],
            "assistant_id": [check_name("assistant", name) for name in self.assistant or ()],
            "assistant_version": [_version(number) for number in self.version or ()],
            "key": [check_name("key", name) for name in self.key or ()],
            "subject": [check_name("subject", name) for name in self.subject or ()],
            "source": [check_name("source", name) for name in self.source or ()],
        }
        for column, names in choices.items():
            if len(names) > MAX_NAMES:
                raise Invalid(f"`{column}` lists {len(names)} names; at most {MAX_NAMES} are taken at once")
        return {column: names for column, names in choices.items() if names}

    def _bounds(self) -> list[tuple[str, str, Any]]:
        text = check_text("text", self.text, MAX_TEXT) if self.text else None
        wordy = " OR ".join(f"{column} IS NOT NULL" for column in WORDS)
        found = " OR ".join(f"LOWER({column}) LIKE :text ESCAPE '!'" for column in WORDS)
        return [
            ("created_at >= :since", "since", _moment("since", self.since)),
            ("created_at < :until", "until", _moment("until", self.until)),
            ("number >= :min_score", "min_score", _number("min_score", self.min_score)),
            ("number <= :max_score", "max_score", _number("max_score", self.max_score)),
            (f"created_at > {EVER} AND ({wordy}) AND ({found})", "text", text and f"%{_escaped(text.lower())}%"),
        ]


class FeedbackPage(Struct):
    """Some of the answers, newest first, and the cursor of those that follow, where any do."""

    feedback: list[ReviewedFeedback]
    next_cursor: str | None


class FeedbackReader:
    """Finds the answers of one project."""

    def __init__(self, database: ProjectDatabase) -> None:
        self._database = database

    async def page(self, query: FeedbackQuery, limit: int = 100, cursor: str | None = None) -> FeedbackPage:
        """At most `limit` answers, newest first: the first of all, or those after `cursor`. Errors: `Invalid`."""
        where, parameters = query.sql()
        if cursor is not None:
            where += " AND (created_at, id) < (:cursor_at, :cursor_id)"
            parameters["cursor_at"], parameters["cursor_id"] = _opened(cursor)

        def work(db: Connection) -> tuple[list[Row], dict[str, Direction]]:
            window, ends = _window(db, query)
            sql = f"{SELECT} WHERE {where}{window} ORDER BY created_at DESC, id DESC LIMIT :limit"
            return db.all(sql, **parameters, **ends, limit=limit + 1), directions(db)

        rows, ways = await self._database.read(work)
        following = _cursor(rows[limit - 1]) if len(rows) > limit else None
        return FeedbackPage([_answer(row, ways) for row in rows[:limit]], following)

    async def pages(self, query: FeedbackQuery, size: int = EXPORT_PAGE) -> AsyncIterator[list[ReviewedFeedback]]:
        """All the answers that are there at the start, oldest first, in pages; no more than one is held."""
        where, parameters = query.sql()
        sql = f"""{SELECT} WHERE {where} AND (created_at, id) > (:after_at, :after_id) AND created_at <= :end
        ORDER BY created_at, id LIMIT :limit"""
        at = (EVER, "")
        ways = await self._database.read(directions)
        last = await self._database.read(lambda db: db.one(NEWEST))
        parameters["end"] = last["at"] if last and last["at"] is not None else at[0]
        while True:
            window = {**parameters, "after_at": at[0], "after_id": at[1], "limit": size}
            rows = await self._database.read(methodcaller("all", sql, **window))
            if rows:
                yield [_answer(row, ways) for row in rows]
                at = (rows[-1]["created_at"], rows[-1]["id"])
            if len(rows) < size:
                return

    async def count(self, query: FeedbackQuery) -> int:
        """How many answers fit."""
        where, parameters = query.sql()
        sql = f"SELECT COUNT(*) AS answers FROM feedback WHERE {where}"
        row = await self._database.read(lambda db: db.one(sql, **parameters))
        return int(row["answers"]) if row else 0


def _window(db: Connection, query: FeedbackQuery) -> tuple[str, dict[str, Any]]:
    """The first and last day on which an answer fits, for filters without an index of their own.

    So nobody searches a million answers for a score that none has, or that was given long ago.
    """
    rare = (query.min_score, query.max_score, query.has_comment, query.has_score)
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


def _statuses(statuses: Sequence[ReviewStatus], with_text: bool) -> str:
    """The condition; an answer that has no status is new. The names are put into the text: they are no one's input.

    With a text to look for it is written so that the index of those with words is taken, and not that of the status.
    """
    if unknown := [status for status in statuses if status not in STATUSES]:
        raise Invalid(f"`status` is {unknown[0][:40]!r}; answers are {', '.join(STATUSES)}")
    if with_text:
        return f"COALESCE(review_status, 'new') IN ({_listed(statuses)})"
    others = [status for status in statuses if status != "new"]
    either = [f"review_status IN ({_listed(others)})"] if others else []
    return f"({' OR '.join(['review_status IS NULL', *either] if 'new' in statuses else either)})"


def _listed(statuses: Sequence[ReviewStatus]) -> str:
    return ", ".join(f"'{status}'" for status in dict.fromkeys(statuses))


def _answer(row: Row, ways: Mapping[str, Direction]) -> ReviewedFeedback:
    at, number = row["reviewed_at"], row["number"]
    return ReviewedFeedback(
        **structs.asdict(feedback_of(row)),
        is_positive=None if number is None else ways.get(row["key"], UP).is_positive(number),
        review_status=row["review_status"] or "new",
        review_note=row["review_note"],
        reviewed_at=None if at is None else from_micros(at),
    )


def _version(number: int) -> int:
    if not 0 <= number < 2**31:
        raise Invalid(f"`version` is {number}; the versions of an assistant are whole numbers from 1")
    return number


def _moment(field: str, text: str | None) -> int | None:
    """Return a bound in microseconds since 1970. Errors: `Invalid`, for an empty one, too."""
    return None if text is None else to_micros(parse_time(field, text))


def _number(field: str, number: float | None) -> float | None:
    return None if number is None else float(check_number(field, number))


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _cursor(row: Row) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((row["created_at"], row["id"]))).decode().rstrip("=")


def _opened(cursor: str) -> tuple[int, str]:
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
