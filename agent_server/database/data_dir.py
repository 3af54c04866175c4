"""The data directory of an embedded server, which is one process's at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent_server.errors import Unavailable


@contextmanager
def hold_data_dir(data_dir: Path) -> Iterator[None]:
    """Hold the directory for this process, making it if need be; however the process ends, the hold ends with it.

    `Unavailable` where another process holds it, or it cannot be made or written to.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (data_dir / "lock").open("w")
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
