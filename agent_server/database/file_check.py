"""Check a SQLite database over a new connection, as the next process to open it would find it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from agent_server.database.file_watch import FileWatch
from agent_server.database.outages import Outages
from agent_server.errors import Unavailable

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'"
PROBE_SECONDS = 2.0
"""How long a check waits for another writer's lock."""


class FileCheck:
    """Checks the file that was at the path when the instance was created."""

    def __init__(self, path: Path, watch: FileWatch | None = None, outages: Outages | None = None) -> None:
        """`watch` and `outages` are those of the database's connections, if any."""
        self._path = str(path)
        self._outages = outages or Outages(self._path)
        self._watch = watch or FileWatch(self._path)
        if watch is None:
            self._watch.begin()

    async def run(self) -> None:
        """Check that the database can be read and written. Errors: `Unavailable`."""
        try:
            await asyncio.to_thread(self._check)
        except Unavailable as error:
            self._outages.note(error)
            raise
        self._outages.note(None)

    def _check(self) -> None:
        self._watch.check_with_log()
        check_file(self._path)


def check_file(path: str) -> None:
    """Open the database anew, read from every table, and briefly take the write lock.

    A new connection has no cached pages that could hide a damaged file. Errors: `Unavailable`.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=PROBE_SECONDS)) as raw:
            for (name,) in raw.execute(_TABLES).fetchall():
                raw.execute(f'SELECT * FROM "{name}" LIMIT 1').fetchone()
            raw.execute("BEGIN IMMEDIATE")
            raw.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise Unavailable(f"the database does not respond: {error}") from error
