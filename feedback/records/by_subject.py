"""Subjects: what a person (`user_id`) has answered to one run and key. How many answers may be is the key's policy.

Those that were kept under `append` (`adds_up`) stand beside each other; of all others a unique index lets a subject
have one. Each of the two kinds has an index of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feedback.configs.key_configs import config_of_url
from feedback.database import Connection, Row
from feedback.errors import AnswerStands
from feedback.rows import COLUMNS
from feedback.tokens.presigned import Grant
from feedback.validation import from_micros

SELECT = f"SELECT {', '.join(COLUMNS)} FROM feedback"
_HALF = """SELECT id FROM feedback
WHERE project = :project AND run_id = :run_id AND key = :key AND subject = :subject AND adds_up"""
REPLACEABLE = f"{SELECT} WHERE id = ({_HALF} = 0)"
ALL = f"{SELECT} WHERE id IN ({_HALF} = 0 UNION ALL {_HALF} = 1)"
FIRST = f"{ALL} ORDER BY created_at, id LIMIT 1"


def replaceable_answer(db: Connection, answer: Mapping[str, Any]) -> Row | None:
    """The one answer of the subject that another replaces."""
    return db.one(REPLACEABLE, **_of(answer))


def first_answer(db: Connection, answer: Mapping[str, Any]) -> Row | None:
    """What the subject has answered first."""
    return db.one(FIRST, **_of(answer))


def latest_answer(db: Connection, grant: Grant, subject: str, through_url: bool = False) -> Row | None:
    """What the subject has answered last to the grant's run and key; with `through_url`, by themselves."""
    where = "WHERE grant_id IS NOT NULL " if through_url else ""
    sql = f"SELECT * FROM ({ALL}) AS own {where}ORDER BY created_at DESC, id DESC LIMIT 1"
    return db.one(sql, run_id=grant.run_id, key=grant.key, subject=subject)


def check_retractable(db: Connection, grant: Grant, row: Row) -> None:
    """Refuse to take back what stands: else `first` would be `replace` in two steps. Errors: `AnswerStands`."""
    if row["subject"] is not None and config_of_url(db, grant.key, grant.config).subject_policy == "first":
        raise AnswerStands("The first answer to this stands, and cannot be taken back through its URL")


def answer_stands(row: Row) -> AnswerStands:
    """The error that says so."""
    at = from_micros(row["created_at"])
    return AnswerStands(f"This was answered at {at}, and the first answer stands; this one was not kept")


def _of(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in ("run_id", "key", "subject")}
