"""Checkpoints in PostgreSQL, on a connection pool of their own (the extra `postgres`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection, errors
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool

from agent_server.agents.checkpoints.saver import Checkpointer
from agent_server.agents.checkpoints.thread_bytes import Amount, ChannelBytes, ThreadBytes
from agent_server.agents.postgres_pool import langgraph_pool, one_at_a_time
from agent_server.errors import Conflict

POOL_SIZE = 10

_COPY = (
    """INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT %(target)s, checkpoint_ns, channel, version, type, blob
    FROM checkpoint_blobs WHERE thread_id = %(source)s""",
    """INSERT INTO checkpoint_writes
        (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
    SELECT %(target)s, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob
    FROM checkpoint_writes WHERE thread_id = %(source)s""",
    """INSERT INTO checkpoints
        (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
    SELECT %(target)s, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint,
        jsonb_set(metadata, '{thread_id}', to_jsonb(%(target)s::text), false)
    FROM checkpoints WHERE thread_id = %(source)s""",
)
_BYTES = """
    SELECT 'checkpoints' AS kind, count(*) AS n,
        COALESCE(sum(pg_column_size(checkpoint) + pg_column_size(metadata)), 0)::bigint AS bytes
    FROM checkpoints WHERE thread_id = %(thread)s
    UNION ALL SELECT 'writes', count(*), COALESCE(sum(length(blob)), 0)::bigint
    FROM checkpoint_writes WHERE thread_id = %(thread)s"""
_CHANNEL_BYTES = """
    SELECT channel, count(*) AS versions, COALESCE(sum(length(blob)), 0)::bigint AS bytes
    FROM checkpoint_blobs WHERE thread_id = %(thread)s GROUP BY channel ORDER BY channel"""


class PostgresCheckpoints(AsyncPostgresSaver, Checkpointer):
    """Checkpoints in PostgreSQL tables."""

    lock: Any
    """LangGraph takes it around every statement, for savers on a single connection. On a pool it would only make the
    runs of a process wait for one another."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[DictRow]]) -> None:
        super().__init__(pool)
        self.lock = nullcontext()

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        async with self._cursor(pipeline=True) as cursor:
            for statement in _COPY:
                await cursor.execute(statement, {"source": source_thread_id, "target": target_thread_id})

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        try:
            await super().aprune(thread_ids, strategy=strategy)
        except (errors.SerializationFailure, errors.DeadlockDetected):
            raise Conflict("Somebody else changes the same threads; send the request again") from None

    async def forget_writes(self, config: RunnableConfig, kept: Collection[tuple[str, str]]) -> None:
        at = config["configurable"]
        keys = [f"{task_id}/{channel}" for task_id, channel in kept]
        async with self._cursor() as cursor:
            await cursor.execute(
                "DELETE FROM checkpoint_writes WHERE thread_id = %s AND checkpoint_ns = %s AND checkpoint_id = %s "
                "AND NOT (task_id || '/' || channel = ANY(%s::text[]))",
                (at["thread_id"], at["checkpoint_ns"], at["checkpoint_id"], keys),
            )

    async def storage(self, thread_id: str) -> ThreadBytes:
        async with self._cursor() as cursor:
            await cursor.execute(_BYTES, {"thread": thread_id})
            rows = await cursor.fetchall()
            await cursor.execute(_CHANNEL_BYTES, {"thread": thread_id})
            channels = await cursor.fetchall()
        totals = {row["kind"]: Amount(row["n"], row["bytes"]) for row in rows}
        by_channel = {row["channel"]: ChannelBytes(row["versions"], row["bytes"]) for row in channels}
        return ThreadBytes(totals["checkpoints"], by_channel, totals["writes"])

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
    pool = langgraph_pool(url, POOL_SIZE)
    async with pool:
        saver = PostgresCheckpoints(pool)
        await one_at_a_time(pool, lambda _: saver.setup())
        yield saver
