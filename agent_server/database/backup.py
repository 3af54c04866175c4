"""A copy of an embedded server's data directory that a server can be started from, made while the server runs."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from agent_server.errors import Conflict, NotFound, Unavailable

FILES = ("runs.db", "checkpoints.db", "store.db", "feedback.db")
"""In this order, so that a run's row is never newer than its checkpoints: a run that was at work meanwhile is taken up
from the copy as it would be after a crash."""


def back_up(data_dir: Path, target: Path) -> list[Path]:
    """The files of the copy in `target`, which is made, and there only once all of it is on the disk.

    Each file is as it was at one moment. `NotFound` where there is nothing to copy, `Conflict` where `target` is there
    already, `Unavailable` where the disk does not take it.
    """
    found = [data_dir / name for name in FILES if (data_dir / name).exists()]
    if not found:
        raise NotFound(f"There is no data in {data_dir}; name another directory with --data-dir, or a --config")
    if target.exists():
        raise Conflict(f"{target} is there already; name a directory that is not")
    try:
        with _made_whole(target) as unfinished:
            for file in found:
                _copy(file, unfinished / file.name)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"The copy in {target} could not be made: {error}") from error
    return [target / file.name for file in found]


@contextmanager
def _made_whole(target: Path) -> Iterator[Path]:
    """A directory to write to, which is `target` at the end; after an error nothing is left of it."""
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
    """Copy a database in one step: in pieces, SQLite begins again whenever the server has written."""
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
