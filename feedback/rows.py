"""Rows of the feedback table: built from submissions, and converted to the wire's `Feedback`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import uuid_utils
from msgspec import UNSET

from feedback.configs.feedback_config import FeedbackConfig, Score, Value
from feedback.database import Row
from feedback.runs import RunPlace
from feedback.schema import Feedback, FeedbackCreate, FeedbackPatch, FeedbackSource, FeedbackSubmission
from feedback.tokens.presigned import Grant
from feedback.validation import from_micros, is_id, parse_time, run_name, to_micros

CONTENT = ("number", "score", "value", "comment", "correction", "metadata", "extra", "source")
"""The columns of the feedback's content."""
ABOUT = (
    "run_id",
    "trace_id",
    "session_id",
    "start_time",
    "comparative_experiment_id",
    "feedback_group_id",
    "key",
    "subject",
)
"""The columns that identify what the feedback is about, and its subject."""
PLACE = ("thread_id", "assistant_id", "assistant_version", "trace_parent")
"""The columns of the run's thread, assistant and trace."""
COLUMNS = (
    "id",
    "project",
    *ABOUT,
    *CONTENT,
    *PLACE,
    "grant_id",
    "grant_key",
    "idempotency",
    "created_at",
    "modified_at",
)


def build_submission_row(
    grant: Grant, config: FeedbackConfig, submission: FeedbackSubmission, idempotency_key: str | None
) -> dict[str, Any]:
    """Return the row of a submission through a token. `Rejected` if the configuration does not allow it."""
    return {
        **dict.fromkeys(ABOUT),
        **build_submission_columns(grant, config, submission),
        "idempotency": hash_idempotency_key(grant.scope, idempotency_key),
        "created_at": None,
    }


def build_submission_columns(grant: Grant, config: FeedbackConfig, submission: FeedbackSubmission) -> dict[str, Any]:
    """Return the columns that a submission through a token fills. Errors: `Rejected`."""
    return {
        **_value_columns(*config.check(submission.score, submission.value)),
        "id": submission.id or str(uuid_utils.uuid7()),
        "run_id": grant.run_id,
        "trace_id": grant.run_id if is_id(grant.run_id) else None,
        "key": grant.key,
        "subject": submission.user_id,
        "comment": submission.comment,
        "correction": encode_json(submission.correction),
        "metadata": encode_json(submission.metadata),
        "extra": None if submission.scale is None else encode_json({"scale": submission.scale}),
        "source": "api",
        "grant_id": grant.id,
        "grant_key": grant.place,
    }


def build_place_columns(place: RunPlace | Grant) -> dict[str, Any]:
    """Return the columns of the run that feedback is about."""
    return {
        "thread_id": place.thread_id,
        "assistant_id": place.assistant_id,
        "assistant_version": place.assistant_version,
        "trace_parent": place.trace_parent,
    }


def build_created_row(feedback: FeedbackCreate, idempotency_key: str | None) -> dict[str, Any]:
    """Return the row of feedback that a program recorded, without the columns that `build_score_columns` returns."""
    source = feedback.feedback_source or FeedbackSource()
    runs = {name: getattr(feedback, name) for name in ("run_id", "trace_id", "session_id")}
    return {
        **{name: None if text is None else run_name(name, text) for name, text in runs.items()},
        "id": feedback.id or str(uuid_utils.uuid7()),
        "start_time": feedback.start_time,
        "comparative_experiment_id": feedback.comparative_experiment_id,
        "feedback_group_id": feedback.feedback_group_id,
        "key": feedback.key,
        "subject": source.user_id,
        "comment": feedback.comment,
        "correction": encode_json(feedback.correction),
        "metadata": encode_json(source.metadata),
        "extra": encode_json(feedback.extra),
        "source": source.type,
        "grant_id": None,
        "grant_key": None,
        "idempotency": hash_idempotency_key("api", idempotency_key),
        "created_at": to_micros(parse_time("created_at", feedback.created_at)) if feedback.created_at else None,
    }


def build_score_columns(feedback: FeedbackCreate, config: FeedbackConfig) -> dict[str, Any]:
    """Return the columns of score and value. `Rejected` if the configuration does not allow them."""
    return _value_columns(*config.check(feedback.score, feedback.value))


def build_patch_columns(row: Row, patch: FeedbackPatch, config: FeedbackConfig) -> dict[str, Any]:
    """Return the columns that the patch changes. `Rejected` if the configuration does not allow the result."""
    changes: dict[str, Any] = {}
    if patch.comment is not UNSET:
        changes["comment"] = patch.comment
    if patch.correction is not UNSET:
        changes["correction"] = encode_json(patch.correction)
    if patch.score is not UNSET or patch.value is not UNSET:
        score = decode_json(row["score"]) if patch.score is UNSET else patch.score
        value = decode_json(row["value"]) if patch.value is UNSET else patch.value
        changes |= _value_columns(*config.check(score, value))
    return changes


def _value_columns(score: Score, value: Value) -> dict[str, Any]:
    number = None if score is None else float(score)
    return {"number": number, "score": encode_json(score), "value": encode_json(value)}


def encode_json(value: Any) -> str | None:
    """Encode a value as stored JSON."""
    return None if value is None else msgspec.json.encode(value).decode()


def decode_json(text: str | None) -> Any:
    """Decode stored JSON."""
    return None if text is None else msgspec.json.decode(text)


def hash_idempotency_key(scope: str, key: str | None) -> str | None:
    """Return the hash of an Idempotency-Key, by which a repeated request is found; it is unique only within `scope`."""
    return None if not key else hashlib.sha256(f"{scope}\0{key}".encode()).hexdigest()[:32]


def read_feedback(row: Mapping[str, Any]) -> Feedback:
    """Convert a row of `COLUMNS` to the wire's `Feedback`; `reports/reviewed_rows.py` converts many, by position."""
    run_id, trace_id, session_id = row["run_id"], row["trace_id"], row["session_id"]
    has_id = is_id(run_id)
    created_at, modified_at = row["created_at"], row["modified_at"]
    created = from_micros(created_at)
    return Feedback(
        id=row["id"],
        created_at=created,
        modified_at=created if modified_at == created_at else from_micros(modified_at),
        run_id=run_id if has_id else None,
        trace_id=trace_id if is_id(trace_id) else None,
        run_name=None if has_id else run_id,
        session_id=session_id if is_id(session_id) else None,
        start_time=row["start_time"],
        key=row["key"],
        score=decode_json(row["score"]),
        value=decode_json(row["value"]),
        comment=row["comment"],
        correction=decode_json(row["correction"]),
        feedback_source=FeedbackSource(row["source"], decode_json(row["metadata"]) or {}, row["subject"]),
        extra=decode_json(row["extra"]),
        feedback_group_id=row["feedback_group_id"],
        comparative_experiment_id=row["comparative_experiment_id"],
        thread_id=row["thread_id"],
        assistant_id=row["assistant_id"],
        assistant_version=row["assistant_version"],
        trace_parent=row["trace_parent"],
        project=row["project"],
    )
