"""Deny other users access to database files, which hold conversations, signing keys and API key hashes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from agent_server.errors import Unavailable

FOLDER_MODE = 0o700
FILE_MODE = 0o600
_BESIDE = ("", "-wal", "-shm", "-journal")
"""The database and its side files, which SQLite creates with the database's mode."""


def make_private(database: Path) -> None:
    """Create the file of a SQLite database and its folder, if missing, with access for their owner only.

    Existing files are corrected. Errors: `Unavailable` if the folder or the file cannot be created.
    """
    try:
        database.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        os.close(os.open(database, os.O_RDWR | os.O_CREAT, FILE_MODE))
    except IsADirectoryError:
        return  # SQLite reports it
    except OSError as error:
        raise Unavailable(f"the database {database} cannot be made or opened: {error.strerror}") from error
    for ending in _BESIDE:
        close_to_others(Path(f"{database}{ending}"), FILE_MODE)


def close_to_others(path: Path, mode: int) -> None:
    """Remove permissions beyond `mode` from the file; ignore a missing file or one of another owner."""
    with suppress(OSError):
        found = path.stat().st_mode & 0o777
        if found & ~mode:
            path.chmod(found & mode)
