"""Evaluation of filter expressions on runs and their feedback.

Feedback comparisons within one `and` apply to the same feedback: `and(eq(feedback_key, "stars"),
gt(feedback_score, 3))` matches a run with more than three stars, not one with stars and another high score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from feedback.errors import Invalid
from feedback.integrations.langsmith.filter_language import Call, Name
from feedback.validation import parse_time

FEEDBACK = {
    "feedback_key": "key",
    "feedback_score": "score",
    "feedback_value": "value",
    "feedback_comment": "comment",
    "feedback_source": "source",
}
RUN_FIELDS = (
    *("id", "name", "run_type", "status", "error", "start_time", "end_time", "latency", "is_root", "thread_id"),
    *("session_id", "trace_id", "tags", "metadata_key", "metadata_value", "metadata", "inputs", "outputs"),
)
Predicate = Callable[["Subject"], bool]


class Subject(Struct):
    """The input of a filter: a run and its feedback."""

    run: Mapping[str, Any]
    feedback: Sequence[Mapping[str, Any]]


def predicate(call: Call) -> Predicate:
    """Return a function that tests a run. Errors: `Invalid` for unknown fields and comparisons."""
    if call.function == "not":
        negated = predicate(_calls(call)[0])
        return lambda subject: not negated(subject)
    if call.function == "or":
        several = [predicate(one) for one in _calls(call)]
        return lambda subject: any(one(subject) for one in several)
    if call.function == "and":
        return _combine_predicates(_calls(call))
    return _feedback_predicate([call]) if _is_feedback(call) else _run_predicate(call)


def find_needed_key(call: Call) -> str | None:
    """Return the feedback key that every matching run must have, if the expression requires one."""
    if call.function == "and":
        return next((key for one in _calls(call) if (key := find_needed_key(one))), None)
    if call.function == "eq" and call.arguments[:1] == (Name("feedback_key"),):
        return str(call.arguments[1]) if len(call.arguments) == 2 else None
    return None


def _combine_predicates(calls: Sequence[Call]) -> Predicate:
    about_feedback = [one for one in calls if _is_feedback(one)]
    others = [predicate(one) for one in calls if not _is_feedback(one)]
    same = _feedback_predicate(about_feedback) if about_feedback else None
    return lambda subject: (same is None or same(subject)) and all(one(subject) for one in others)


def _calls(call: Call) -> list[Call]:
    calls = [one for one in call.arguments if isinstance(one, Call)]
    if not calls or len(calls) != len(call.arguments):
        raise Invalid(f'{call.function}(…) takes comparisons, such as eq(feedback_key, "stars")')
    if call.function == "not" and len(calls) > 1:
        raise Invalid("not(…) takes one comparison")
    return calls


def _is_feedback(call: Call) -> bool:
    first = call.arguments[0] if call.arguments else None
    return isinstance(first, Name) and first.text in FEEDBACK


def _feedback_predicate(calls: Sequence[Call]) -> Predicate:
    tests = [_comparison(call, FEEDBACK) for call in calls]
    return lambda subject: any(all(test(one) for test in tests) for one in subject.feedback)


def _run_predicate(call: Call) -> Predicate:
    if call.function == "search":
        words = [str(one).casefold() for one in call.arguments if isinstance(one, str)]
        return lambda subject: all(word in _format_text(subject.run) for word in words)
    test = _comparison(call, {name: name for name in RUN_FIELDS})
    return lambda subject: test(subject.run)


def _comparison(call: Call, fields: Mapping[str, str]) -> Callable[[Mapping[str, Any]], bool]:
    """Return a test of one field of a mapping."""
    if len(call.arguments) != 2 or not isinstance(call.arguments[0], Name):
        raise Invalid(f'{call.function}(…) takes a field and a value, such as eq(name, "agent")')
    field, wanted = call.arguments[0].text, call.arguments[1]
    if field not in fields:
        raise Invalid(f"The filter names the field {field!r}; runs here have {', '.join((*RUN_FIELDS, *FEEDBACK))}")
    if isinstance(wanted, Name):
        raise Invalid(f"The filter compares {field} with the name {wanted.text!r}; put text into quotes")
    compare = _COMPARE.get(call.function)
    if compare is None:
        raise Invalid(f"{call.function}(…) is no comparison of runs; use {', '.join(_COMPARE)}")
    name = fields[field]
    if name in ("start_time", "end_time") and isinstance(wanted, str):
        wanted = parse_time(field, wanted)
    return lambda subject: compare(_value(subject, name), wanted)


def _value(subject: Mapping[str, Any], name: str) -> Any:
    if name == "metadata_key":
        return list(subject["metadata"])
    if name == "metadata_value":
        return list(subject["metadata"].values())
    return subject[name]


def _is_equal(found: Any, wanted: Any) -> bool:
    if isinstance(found, list):
        return wanted in found
    if isinstance(found, bool) != isinstance(wanted, bool) and not (found is None or wanted is None):
        return bool(isinstance(found, int | float) and isinstance(wanted, int | float) and found == wanted)
    return bool(found == wanted)


def _build_ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare_ordered(found: Any, wanted: Any) -> bool:
        kinds = (int, float) if isinstance(wanted, int | float) else (type(wanted),)
        return isinstance(found, kinds) and compare(found, wanted)

    return compare_ordered


def _has(found: Any, wanted: Any) -> bool:
    """Return whether a list or an object contains an item, a key, or the members of a JSON object."""
    if isinstance(found, dict) and isinstance(wanted, str) and wanted.startswith("{"):
        try:
            return bool(msgspec.json.decode(wanted).items() <= found.items())
        except (msgspec.DecodeError, TypeError):
            return False
    return wanted in (found or ())


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": _is_equal,
    "neq": lambda found, wanted: not _is_equal(found, wanted),
    "gt": _build_ordered(lambda found, wanted: found > wanted),
    "gte": _build_ordered(lambda found, wanted: found >= wanted),
    "lt": _build_ordered(lambda found, wanted: found < wanted),
    "lte": _build_ordered(lambda found, wanted: found <= wanted),
    "in": lambda found, wanted: isinstance(wanted, list) and found in wanted,
    "has": _has,
    "exists": lambda found, wanted: wanted in (found or ()),
    "like": lambda found, wanted: str(wanted).strip("%").casefold() in str(found or "").casefold(),
}


def _format_text(run: Mapping[str, Any]) -> str:
    shown = {name: run[name] for name in ("name", "inputs", "outputs", "error")}
    return msgspec.json.encode(shown).decode().casefold()


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Return the latency of a run in seconds; None if it has not ended."""
    return None if start is None or end is None else (end - start).total_seconds()
