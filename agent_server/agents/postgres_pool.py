"""PostgreSQL connections of LangGraph's own checkpointer and store, and the creation of their tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from agent_server.database.steady_pool import SteadyAsyncPool

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[DictRow]]

PATIENCE_SECONDS = 10.0
"""How long to wait for a connection."""
_LOCK = "SELECT pg_try_advisory_xact_lock(7065712403661529448) AS mine"


def langgraph_pool(url: str, size: int) -> Pool:
    """Return a pool of up to `size` connections, not yet open, with the settings that LangGraph's classes need."""
    return SteadyAsyncPool(
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


async def create_one_at_a_time(pool: Pool, set_up: Callable[[AsyncConnection[DictRow]], Awaitable[None]]) -> None:
    """Create tables by `set_up`, one process at a time. The others poll for the lock: LangGraph creates its indexes
    CONCURRENTLY, which waits for every running statement, including one that waits for the lock."""
    while True:
        async with pool.connection() as connection, connection.transaction():
            # Without parameters: these would leave a portal open, and CONCURRENTLY would wait for its snapshot.
            row = await (await connection.execute(_LOCK)).fetchone()
            if row and row["mine"]:
                await set_up(connection)
                return
        await asyncio.sleep(0.1)
