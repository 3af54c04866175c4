"""Detect at startup that one database of a data directory is new while another is not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import structlog

log = structlog.get_logger("agent_server")


def warn_of_lost_feedback(data_dir: Path) -> bool:
    """Return whether the feedback of a server that has run before is missing, and log it as an error.

    The server then creates new signing keys, so every presigned URL issued before is invalid from now on.
    """
    file = data_dir / "feedback.db"
    if _has_rows(file, "feedback_ring") or not _has_rows(data_dir / "runs.db", "runs"):
        return False
    log.error(
        "feedback_database_is_missing",
        file=str(file),
        meaning="the server has runs, but its feedback and signing keys are gone: every feedback URL that was "
        "delivered returns 404 from now on. Unless you want this, stop the server and restore feedback.db from backup",
    )
    return True


def _has_rows(file: Path, table: str) -> bool:
    """Return whether the file is a database with rows in the table, or unreadable: opening it reports that."""
    if not file.exists() or file.stat().st_size == 0:
        return False
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as raw:
            return raw.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None
    except sqlite3.OperationalError as error:
        return "no such table" not in str(error)
    except sqlite3.Error:
        return True
