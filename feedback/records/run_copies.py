"""Copies of runs: examples of LangSmith's datasets that have a source run, and with it what its user wrote."""

from __future__ import annotations

from collections.abc import Iterable

from feedback.database import Connection, build_in_list

DELETE = "DELETE FROM feedback_resource WHERE project = :project AND run_id IN "
DELETE_ALL = "DELETE FROM feedback_resource WHERE project = :project AND run_id IS NOT NULL"
RUNS_AT_ONCE = 500


def delete_copies(db: Connection, run_ids: Iterable[str | None]) -> int:
    """Delete the copies of these runs; return their number."""
    runs = [one for one in dict.fromkeys(run_ids) if one is not None]
    deleted = 0
    for at in range(0, len(runs), RUNS_AT_ONCE):
        chosen, names = build_in_list("of_run", runs[at : at + RUNS_AT_ONCE])
        deleted += db.execute(DELETE + chosen, **names)
    return deleted


def delete_all_copies(db: Connection) -> int:
    """Delete the copies of all runs; return their number."""
    return db.execute(DELETE_ALL)
