"""Move the checkpoints that earlier versions kept in a file of their own to the file of runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import structlog

from agent_server.errors import Unavailable

log = structlog.get_logger("agent_server")

ROWS_A_COMMIT = 1000

_COLUMNS = {
    "checkpoints": "thread_id checkpoint_ns checkpoint_id parent_checkpoint_id type checkpoint metadata",
    "writes": "thread_id checkpoint_ns checkpoint_id task_id task_path idx channel type value",
}


def move_checkpoints(former: Path, path: str) -> None:
    """Copy the checkpoints of the file `former`, if there is one, to the database at `path`; then delete the file.

    A move that was interrupted is done again: nothing else writes to the database before its end. Errors: `Unavailable`
    if the file cannot be read or deleted.
    """
    if not former.exists():
        return
    log.info("checkpoints_are_moved", file=str(former), to=path)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as raw:
            raw.execute("PRAGMA synchronous = FULL")
            raw.execute("ATTACH DATABASE ? AS former", (str(former),))
            counts = {table: _copy(raw, table) for table in _COLUMNS}
        former.unlink()
    except (OSError, sqlite3.Error) as error:  # a file that stays would bring deleted threads back at the next start
        raise Unavailable(
            f"The checkpoints in {former} could not be moved to {path} (after which the file is deleted): {error}"
        ) from error
    log.info("checkpoints_moved", **counts)


def _copy(raw: sqlite3.Connection, table: str) -> int:
    """Copy the rows of a table in steps; return their number."""
    there = {name for (name,) in raw.execute("SELECT name FROM pragma_table_info(?, 'former')", (table,))}
    if not there:
        return 0
    columns = ", ".join(name for name in _COLUMNS[table].split() if name in there)
    first, last = raw.execute(
        f"SELECT COALESCE(MIN(rowid), 0), COALESCE(MAX(rowid), -1) FROM former.{table}"
    ).fetchone()
    copy = f"""INSERT OR IGNORE INTO main.{table} ({columns})
        SELECT {columns} FROM former.{table} WHERE rowid BETWEEN ? AND ?"""
    return sum(raw.execute(copy, (at, at + ROWS_A_COMMIT - 1)).rowcount for at in range(first, last + 1, ROWS_A_COMMIT))
