"""Rows in one SQLite file: durable, with many writers to a commit.

SQLite has one writer at a time, and a durable commit costs an fsync. So units do not wait for each other's fsync:
while the writer's thread is busy with one commit, further units queue up, and then all of them (up to `BATCH`) share
the next. Each runs in a savepoint of its own, so that one that raises takes nothing but itself back; all are answered
after the one commit. Reads go to connections of their own, which in WAL mode neither wait for the writer nor make it
wait.

A constraint must not be deferred (`DEFERRABLE INITIALLY DEFERRED`): SQLite would check it at the commit, where it would
fail all units that share it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from agent_server.database.file_check import FileCheck
from agent_server.database.file_watch import FileWatch
from agent_server.database.migrate import migrate
from agent_server.database.outages import Outages
from agent_server.database.private_files import make_private
from agent_server.database.protocol import Connection, Load
from agent_server.database.sqlite_connection import Outcome, SqliteConnection, SqliteThread, Work
from agent_server.errors import Unavailable

T = TypeVar("T")

BATCH = 256
"""How many units share a commit at most; it bounds how long the first of them waits for the last."""
READERS = 3


def _in_one_view(connection: SqliteConnection, unit: tuple[Work, FileWatch]) -> Outcome:
    """Return the outcome of one reading unit."""
    work, watch = unit
    watch.check()
    connection.execute("BEGIN")
    try:
        return connection.outcome(work)
    finally:
        connection.raw.rollback()


def _in_one_commit(connection: SqliteConnection, unit: tuple[list[Work], FileWatch]) -> list[Outcome]:
    """Return the outcomes of many writing units, all of them durable in the file at the database's path."""
    works, watch = unit
    watch.check_with_log()
    try:
        connection.execute("BEGIN IMMEDIATE")
        outcomes = [_in_savepoint(connection, work) for work in works]
        connection.execute("COMMIT")
    finally:
        connection.raw.rollback()  # nothing is left to take back after a commit
    watch.check_with_log()  # again: only now can a commit into a deleted file no longer pass for a durable one
    return outcomes


def _in_savepoint(connection: SqliteConnection, work: Work) -> Outcome:
    connection.execute("SAVEPOINT unit")
    value, error = connection.outcome(work)
    if error is not None:
        if not connection.raw.in_transaction:  # as SQLite does by itself when the disk is full: all units are gone
            raise Unavailable(f"the database took the whole transaction back: {error}") from error
        connection.execute("ROLLBACK TO unit")
    connection.execute("RELEASE unit")
    return value, error


class SqliteDatabase:
    """The database in the file at `path`; the file and its folder are made where they are missing.

    `commits` counts the commits that had something to write: with many writers at a time it is far below their number.
    """

    dialect: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, path: str) -> None:
        if not path or path == ":memory:":
            raise ValueError(
                "a SQLite database is a file here: sqlite:///relative/path.db or sqlite:////absolute/path.db"
            )
        self.commits = 0
        self._path = path
        self._watch = FileWatch(path)
        self._outages = Outages(path)
        self._waiting: deque[tuple[Work, asyncio.Future[Any]]] = deque()
        self._committing: asyncio.Task[None] | None = None
        self._idle: asyncio.LifoQueue[SqliteThread] = asyncio.LifoQueue()
        self._open = False

    async def __aenter__(self) -> Self:
        make_private(Path(self._path))
        async with AsyncExitStack() as stack:
            # The writer is closed last: the last one out moves the log into the file, which a reader may not.
            self._writer = await stack.enter_async_context(SqliteThread(self._path, read_only=False))
            for _ in range(READERS):
                self._idle.put_nowait(await stack.enter_async_context(SqliteThread(self._path, read_only=True)))
            self._threads = stack.pop_all()
        self._watch.begin()
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        async with self._threads:
            while self._committing is not None:
                await asyncio.wait((self._committing,))

    async def migrate(self, package: str) -> None:
        await migrate(self, package)

    async def read(self, work: Callable[[Connection], T]) -> T:
        self._check_open()
        thread = await self._idle.get()
        try:
            self._check_open()
            value, error = await thread.run(_in_one_view, (work, self._watch))
        except Unavailable as failure:
            self._outages.note(failure)
            raise
        finally:
            self._idle.put_nowait(thread)
        self._outages.note(error)
        if error is not None:
            raise error
        result: T = value
        return result

    async def write(self, work: Callable[[Connection], T]) -> T:
        self._check_open()
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, answer))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all())
        return await answer

    async def check(self) -> None:
        await FileCheck(Path(self._path), self._watch, self._outages).run()

    def load(self) -> Load:
        return Load(READERS + 1, self._idle.qsize() + (self._committing is None), len(self._waiting))

    def _check_open(self) -> None:
        if not self._open:
            raise Unavailable("the database is closed; it is open inside of its `async with` block")

    async def _commit_all(self) -> None:
        """Commit until nothing waits. It is the one task that the writer's thread works for."""
        try:
            while self._waiting:
                await self._commit_some()
                await asyncio.sleep(0)  # let those who were just answered write again, into the same next commit
        finally:
            self._committing = None

    async def _commit_some(self) -> None:
        units = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        units = [unit for unit in units if not unit[1].done()]  # whose caller was cancelled meanwhile
        if not units:
            return
        try:
            outcomes = await self._writer.run(_in_one_commit, ([work for work, _ in units], self._watch))
            self.commits += 1
            self._outages.note(None)
        except Exception as failure:
            self._outages.note(failure)
            outcomes = [(None, failure)] * len(units)
        for (_, answer), (value, error) in zip(units, outcomes, strict=True):
            if answer.done():
                continue
            if error is None:
                answer.set_result(value)
            else:
                answer.set_exception(error)
