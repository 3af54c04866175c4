"""One connection to a SQLite file: its statements, its settings, and its thread."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

import aiosqlite

from agent_server.database.containment import json_contains
from agent_server.database.protocol import Connection, Row
from agent_server.database.sqlite_log import PAGES
from agent_server.errors import Conflict, Unavailable

T = TypeVar("T")
Work = Callable[[Connection], Any]
Outcome = tuple[Any, BaseException | None]
"""The return value of a unit of work, or its error."""

BUSY_SECONDS = 5.0
"""How long to wait for another process that writes to the same file."""

_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # an fsync with each commit
    "PRAGMA foreign_keys = ON",
    f"PRAGMA wal_autocheckpoint = {PAGES}",  # a page that many commits change is written back once for all
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA secure_delete = ON",  # overwrite erased data in the file, whatever SQLite's build options
)
_UNAVAILABLE = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    )
)
_TAKEN = frozenset(
    (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID)
)


def _convert_error(error: sqlite3.Error) -> Exception:
    """Convert the driver's error to this package's; return a programming error unchanged."""
    code = getattr(error, "sqlite_errorcode", 0)  # errors of the sqlite3 module itself have none
    if code in _TAKEN:
        return Conflict(f"such a row exists already ({error})")
    if code & 0xFF in _UNAVAILABLE:
        return Unavailable(f"the database does not respond: {error}")
    return error


def _now_us() -> int:
    return time.time_ns() // 1000


def _fetch_first(cursor: sqlite3.Cursor) -> Row | None:
    row = cursor.fetchone()
    return None if row is None else dict(zip([column[0] for column in cursor.description], row, strict=True))


def _fetch_all(cursor: sqlite3.Cursor) -> list[Row]:
    rows = cursor.fetchall()
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _fetch_tuples(cursor: sqlite3.Cursor) -> list[tuple[Any, ...]]:
    return cursor.fetchall()


def _count_changed(cursor: sqlite3.Cursor) -> int:
    return max(cursor.rowcount, 0)


class SqliteConnection:
    """The statements of one transaction on SQLite."""

    skip_locked = ""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        self.failed: Exception | None = None

    def one(self, sql: str, /, **parameters: object) -> Row | None:
        return self._run(_fetch_first, sql, parameters)

    def all(self, sql: str, /, **parameters: object) -> list[Row]:
        return self._run(_fetch_all, sql, parameters)

    def tuples(self, sql: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        return self._run(_fetch_tuples, sql, parameters)

    def execute(self, sql: str, /, **parameters: object) -> int:
        return self._run(_count_changed, sql, parameters)

    def _run(self, take: Callable[[sqlite3.Cursor], T], sql: str, parameters: dict[str, object]) -> T:
        try:
            cursor = self.raw.execute(sql, parameters)
            taken = take(cursor)
            cursor.close()  # a statement with unread rows would block the commit
        except sqlite3.Error as error:
            self.failed = _convert_error(error)
            if self.failed is error:
                raise
            raise self.failed from error
        return taken

    def outcome(self, work: Work) -> Outcome:
        """Return the return value or the error of `work`."""
        self.failed = None
        try:
            value = work(self)
        except StopIteration as error:  # a future cannot hold it: it would end the awaiting coroutine
            return None, RuntimeError(f"a unit of work let {error!r} out")
        except BaseException as error:
            return None, error
        return value, self.failed  # work that swallows a statement's error has failed, too, as on PostgreSQL


def _open(path: str, read_only: bool) -> sqlite3.Connection:
    raw = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS, cached_statements=512)
    try:
        for setting in _SETTINGS:
            raw.execute(setting).fetchall()
        if read_only:
            raw.execute("PRAGMA query_only = ON")
        raw.create_function("now_us", 0, _now_us)
        raw.create_function("json_contains", 2, json_contains, deterministic=True)
    except BaseException:
        raw.close()
        raise
    return raw


class SqliteThread:
    """One SQLite connection and its thread."""

    def __init__(self, path: str, *, read_only: bool) -> None:
        self._path = path
        self._read_only = read_only
        self._refusal: sqlite3.Error | None = None
        self._thread = aiosqlite.Connection(self._connect, iter_chunk_size=64)

    def _connect(self) -> sqlite3.Connection:
        """Return the open connection. Failures are raised later: aiosqlite would leave an unjoined thread behind."""
        try:
            raw = _open(self._path, self._read_only)
        except sqlite3.Error as error:
            self._refusal = error
            return sqlite3.connect(":memory:")
        self._connection = SqliteConnection(raw)
        return raw

    async def __aenter__(self) -> Self:
        await self._thread
        if self._refusal is not None:
            await self._thread.close()
            raise Unavailable(f"SQLite cannot open {self._path}: {self._refusal}") from self._refusal
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._thread.close()

    async def run(self, function: Callable[[SqliteConnection, Any], T], argument: Any) -> T:
        """Return the result of calling `function` with the connection and `argument` in the connection's thread.

        aiosqlite has no public way to run a custom function there, only one for each method of the connection; all of
        those call `_execute`. This is the only place that uses it, and a test guards it.
        """
        execute: Callable[..., Awaitable[T]] = self._thread._execute
        return await execute(function, self._connection, argument)
