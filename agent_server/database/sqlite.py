"""The database in one SQLite file: durable, with group commits.

SQLite has one writer at a time, and a durable commit costs an fsync. To avoid one fsync per unit, units queue up while
the writer's thread is busy with a commit, and then share the next one (up to `BATCH`). Several units in a commit run in
a savepoint each, so that an error rolls back only its own unit; all get their results after the shared commit. Reads
use other connections, which in WAL mode neither wait for the writer nor block it.

Constraints must not be deferred (`DEFERRABLE INITIALLY DEFERRED`): SQLite would check them at the commit, where a
violation would fail all units that share it.
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
from agent_server.database.sqlite_log import allocate_log
from agent_server.errors import Unavailable

T = TypeVar("T")

BATCH = 256
"""The maximum number of units in a commit; it bounds how long the first of them waits for the last."""
GATHERING_ROUNDS = 8
"""The maximum number of times a commit waits for more units; it bounds how long the first of them waits."""
READERS = 3
COMMITS_BEFORE_LOG = 64
"""The number of commits after which the log gets its full length; a database with less work needs no such file."""


def _run_in_one_view(connection: SqliteConnection, unit: tuple[Work, FileWatch]) -> Outcome:
    """Return the outcome of one read unit."""
    work, watch = unit
    watch.check()
    connection.execute("BEGIN")
    try:
        return connection.outcome(work)
    finally:
        connection.raw.rollback()


def _run_in_one_commit(connection: SqliteConnection, unit: tuple[list[Work], FileWatch]) -> list[Outcome]:
    """Return the outcomes of many write units, all durable in the file at the database's path."""
    works, watch = unit
    try:
        connection.execute("BEGIN IMMEDIATE")
        if len(works) == 1:
            outcomes = [connection.outcome(works[0])]
        else:
            outcomes = [_run_in_savepoint(connection, work) for work in works]
        if len(works) > 1 or outcomes[0][1] is None:
            connection.execute("COMMIT")
    finally:
        connection.raw.rollback()  # after a commit there is nothing to roll back
        watch.check_with_log()  # after the commit: one into a deleted file must not count as durable
    return outcomes


def _run_in_savepoint(connection: SqliteConnection, work: Work) -> Outcome:
    connection.execute("SAVEPOINT unit")
    value, error = connection.outcome(work)
    if error is not None:
        if not connection.raw.in_transaction:  # SQLite itself rolls back all units when the disk is full
            raise Unavailable(f"the database took the whole transaction back: {error}") from error
        connection.execute("ROLLBACK TO unit")
    connection.execute("RELEASE unit")
    return value, error


class SqliteDatabase:
    """The database in the file at `path`; creates the file and its folder if they are missing.

    `commits` counts the commits: with many concurrent writers it is far below the number of writes.
    """

    dialect: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, path: str) -> None:
        if not path or path == ":memory:":
            raise ValueError(
                "a SQLite database is a file here: sqlite:///relative/path.db or sqlite:////absolute/path.db"
            )
        self.commits = 0
        self.path = path
        self._watch = FileWatch(path)
        self._outages = Outages(path)
        self._waiting: deque[tuple[Work, asyncio.Future[Any]]] = deque()
        self._committing: asyncio.Task[None] | None = None
        self._idle: asyncio.LifoQueue[SqliteThread] = asyncio.LifoQueue()
        self._has_long_log = False
        self._open = False

    async def __aenter__(self) -> Self:
        make_private(Path(self.path))
        async with AsyncExitStack() as stack:
            # Close the writer last: the last connection moves the log into the file, which a reader may not.
            self._writer = await stack.enter_async_context(SqliteThread(self.path, read_only=False))
            for _ in range(READERS):
                self._idle.put_nowait(await stack.enter_async_context(SqliteThread(self.path, read_only=True)))
            self._threads = stack.pop_all()
        self._watch.begin()
        self._loop = asyncio.get_running_loop()
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
            value, error = await thread.run(_run_in_one_view, (work, self._watch))
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
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, result))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all())
        return await result

    async def check(self) -> None:
        await FileCheck(Path(self.path), self._watch, self._outages).run()

    def load(self) -> Load:
        return Load(READERS + 1, self._idle.qsize() + (self._committing is None), len(self._waiting))

    def _check_open(self) -> None:
        if not self._open:
            raise Unavailable("the database is closed; it is open inside of its `async with` block")
        if self._loop is not asyncio.get_running_loop():  # its queues could not wake a task of another one
            raise RuntimeError("the database belongs to another event loop; open one in the loop that uses it")

    async def _commit_all(self) -> None:
        """Commit until nothing waits. Only this task uses the writer's thread."""
        try:
            while self._waiting:
                await self._gather_units()
                await self._commit_some()
                if self.commits >= COMMITS_BEFORE_LOG and not self._has_long_log:
                    self._has_long_log = True
                    await self._writer.run(lambda connection, _: allocate_log(connection.raw), None)
                await asyncio.sleep(0)  # let callers that just got a result write again, into the next shared commit
        finally:
            self._committing = None

    async def _gather_units(self) -> None:
        """Wait while requests that have arrived already add units: they share the commit, and its fsync and pages.

        It takes two turns of the event loop from a request's bytes to its unit. Alone, a unit waits for these only.
        """
        for _ in range(GATHERING_ROUNDS):
            count = len(self._waiting)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if not count < len(self._waiting) < BATCH:
                return

    async def _commit_some(self) -> None:
        units = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        units = [unit for unit in units if not unit[1].done()]  # their callers were cancelled meanwhile
        if not units:
            return
        try:
            outcomes = await self._writer.run(_run_in_one_commit, ([work for work, _ in units], self._watch))
            self.commits += 1
            self._outages.note(None)
        except Exception as failure:
            self._outages.note(failure)
            outcomes = [(None, failure)] * len(units)
        for (_, result), (value, error) in zip(units, outcomes, strict=True):
            if result.done():
                continue
            if error is None:
                result.set_result(value)
            else:
                result.set_exception(error)
