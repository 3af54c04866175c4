"""The database on PostgreSQL: psycopg 3 and its pool, used from worker threads.

Needs the extra `postgres`. PgBouncer may be in between: nothing on the server outlives a transaction but prepared
statements, and no more are prepared once one is missing.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import anyio
import anyio.to_thread
import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from agent_server.database.migrate import migrate
from agent_server.database.outages import Outages
from agent_server.database.postgres_connection import Collided, PostgresConnection, Raw
from agent_server.database.postgres_statements import StalePlan, Statements
from agent_server.database.protocol import Connection, Load, Row
from agent_server.database.steady_pool import SteadyPool
from agent_server.errors import Unavailable

log = structlog.get_logger("agent_server")

T = TypeVar("T")

ATTEMPTS = 6
"""The maximum number of times a unit runs when it conflicts with other transactions."""
PATIENCE_SECONDS = 10.0
"""How long to wait for the server at startup, and for a connection later."""
CONNECTIONS = 10

_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

# A server that vanishes silently must not block a thread forever. The URL may override this.
_SETTINGS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "tcp_user_timeout": 30_000,
    "client_encoding": "UTF8",
}

# STABLE, so that comparisons can use an index; PostgreSQL inlines such SQL functions into the query.
_PREPARE = """
SELECT pg_advisory_xact_lock(7065712403661529447);

CREATE OR REPLACE FUNCTION now_us() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint';

CREATE OR REPLACE FUNCTION json_contains(document text, part text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT $1::jsonb @> $2::jsonb';
"""


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


_POOLED = "a pooler such as PgBouncer does not keep them; from version 1.21 on, its max_prepared_statements lets it"
_LATELY = 60.0
_POOL_NAME = re.compile(r" in '[^']*'")
_POOL_LOG = _PoolLog()
logging.getLogger("psycopg.pool").addFilter(_POOL_LOG)


def _configure(raw: Raw) -> None:
    raw.prepare_threshold = None
    raw.statements = Statements(raw)


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
        self._prepares = True
        self._units = 0
        """The number of units that are awaited."""
        self._pool: ConnectionPool[Raw] = SteadyPool(
            url,
            connection_class=Raw,
            kwargs={**{k: v for k, v in _SETTINGS.items() if k not in given}, "autocommit": True},
            configure=_configure,
            min_size=1,
            max_size=connections,
            timeout=patience,
            open=False,
        )
        self._open = False

    async def __aenter__(self) -> Self:
        self._threads = ThreadPoolExecutor(self._connections, "postgres")
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
        await anyio.to_thread.run_sync(self._close)

    def _close(self) -> None:
        """Close the connections, once all units that were begun have ended."""
        self._threads.shutdown()
        self._pool.close()

    async def migrate(self, package: str) -> None:
        await migrate(self, package, _prepare)

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self._run(lambda connection: connection.transaction(_READ, work), prepares=False)

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await self._run(lambda connection: connection.transaction(_WRITE, work))

    async def run_alone(self, sql: str, parameters: Mapping[str, object]) -> Row | None:
        """Return the first row of one statement without a transaction around it: two round trips fewer.

        Its values are converted from PostgreSQL's binary format. It may run twice, and without effect on a failure.
        """
        return await self._run(lambda connection: connection.run_alone(sql, parameters))

    async def check(self) -> None:
        await self.write(lambda connection: connection.one("SELECT 1 AS alive"))  # a standby refuses to write

    def load(self) -> Load:
        pool = self._pool.get_stats()
        return Load(pool["pool_size"], pool["pool_available"], max(0, self._units - self._connections))

    async def _run(self, unit: Callable[[PostgresConnection], T], *, prepares: bool = True) -> T:
        """Return the result of the unit; `prepares` lets it prepare statements.

        Those that read are often planned better for their parameters.
        """
        if not self._open:
            raise Unavailable("the database is closed; it is open inside of its `async with` block")
        self._units += 1
        try:  # without anyio's function, which takes 35 us more of CPU
            run = asyncio.get_running_loop().run_in_executor
            value = await run(self._threads, self._run_in_thread, unit, prepares)
        except Exception as error:
            self._outages.note(error)
            raise
        finally:
            self._units -= 1
        self._outages.note(None)
        return value

    def _run_in_thread(self, unit: Callable[[PostgresConnection], T], prepares: bool) -> T:
        """Return the result of the unit; retry it after a conflict, or without its lost connection or statement."""
        for attempt in range(1, ATTEMPTS + 1):
            raw = self._connection()
            connection = PostgresConnection(raw, prepares=prepares and self._prepares and attempt == 1)
            try:
                return unit(connection)
            except StopIteration as error:  # a future cannot hold it: it would end the awaiting coroutine
                raise RuntimeError(f"a unit of work let {error!r} out") from error
            except BaseException:
                dead = raw.closed and not connection.begun
                failed = connection.failed
                if attempt == ATTEMPTS or not (dead or isinstance(failed, (Collided, StalePlan))):
                    raise
                if isinstance(failed, StalePlan):
                    self._give_up_prepared(raw, failed)
            finally:
                self._pool.putconn(raw)
            if dead:
                self._pool.check()  # the server was restarted: remove all dead connections
            elif isinstance(failed, Collided):
                time.sleep(random.uniform(0, 0.005 * 2**attempt))
        raise AssertionError("the last attempt returns or raises")

    def _give_up_prepared(self, raw: Raw, stale: StalePlan) -> None:
        """Discard the connection's prepared statements; prepare no more where a pooler does not keep them."""
        if stale.is_lost:
            self._prepares = False
            log.warning("no_prepared_statements", database=self._where, cause=str(stale), meaning=_POOLED)
        with suppress(psycopg.Error):
            raw.statements.forget_prepared()

    def _connection(self) -> Raw:
        try:
            return self._pool.getconn()
        except psycopg.OperationalError as error:
            raise Unavailable(f"the database does not respond: {error}{_POOL_LOG.reason()}") from error
