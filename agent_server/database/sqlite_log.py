"""Space for the write-ahead log of a SQLite database."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

PAGES = 4000
"""The length of the log at which SQLite writes its pages back to the database, and begins again at its start."""
_PAGE_BYTES = 4096


def allocate_log(raw: sqlite3.Connection) -> None:
    """Lengthen the log to `PAGES` at once, so that commits overwrite it in place.

    A commit that lengthens the log also makes the file system write its own journal: it costs twice as much. SQLite
    writes a transaction that is larger than its cache to the log before the commit; after the rollback, the space
    stays. Only the time of commits depends on it, so a full disk is no error here.
    """
    with suppress(sqlite3.Error):
        try:
            raw.execute("BEGIN IMMEDIATE")
            raw.execute("CREATE TABLE space_of_log (filler)")
            raw.execute("INSERT INTO space_of_log VALUES (zeroblob(?))", (PAGES * _PAGE_BYTES,))
        finally:
            raw.rollback()
