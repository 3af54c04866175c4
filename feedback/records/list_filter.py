"""FeedbackSearch: which feedback to list."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from feedback.database import build_in_list
from feedback.errors import Invalid
from feedback.validation import check_name, parse_time, run_name, to_micros

MAX_LIMIT = 100
MAX_NAMES = 1000


class FeedbackSearch(Struct):
    """The filter of LangSmith's `GET /feedback`; a list matches any of its values, an omitted field matches all."""

    run: list[str] | None = None
    key: list[str] | None = None
    source: list[str] | None = None
    session: list[str] | None = None
    user: list[str] | None = None
    has_comment: bool | None = None
    has_score: bool | None = None
    level: Literal["run", "session"] | None = None
    min_created_at: str | None = None
    max_created_at: str | None = None
    comparative_experiment_id: str | None = None
    feedback_thread_id: str | None = None
    limit: int = MAX_LIMIT
    offset: int = 0

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the `WHERE` clause and its parameters. Errors: `Invalid`."""
        clauses = ["project = :project"]
        parameters: dict[str, Any] = {"limit": self.limit, "offset": self.offset}
        for column, names in self._choices().items():
            chosen, more = build_in_list(column, names)
            parameters |= more
            clauses.append(f"{column} IN {chosen}")
        for column, present in (
            ("comment", self.has_comment),
            ("score", self.has_score),
            ("run_id", self._read_level()),
        ):
            if present is not None:
                clauses.append(f"{column} IS {'NOT ' if present else ''}NULL")
        for name, sign in (("min_created_at", ">="), ("max_created_at", "<=")):
            if (text := getattr(self, name)) is not None:
                clauses.append(f"created_at {sign} :{name}")
                parameters[name] = to_micros(parse_time(name, text))
        return f" WHERE {' AND '.join(clauses)}", parameters

    def _read_level(self) -> bool | None:
        return None if self.level is None else self.level == "run"

    def _list_one(self, field: str) -> list[str]:
        text: str | None = getattr(self, field)
        return [] if text is None else [run_name(field, text)]

    def _choices(self) -> dict[str, list[str]]:
        choices = {
            "run_id": [run_name("run", name) for name in self.run or ()],
            "session_id": [run_name("session", name) for name in self.session or ()],
            "key": [check_name("key", name) for name in self.key or ()],
            "subject": [check_name("user", name) for name in self.user or ()],
            "source": [check_name("source", source_name(name)) for name in self.source or ()],
            "comparative_experiment_id": self._list_one("comparative_experiment_id"),
            "thread_id": self._list_one("feedback_thread_id"),
        }
        for column, names in choices.items():
            if len(names) > MAX_NAMES:
                raise Invalid(f"`{column}` lists {len(names)} names; at most {MAX_NAMES} are taken at once")
        return {column: names for column, names in choices.items() if names}


def source_name(text: str) -> str:
    """Return `api` for `FeedbackSourceType.API`, which is how LangSmith's synchronous Python client spells it."""
    return text.removeprefix("FeedbackSourceType.").lower()
