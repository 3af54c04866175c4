"""Copy an embedded server's data directory while the server runs; a server can start from the copy."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from agent_server.errors import Conflict, NotFound, Unavailable

FILES = ("runs.db", "checkpoints.db", "store.db", "feedback.db")
"""`checkpoints.db` is of earlier versions: the next start of a server moves it to `runs.db`."""


def back_up(data_dir: Path, target: Path) -> list[Path]:
    """Copy the files to `target`, which is created and appears only once everything is on the disk.

    Each file is a consistent snapshot. Errors: `NotFound` if there is nothing to copy, `Conflict` if `target` exists,
    `Unavailable` if the disk cannot be written to.
    """
    found = [data_dir / name for name in FILES if (data_dir / name).exists()]
    if not found:
        raise NotFound(f"There is no data in {data_dir}; name another directory with --data-dir, or a --config")
    if target.exists():
        raise Conflict(f"{target} is there already; name a directory that is not")
    try:
        with _complete_or_remove(target) as unfinished:
            for file in found:
                _copy(file, unfinished / file.name)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"The copy in {target} could not be made: {error}") from error
    return [target / file.name for file in found]


@contextmanager
def _complete_or_remove(target: Path) -> Iterator[Path]:
    """Yield a directory to write to, which becomes `target` at the end; an error removes it."""
    unfinished = target.with_name(f".{target.name}.unfinished-{os.getpid()}")
    unfinished.mkdir(parents=True, mode=0o700)
    try:
        yield unfinished
        _flush(unfinished)
        unfinished.rename(target)
        _flush(target.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _copy(file: Path, copy: Path) -> None:
    """Copy a database in one step: if copied in pieces, SQLite restarts whenever the server has written."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.execute("PRAGMA query_only = ON")
        source.backup(target, pages=-1)
    _flush(copy)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
