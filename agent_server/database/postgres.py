"""The database on PostgreSQL: psycopg 3 and its pool, used from worker threads.

Needs the extra `postgres`. No state on the server outlives a transaction (no prepared statements, no session settings),
so PgBouncer may be in between.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, cast

import anyio
import anyio.to_thread
import psycopg
from psycopg import errors
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row, tuple_row
from psycopg.types.numeric import Int8Dumper
from psycopg_pool import ConnectionPool

from agent_server.database.migrate import migrate
from agent_server.database.outages import Outages
from agent_server.database.protocol import Connection, Load, Row
from agent_server.database.steady_pool import SteadyPool
from agent_server.errors import Conflict, Unavailable

T = TypeVar("T")
Raw = psycopg.Connection[DictRow]
Cursor = psycopg.Cursor[DictRow]

ATTEMPTS = 6
"""The maximum number of times a unit runs when it conflicts with other transactions."""
PATIENCE_SECONDS = 10.0
"""How long to wait for the server at startup, and for a connection later."""
CONNECTIONS = 10

_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

# A server that vanishes silently must not block a thread forever. The URL may override this.
_WAITS: dict[str, Any] = {"connect_timeout": 5, "keepalives_idle": 30, "tcp_user_timeout": 30_000}

# STABLE, so that comparisons can use an index; PostgreSQL inlines such SQL functions into the query.
_PREPARE = """
SELECT pg_advisory_xact_lock(7065712403661529447);

CREATE OR REPLACE FUNCTION now_us() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint';

CREATE OR REPLACE FUNCTION json_contains(document text, part text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT $1::jsonb @> $2::jsonb';
"""

_TOKEN = re.compile(
    r"""
      '(?:[^']|'')*'                # text
    | "[^"]*"                       # a quoted name
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$
    | --[^\n]* | /\*.*?\*/
    | ::
    | :(?P<name>[A-Za-z_]\w*)
    | %
    """,
    re.VERBOSE | re.DOTALL,
)


@lru_cache(maxsize=1024)
def _translate(sql: str) -> bytes:
    """Convert this package's SQL to psycopg's: `:name` to `%(name)s`, and `%` to `%%`."""
    return _TOKEN.sub(
        lambda token: f"%({token['name']})s" if token["name"] else token[0].replace("%", "%%"), sql
    ).encode()


class _Collided(Unavailable):
    """Two transactions conflicted, and PostgreSQL rolled this one back; it can be retried."""


def _convert_error(error: psycopg.Error) -> Exception:
    """Convert the driver's error to this package's; return a programming error unchanged."""
    if isinstance(error, errors.UniqueViolation):
        return Conflict(f"such a row exists already (unique index {error.diag.constraint_name})")
    if isinstance(error, (errors.SerializationFailure, errors.DeadlockDetected)):
        return _Collided("the database is busy with the same rows; send the request again")
    if isinstance(error, psycopg.OperationalError) or _is_standby(error):
        return Unavailable(f"the database does not respond: {error}")
    return error


def _is_standby(error: psycopg.Error) -> bool:
    """Return whether the server is a standby that a failover has not promoted yet.

    A standby rejects `BEGIN … READ WRITE`. A write in a read-only transaction of ours is a programming error instead.
    """
    return isinstance(error, errors.FeatureNotSupported) and "during recovery" in str(error)


def _fetch_first(cursor: Cursor) -> Row | None:
    return cursor.fetchone() if cursor.description else None


def _fetch_all(cursor: Cursor) -> list[Row]:
    return [*cursor.fetchall()] if cursor.description else []


def _fetch_tuples(cursor: Cursor) -> list[tuple[Any, ...]]:
    if not cursor.description:
        return []
    plain = cast(psycopg.Cursor[tuple[Any, ...]], cursor)
    plain.row_factory = tuple_row  # the rows are loaded only now
    return plain.fetchall()


def _count_changed(cursor: Cursor) -> int:
    return max(cursor.rowcount, 0)


class _PoolLog(logging.Filter):
    """Keeps the pool's messages out of the log: every pool writes one for each attempt to connect.

    `Outages` logs each cause once, with the pool's last message.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last, self._at = "", 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            message = _POOL_NAME.sub("", record.getMessage())  # else each pool's would be a cause of its own
            self._last, self._at = " ".join(message.split()), time.monotonic()
        return False

    def reason(self) -> str:
        """Return the pool's last message, in brackets, if it is recent."""
        return f" ({self._last})" if self._last and time.monotonic() - self._at < _LATELY else ""


_LATELY = 60.0
_POOL_NAME = re.compile(r" in '[^']*'")
_POOL_LOG = _PoolLog()
logging.getLogger("psycopg.pool").addFilter(_POOL_LOG)


class PostgresConnection:
    """The statements of one transaction on PostgreSQL."""

    skip_locked = "FOR UPDATE SKIP LOCKED"

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.failed: Exception | None = None
        self.begun = False

    def one(self, sql: str, /, **parameters: object) -> Row | None:
        return self._run(_fetch_first, sql, parameters)

    def all(self, sql: str, /, **parameters: object) -> list[Row]:
        return self._run(_fetch_all, sql, parameters)

    def tuples(self, sql: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        return self._run(_fetch_tuples, sql, parameters)

    def execute(self, sql: str, /, **parameters: object) -> int:
        return self._run(_count_changed, sql, parameters)

    def _run(self, take: Callable[[Cursor], T], sql: str, parameters: dict[str, object]) -> T:
        try:
            if not parameters:
                return take(self.raw.execute(sql.encode()))  # unchanged: psycopg then ignores `%`
            return take(self.raw.execute(_translate(sql), parameters))
        except psycopg.Error as error:
            self.failed = _convert_error(error)
            if self.failed is error:
                raise
            raise self.failed from error

    def transaction(self, begin: str, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns, committed."""
        self.execute(begin)
        self.begun = True
        try:
            value = work(self)
            if self.failed is not None:  # `work` swallowed it: PostgreSQL would turn the COMMIT into a rollback
                raise self.failed
            self.execute("COMMIT")
        except BaseException:
            with suppress(psycopg.Error):  # a broken connection has nothing to roll back
                self.raw.execute("ROLLBACK")
            raise
        return value


class _PlainNumber(Loader):
    """Loads PostgreSQL's `numeric` (a sum of integers, an average) as an int or float, as SQLite does."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else float(text)


class _PlainBoolean(Loader):
    """Loads PostgreSQL's `boolean` (a comparison) as 1 or 0."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


def _configure(raw: Raw) -> None:
    """Make values convert as with SQLite: integers have 64 bits, booleans are 1 and 0."""
    raw.prepare_threshold = None
    raw.adapters.register_dumper(int, Int8Dumper)
    raw.adapters.register_dumper(bool, Int8Dumper)
    raw.adapters.register_loader("numeric", _PlainNumber)
    raw.adapters.register_loader("bool", _PlainBoolean)


def _prepare(connection: Connection) -> None:
    """Let one process at a time change the tables, and create the functions that this package's SQL calls."""
    connection.execute(_PREPARE)


def _parts(url: str) -> dict[str, Any]:
    """Return the parts of the URL; refuse a raw `/`, `@` or `%` in the password, since messages would show it.

    Errors: ValueError, which does not quote the URL.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        parts = {"port": "?"}
    shown = f"{parts.get('host')} {parts.get('dbname')}"
    if "@" in shown or not re.fullmatch(r"[\d,]*", str(parts.get("port", ""))):
        raise ValueError(
            "the database URL cannot be read; it looks like postgresql://user:password@host:port/name, "
            "with special characters in the password percent-encoded"
        )
    return parts


class PostgresDatabase:
    """The database that `url` (`postgresql://user:password@host:port/name`) names."""

    dialect: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, url: str, *, connections: int = CONNECTIONS, patience: float = PATIENCE_SECONDS) -> None:
        given = _parts(url)
        self._url = url
        self._where = f"PostgreSQL at {given.get('host', 'localhost')}:{given.get('port', 5432)}"
        self._outages = Outages(self._where)
        self._connections = connections
        self._patience = patience
        self._pool: ConnectionPool[Raw] = SteadyPool(
            url,
            kwargs={**{k: v for k, v in _WAITS.items() if k not in given}, "autocommit": True, "row_factory": dict_row},
            configure=_configure,
            min_size=1,
            max_size=connections,
            timeout=patience,
            open=False,
        )
        self._open = False

    async def __aenter__(self) -> Self:
        self._threads = anyio.CapacityLimiter(self._connections)
        await anyio.to_thread.run_sync(self._connect)
        self._open = True
        return self

    def _connect(self) -> None:
        try:
            self._pool.open()
            self._pool.wait(self._patience)
        except psycopg.OperationalError:
            self._pool.close()
            raise Unavailable(f"{self._where} does not respond within {self._patience:g} s: {self._reason()}") from None

    def _reason(self) -> str:
        """Return why there is no connection; the pool only logs it."""
        try:
            psycopg.connect(self._url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            return " ".join(str(error).split())
        return "it does now"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        try:
            for _ in range(self._connections):  # once all slots are taken, all other work has finished
                await self._threads.acquire_on_behalf_of(object())
        finally:
            await anyio.to_thread.run_sync(self._pool.close)

    async def migrate(self, package: str) -> None:
        await migrate(self, package, _prepare)

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self._run(_READ, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await self._run(_WRITE, work)

    async def check(self) -> None:
        await self.write(lambda connection: connection.one("SELECT 1 AS alive"))  # a standby refuses to write

    def load(self) -> Load:
        pool = self._pool.get_stats()
        return Load(pool["pool_size"], pool["pool_available"], self._threads.statistics().tasks_waiting)

    async def _run(self, begin: str, work: Callable[[Connection], T]) -> T:
        if not self._open:
            raise Unavailable("the database is closed; it is open inside of its `async with` block")
        try:
            value = await anyio.to_thread.run_sync(partial(self._run_in_thread, begin, work), limiter=self._threads)
        except Exception as error:
            self._outages.note(error)
            raise
        self._outages.note(None)
        return value

    def _run_in_thread(self, begin: str, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns; retry after a conflict, or if the connection turns out to be dead."""
        for attempt in range(1, ATTEMPTS + 1):
            raw = self._connection()
            connection = PostgresConnection(raw)
            try:
                return connection.transaction(begin, work)
            except BaseException:
                dead = raw.closed and not connection.begun
                if attempt == ATTEMPTS or not (dead or isinstance(connection.failed, _Collided)):
                    raise
            finally:
                self._pool.putconn(raw)
            if dead:
                self._pool.check()  # the server was restarted: remove all dead connections
            else:
                time.sleep(random.uniform(0, 0.005 * 2**attempt))
        raise AssertionError("the last attempt returns or raises")

    def _connection(self) -> Raw:
        try:
            return self._pool.getconn()
        except psycopg.OperationalError as error:
            raise Unavailable(f"the database does not respond: {error}{_POOL_LOG.reason()}") from error
