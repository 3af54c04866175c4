"""Closing: revokes all tokens of runs whose feedback is erased, and deletes their grants and copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from feedback.database import Connection, build_in_list
from feedback.projects.scoped_database import DEFAULT, ProjectConnection, get_unscoped
from feedback.records.purge import ROWS_AT_ONCE, delete_url_denials
from feedback.records.run_copies import delete_all_copies, delete_copies

DENY = """INSERT INTO feedback_denial (project, id, run_id, ring_key, revoked_at)
VALUES (:project, :id, CAST(:run_id AS TEXT), NULL, now_us())
ON CONFLICT (id) DO UPDATE SET revoked_at = excluded.revoked_at"""
RUNS = """SELECT run_id FROM feedback WHERE project = :project AND {0}
UNION SELECT run_id FROM feedback_history WHERE project = :project AND {0}
UNION SELECT run_id FROM feedback_grant WHERE project = :project AND {0}"""
FORGET_MINTED = "DELETE FROM feedback_minted WHERE project = :project AND substr(body, 1, CAST(:length AS INTEGER)) IN "
FORGET_ALL_MINTED = "DELETE FROM feedback_minted WHERE project = :project"
GRANTS = "SELECT id FROM feedback_grant WHERE project = :project AND"
CLOSED = "SELECT id, key_count FROM feedback_grant WHERE project = :project AND"
FORGET_ALL_URLS = "DELETE FROM feedback_denial WHERE project = :project AND id LIKE 'url %'"


class Closed(Struct, frozen=True):
    """How many grants were deleted, and how many copies of the runs."""

    grants: int
    copies: int


def close(db: Connection, condition: str, parameters: Mapping[str, Any]) -> Closed:
    """Revoke all tokens of the runs with matching feedback or URLs; delete their grants and copies."""
    runs = [row["run_id"] for row in db.all(RUNS.format(condition), **parameters) if row["run_id"] is not None]
    deny(db, runs)
    copies = delete_copies(db, runs)
    delete_url_denials(get_unscoped(db), db.all(f"{CLOSED} {condition}", **parameters))
    return Closed(_drop_grants(db, condition, parameters), copies)


def close_all(db: Connection, denial: str) -> Closed:
    """Revoke all tokens that the project has issued until now; delete all grants and all copies of runs."""
    db.execute(DENY, id=denial, run_id=None)
    db.execute(FORGET_ALL_MINTED)
    db.execute(FORGET_ALL_URLS)
    return Closed(_drop_grants(db, "1 = 1", {}), delete_all_copies(db))


def deny(db: Connection, run_ids: Sequence[str]) -> None:
    """Revoke all sealed tokens that were minted for the runs until now."""
    for run_id in run_ids:
        db.execute(DENY, id=_denial(db, run_id), run_id=run_id)
    by_length: dict[int, list[str]] = {}
    for run_id in run_ids:
        start = "[" + msgspec.json.encode(run_id).decode() + ","
        by_length.setdefault(len(start), []).append(start)
    for length, starts in by_length.items():  # ids are mostly of one length, so that the table is read once for many
        for at in range(0, len(starts), ROWS_AT_ONCE):
            chosen, names = build_in_list("start", starts[at : at + ROWS_AT_ONCE])
            db.execute(FORGET_MINTED + chosen, length=length, **names)


def _denial(db: Connection, run_id: str) -> str:
    """Return the id of the run's denial; in `default` it is the same as before there were projects."""
    project = db.project if isinstance(db, ProjectConnection) else DEFAULT
    return f"run {run_id}" if project == DEFAULT else f"project-run {project} {run_id}"


def _drop_grants(db: Connection, condition: str, parameters: Mapping[str, Any]) -> int:
    db.execute(f"DELETE FROM feedback_use WHERE grant_id IN ({GRANTS} {condition})", **parameters)
    return db.execute(f"DELETE FROM feedback_grant WHERE project = :project AND {condition}", **parameters)
