"""Checkpoints in PostgreSQL, on a connection pool of their own (the extra `postgres`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from agent_server.agents.checkpoints import Checkpointer

POOL_SIZE = 10


class PostgresCheckpoints(AsyncPostgresSaver, Checkpointer):
    """Checkpoints in PostgreSQL tables."""

    lock: Any
    """LangGraph takes it around every statement, for savers on a single connection. On a pool it would only make the
    runs of a process wait for one another."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[DictRow]]) -> None:
        super().__init__(pool)
        self.lock = nullcontext()

    async def forget_run(self, thread_id: str, run_id: str) -> None:
        made = "thread_id = %s AND metadata->>'run_id' = %s"
        async with self._cursor(pipeline=True) as cursor:
            await cursor.execute(
                "DELETE FROM checkpoint_writes WHERE thread_id = %s AND checkpoint_id IN "
                f"(SELECT checkpoint_id FROM checkpoints WHERE {made})",
                (thread_id, thread_id, run_id),
            )
            await cursor.execute(f"DELETE FROM checkpoints WHERE {made}", (thread_id, run_id))


@asynccontextmanager
async def open_postgres(url: str) -> AsyncIterator[Checkpointer]:
    """The saver on a pool of its own, its tables set up."""
    pool = AsyncConnectionPool(
        url,
        connection_class=AsyncConnection[DictRow],
        kwargs={"autocommit": True, "row_factory": dict_row, "prepare_threshold": None},  # None: behind PgBouncer
        min_size=1,
        max_size=POOL_SIZE,
        max_idle=300,
        max_lifetime=1800,
        open=False,
    )
    async with pool:
        saver = PostgresCheckpoints(pool)
        await saver.setup()
        yield saver
