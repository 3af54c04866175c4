"""Reviewed rows: the columns of feedback with its review, and their conversion from tuples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Raw, Struct

from feedback.configs.kind_lookup import UNKNOWN
from feedback.configs.kinds import KeyKind
from feedback.records.reviews import ReviewedFeedback
from feedback.rows import decode_json
from feedback.schema import FeedbackSource
from feedback.validation import from_micros, is_id

COLUMNS = (
    "id", "created_at", "modified_at", "run_id", "trace_id", "session_id", "start_time", "key", "number", "score",
    "value", "comment", "correction", "source", "metadata", "subject", "extra", "feedback_group_id",
    "comparative_experiment_id", "thread_id", "assistant_id", "assistant_version", "trace_parent", "project",
    "review_status", "review_note", "reviewed_at", "review_assignee", "reviewer",
)  # fmt: skip
SELECT = f"SELECT {', '.join(COLUMNS)} FROM feedback"
ID, CREATED_AT, RUN_ID, KEY, ASSISTANT_ID = map(COLUMNS.index, ("id", "created_at", "run_id", "key", "assistant_id"))
Tuple = tuple[Any, ...]
ReadJson = Callable[[str | None], Any]


class Names(Struct):
    """What rows refer to: the kinds of feedback keys, the names of assistants, and the metadata of runs."""

    kinds: Mapping[str, KeyKind]
    assistants: Mapping[Any, str | None]
    metadata: Mapping[str, dict[str, str]]


def keep_json(text: str | None) -> Raw | None:
    """Return stored JSON to be written as it is."""
    return None if text is None else Raw(text)


def convert_rows(rows: Sequence[Tuple], names: Names, read_json: ReadJson = decode_json) -> list[ReviewedFeedback]:
    """Return the feedback of rows of `COLUMNS`; `read_json` reads score, value, correction, metadata and `extra`."""
    kinds, assistants, metadata_of = names.kinds, names.assistants, names.metadata
    feedback: list[ReviewedFeedback] = []
    for row in rows:
        (
            feedback_id, created_at, modified_at, run_id, trace_id, session_id, start_time, key, number, score,
            value, comment, correction, source, metadata, subject, extra, group_id,
            experiment_id, thread_id, assistant_id, assistant_version, trace_parent, project,
            review_status, review_note, reviewed_at, review_assignee, reviewer,
        ) = row  # fmt: skip
        created = from_micros(created_at)
        has_id, kind = is_id(run_id), kinds.get(key, UNKNOWN)
        # Positional, in the order of the fields: names would take as long as all the rest.
        feedback.append(
            ReviewedFeedback(
                feedback_id,
                created,
                created if modified_at == created_at else from_micros(modified_at),
                run_id if has_id else None,
                trace_id if (trace_id == run_id and has_id) or is_id(trace_id) else None,
                None if has_id else run_id,
                session_id if is_id(session_id) else None,
                start_time,
                key,
                read_json(score),
                read_json(value),
                comment,
                read_json(correction),
                FeedbackSource(source, read_json(metadata) if metadata else {}, subject),
                read_json(extra),
                group_id,
                experiment_id,
                thread_id,
                assistant_id,
                assistant_version,
                trace_parent,
                project,
                kind.name,
                assistants.get(assistant_id),
                kind.is_positive(number),
                review_status or "new",
                review_note,
                None if reviewed_at is None else from_micros(reviewed_at),
                review_assignee,
                reviewer,
                metadata_of.get(run_id, {}) if metadata_of else {},
            )
        )
    return feedback
