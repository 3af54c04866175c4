"""Feedback by subject: what a subject (`user_id`) submitted for one run and feedback key.

The feedback key's policy says how many submissions are stored. Those stored under `append` (`adds_up`) coexist; of all
others a unique index allows one for each subject. Each of the two kinds has its own index.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feedback.configs.key_configs import find_config_of_url
from feedback.database import Connection, Row
from feedback.errors import FeedbackIsFinal
from feedback.rows import COLUMNS
from feedback.tokens.presigned import Grant
from feedback.validation import from_micros

SELECT = f"SELECT {', '.join(COLUMNS)} FROM feedback"
_OF_KEY = "SELECT id FROM feedback WHERE project = :project AND run_id = :run_id AND key = :key"
_REPLACEABLE = f"{_OF_KEY} AND (CASE WHEN adds_up = 0 THEN subject END) = :subject"
"""Its expression is a column of the index `feedback_run`."""
_ADDED = f"{_OF_KEY} AND subject = :subject AND adds_up = 1"
REPLACEABLE = f"{SELECT} WHERE id = ({_REPLACEABLE})"
ALL = f"{SELECT} WHERE id IN ({_REPLACEABLE} UNION ALL {_ADDED})"
FIRST = f"{ALL} ORDER BY created_at, id LIMIT 1"


def find_replaceable(db: Connection, new_row: Mapping[str, Any]) -> Row | None:
    """Return the subject's feedback that another submission replaces."""
    return db.one(REPLACEABLE, **_subject_parameters(new_row))


def find_first(db: Connection, new_row: Mapping[str, Any]) -> Row | None:
    """Return the subject's first feedback."""
    return db.one(FIRST, **_subject_parameters(new_row))


def find_latest(db: Connection, grant: Grant, subject: str, through_url: bool = False) -> Row | None:
    """Return the subject's latest feedback on the grant's run and key; with `through_url`, only through a URL."""
    where = "WHERE grant_id IS NOT NULL " if through_url else ""
    sql = f"SELECT * FROM ({ALL}) AS own {where}ORDER BY created_at DESC, id DESC LIMIT 1"
    return db.one(sql, run_id=grant.run_id, key=grant.key, subject=subject)


def check_retractable(db: Connection, grant: Grant, row: Row) -> None:
    """Reject a retraction under `first`, which would make it `replace` in two steps. Errors: `FeedbackIsFinal`."""
    if row["subject"] is not None and find_config_of_url(db, grant.key, grant.config).subject_policy == "first":
        raise FeedbackIsFinal("The first feedback is final; it cannot be retracted through its URL")


def feedback_is_final(row: Row) -> FeedbackIsFinal:
    """Return the 409 for a second submission under `first`."""
    at = from_micros(row["created_at"])
    return FeedbackIsFinal(f"This user submitted feedback at {at}, which is final; this submission was not stored")


def _subject_parameters(new_row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: new_row[name] for name in ("run_id", "key", "subject")}
