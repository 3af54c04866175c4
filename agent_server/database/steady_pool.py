"""psycopg's pools, which retry a database that does not respond about once a second.

psycopg's own double the delay each time, up to minutes: after an outage of a minute, they would stay out for another
(psycopg_pool 3.3).
"""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from psycopg_pool.base import AttemptWithBackoff

from agent_server.database.postgres_connection import Raw


class _SteadyAttempt(AttemptWithBackoff):
    DELAY_BACKOFF = 1.0


class SteadyPool(ConnectionPool[Raw]):
    """A pool for threads."""

    def _add_connection(self, attempt: AttemptWithBackoff | None, growing: bool = False) -> None:
        super()._add_connection(attempt or _SteadyAttempt(timeout=self.reconnect_timeout), growing)


class SteadyAsyncPool(AsyncConnectionPool[AsyncConnection[DictRow]]):
    """A pool for asyncio tasks."""

    async def _add_connection(self, attempt: AttemptWithBackoff | None, growing: bool = False) -> None:
        await super()._add_connection(attempt or _SteadyAttempt(timeout=self.reconnect_timeout), growing)
