"""Detect that the file of an open SQLite database is no longer the one at its path.

SQLite keeps using a file that was deleted or replaced: every commit succeeds, and is lost when the process ends.
"""

from __future__ import annotations

import os

from agent_server.errors import Unavailable

_Identity = tuple[int, int]


class FileWatch:
    """The identities (device and inode) of a database's file and of its write-ahead log."""

    def __init__(self, path: str) -> None:
        self._path, self._log_path = path, f"{path}-wal"
        self._file: _Identity | None = None
        self._log: _Identity | None = None

    def begin(self) -> None:
        """Record the file at the path as the right one, just after the database was opened."""
        self._file, self._log = _identity(self._path), _identity(self._log_path)

    def check(self) -> None:
        """Compare the file at the path. Errors: `Unavailable` if it is another one or missing."""
        if self._file is not None and _identity(self._path) != self._file:
            raise Unavailable(
                f"the database file {self._path} was deleted or replaced while the server uses it, so nothing written "
                "now would last. Stop the server, put the file back (from a backup), and start the server again"
            )

    def check_with_log(self) -> None:
        """As `check`, also for the write-ahead log, which has the latest commits."""
        self.check()
        found = _identity(self._log_path)
        if self._log is None:  # the first commit creates it; it stays until the last connection is closed
            self._log = found
        elif found != self._log:
            raise Unavailable(
                f"the write-ahead log {self._log_path} was deleted or replaced while the server uses it, so what was "
                "written last may be lost. Stop the server, restore the database from a backup, and start it again"
            )


def _identity(path: str) -> _Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
