"""FeedbackQuery: filters on feedback, and their SQL conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

from msgspec import Meta, Struct

from feedback.database import build_in_list, build_like_pattern
from feedback.errors import Invalid
from feedback.records.reviews import STATUSES, ReviewStatus
from feedback.records.run_metadata import metadata_sql
from feedback.validation import check_name, check_number, check_text, parse_id, parse_time, run_name, to_micros

MAX_NAMES = 1000
MAX_TEXT = 1000
WORDS = ("comment", "value", "correction")
"""The columns of the text search; a partial index covers rows with at least one of them."""
DAY = 86_400_000_000
TABLES = {"reason": "feedback_reason", "dataset": "feedback_dataset_item"}
"""The tables of the filters that are not columns of the feedback table."""
EVER = -(2**62)
"""A time before any feedback. SQLite uses the partial index of rows with text only if the query bounds the time."""


class FeedbackQuery(Struct, kw_only=True):
    """Filters on feedback: a list matches any of its items; an omitted filter matches everything.

    `since` is inclusive and `until` exclusive, so that consecutive days count each feedback once. `text` searches
    comment, value and correction, case-insensitively (of ASCII letters at least). `metadata` lists `name:value` of the
    run's metadata: values of one name are alternatives, and each name must match. The fields are also the query
    parameters of the routes and the options of the commands, by `filters`.
    """

    run: Annotated[list[str] | None, Meta(description="Run ids")] = None
    thread: Annotated[list[str] | None, Meta(description="Thread ids")] = None
    assistant: Annotated[list[str] | None, Meta(description="Assistant ids")] = None
    version: Annotated[list[int] | None, Meta(description="Assistant versions")] = None
    key: Annotated[list[str] | None, Meta(description="Feedback keys")] = None
    subject: Annotated[list[str] | None, Meta(description="Who gave the feedback (user_id)")] = None
    source: Annotated[list[str] | None, Meta(description="Where it came from: api, app or model")] = None
    since: Annotated[str | None, Meta(description="From this time on (ISO 8601)")] = None
    until: Annotated[str | None, Meta(description="Before this time (ISO 8601)")] = None
    min_score: Annotated[float | None, Meta(description="Lowest score")] = None
    max_score: Annotated[float | None, Meta(description="Highest score")] = None
    text: Annotated[str | None, Meta(description="Part of a comment, value or correction")] = None
    has_comment: Annotated[bool | None, Meta(description="With a comment, or without")] = None
    has_score: Annotated[bool | None, Meta(description="With a score, or without")] = None
    has_correction: Annotated[bool | None, Meta(description="With a correction, or without")] = None
    status: Annotated[list[ReviewStatus] | None, Meta(description="Review status")] = None
    id: Annotated[list[str] | None, Meta(description="Feedback ids")] = None
    reason: Annotated[list[str] | None, Meta(description="Reasons that were chosen")] = None
    dataset: Annotated[list[str] | None, Meta(description="Datasets")] = None
    assignee: Annotated[list[str] | None, Meta(description="Who is to review it")] = None
    metadata: Annotated[list[str] | None, Meta(description="Declared metadata of the run, such as plan:pro")] = None

    @property
    def asks_for_days(self) -> bool:
        """Whether the daily counts can serve the query: whole UTC days, and only filters that the counts have."""
        others = (self.run, self.thread, self.subject, self.text, self.has_correction, self.id, self.reason,
                  self.dataset, self.assignee, self.metadata)  # fmt: skip
        ends = (_moment("since", self.since), _moment("until", self.until))
        return all(one in (None, [], "") for one in others) and all(end is None or end % DAY == 0 for end in ends)

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the conditions, including the project's, and their parameters. Errors: `Invalid`."""
        clauses = ["project = :project"]
        parameters: dict[str, Any] = {}
        for column, names in self._choices().items():
            chosen, more = build_in_list(column, names)
            parameters |= more
            is_one = f"{column} IN {chosen}"
            table = TABLES.get(column)
            clauses.append(f"id IN (SELECT feedback_id FROM {table} WHERE project = :project AND {is_one})" if table
                           else is_one)  # fmt: skip
        for condition, name, bound in self._bounds():
            if bound is not None:
                parameters[name] = bound
                clauses.append(condition)
        present = {"comment": self.has_comment, "score": self.has_score, "correction": self.has_correction}
        clauses += [f"{column} IS {'NOT ' if is_there else ''}NULL" for column, is_there in present.items()
                    if is_there is not None]  # fmt: skip
        of_run, more = metadata_sql(self.metadata or ())
        clauses, parameters = clauses + of_run, parameters | more
        if self.status:
            clauses.append(_statuses(self.status, bool(self.text)))
        return " AND ".join(clauses), parameters

    def days_sql(self) -> tuple[str, dict[str, Any]]:
        """Return the conditions of `sql` for `feedback_by_day`, and conditions on its days, which have an index.

        Errors: `Invalid`.
        """
        where, parameters = self.sql()
        for name, sign in (("since", ">="), ("until", "<")):
            if name in parameters:
                where += f" AND day {sign} :{name}_day"
                parameters[f"{name}_day"] = parameters[name] // DAY
        return where, parameters

    def _choices(self) -> dict[str, list[Any]]:
        choices: dict[str, list[Any]] = {
            "run_id": [run_name("run", name) for name in self.run or ()],
            "thread_id": [check_name("thread", name) for name in self.thread or ()],
            "assistant_id": [check_name("assistant", name) for name in self.assistant or ()],
            "assistant_version": [_version(number) for number in self.version or ()],
            "key": [check_name("key", name) for name in self.key or ()],
            "subject": [check_name("subject", name) for name in self.subject or ()],
            "source": [check_name("source", name) for name in self.source or ()],
            "id": [parse_id("id", name) for name in self.id or ()],
            "reason": [check_name("reason", name) for name in self.reason or ()],
            "dataset": [check_name("dataset", name) for name in self.dataset or ()],
            "review_assignee": [check_name("assignee", name) for name in self.assignee or ()],
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
            (f"created_at > {EVER} AND ({wordy}) AND ({found})", "text", text and build_like_pattern(text)),
        ]


class Filter(NamedTuple):
    """A field of `FeedbackQuery`: its name, type (without None) and description."""

    name: str
    type: Any
    description: str


def filters() -> list[Filter]:
    """Return the filters of `FeedbackQuery`, in order."""
    hints = get_type_hints(FeedbackQuery, include_extras=True)
    return [
        Filter(name, get_args(hint.__origin__)[0], hint.__metadata__[0].description) for name, hint in hints.items()
    ]


def _statuses(statuses: Sequence[ReviewStatus], with_text: bool) -> str:
    """Return the condition; feedback without a status is new. The statuses are validated, so inlining them is safe.

    With a text search, the condition makes the database use the index of rows with text instead of the status index.
    """
    if unknown := [status for status in statuses if status not in STATUSES]:
        raise Invalid(f"`status` is {unknown[0][:40]!r}; feedback is {', '.join(STATUSES)}")
    if with_text:
        return f"COALESCE(review_status, 'new') IN ({_join_statuses(statuses)})"
    others = [status for status in statuses if status != "new"]
    either = [f"review_status IN ({_join_statuses(others)})"] if others else []
    return f"({' OR '.join(['review_status IS NULL', *either] if 'new' in statuses else either)})"


def _join_statuses(statuses: Sequence[ReviewStatus]) -> str:
    return ", ".join(f"'{status}'" for status in dict.fromkeys(statuses))


def _version(number: int) -> int:
    if not 0 <= number < 2**31:
        raise Invalid(f"`version` is {number}; the versions of an assistant are whole numbers from 1")
    return number


def _moment(field: str, text: str | None) -> int | None:
    """Return a bound in microseconds since 1970. Errors: `Invalid`, also for an empty bound."""
    return None if text is None else to_micros(parse_time(field, text))


def _number(field: str, number: float | None) -> float | None:
    return None if number is None else float(check_number(field, number))
