"""The PostgreSQL connections of LangGraph's own checkpointer and store, and the making of their tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[DictRow]]

PATIENCE_SECONDS = 10.0
"""How long to wait for a connection."""
_LOCK = "SELECT pg_try_advisory_xact_lock(7065712403661529448) AS mine"


def langgraph_pool(url: str, size: int) -> Pool:
    """A pool of up to `size` connections, not yet open, as LangGraph's classes want them."""
    return AsyncConnectionPool(
        url,
        connection_class=AsyncConnection[DictRow],
        kwargs={"autocommit": True, "row_factory": dict_row, "prepare_threshold": None},  # None: behind PgBouncer
        min_size=1,
        max_size=size,
        max_idle=300,
        max_lifetime=1800,
        timeout=PATIENCE_SECONDS,
        open=False,
    )


async def one_at_a_time(pool: Pool, set_up: Callable[[AsyncConnection[DictRow]], Awaitable[None]]) -> None:
    """Make tables by `set_up`, one process at a time. Those that wait ask again and again: LangGraph makes its indexes
    CONCURRENTLY, which waits for every statement that runs, so also for one that waited for the lock."""
    while True:
        async with pool.connection() as connection, connection.transaction():
            # Without parameters, which would leave an open portal behind, for whose snapshot CONCURRENTLY would wait.
            row = await (await connection.execute(_LOCK)).fetchone()
            if row and row["mine"]:
                await set_up(connection)
                return
        await asyncio.sleep(0.1)
