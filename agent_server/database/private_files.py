"""Keep database files from other users of the machine: they hold conversations, signing keys and hashes of API keys."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from agent_server.errors import Unavailable

FOLDER_MODE = 0o700
FILE_MODE = 0o600
_BESIDE = ("", "-wal", "-shm", "-journal")
"""SQLite gives these files the mode of the database's own when it makes them."""


def make_private(database: Path) -> None:
    """Make the file of a SQLite database and its folder, where they are missing, for their owner alone.

    Files that are there already are mended. Errors: `Unavailable` where the folder or the file cannot be made.
    """
    try:
        database.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        os.close(os.open(database, os.O_RDWR | os.O_CREAT, FILE_MODE))
    except IsADirectoryError:
        return  # SQLite says so itself
    except OSError as error:
        raise Unavailable(f"the database {database} cannot be made or opened: {error.strerror}") from error
    for ending in _BESIDE:
        close_to_others(Path(f"{database}{ending}"), FILE_MODE)


def close_to_others(path: Path, mode: int) -> None:
    """Take what `mode` does not grant from the file's permissions; not of a file of another owner, or a missing one."""
    with suppress(OSError):
        found = path.stat().st_mode & 0o777
        if found & ~mode:
            path.chmod(found & mode)
