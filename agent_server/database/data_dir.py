"""The data directory of an embedded server, locked by one process at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent_server.database.backup import FILES
from agent_server.database.private_files import FILE_MODE, FOLDER_MODE, close_to_others
from agent_server.errors import Unavailable

_OURS = ("lock", *FILES)


@contextmanager
def hold_data_dir(data_dir: Path) -> Iterator[None]:
    """Lock the directory for this process, and create it if needed; the lock ends with the process, however that ends.

    Other users get no access to the directory and its files. Errors: `Unavailable` if another process has the lock, or
    the directory cannot be created or written to.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        lock = (data_dir / "lock").open("w")
        _close_to_others(data_dir)
    except OSError as error:
        raise Unavailable(f"The data directory {data_dir} cannot be used: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unavailable(
                f"Another agent server uses the data directory {data_dir}. Stop it, give this one its own --data-dir, "
                "or let both use PostgreSQL (DATABASE_URL)"
            ) from None
        yield


def _close_to_others(data_dir: Path) -> None:
    """Restrict the permissions of files that earlier versions or other commands created.

    A directory with other files, such as a project's own, keeps its permissions; our files in it do not.
    """
    found = list(data_dir.iterdir())
    ours = [file for file in found if file.name.startswith(_OURS)]
    for file in ours:
        close_to_others(file, FILE_MODE)
    if len(ours) == len(found):
        close_to_others(data_dir, FOLDER_MODE)
