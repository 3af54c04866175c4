"""Checkpoints in PostgreSQL, on a connection pool of their own (the extra `postgres`)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from math import isfinite
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from psycopg import AsyncConnection, AsyncCursor, OperationalError, errors
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from agent_server.agents.checkpoints.ids import advance_ids
from agent_server.agents.checkpoints.postgres_batch import STORE_MANY, batches
from agent_server.agents.checkpoints.postgres_fence import (
    forget_run_statement,
    lease_parameters,
    put_statement,
    put_writes_statement,
)
from agent_server.agents.checkpoints.saver import (
    Checkpointer,
    is_progress,
    put_in_order,
    settle_writes,
    store_signature,
)
from agent_server.agents.checkpoints.thread_bytes import Amount, ChannelBytes, ThreadBytes
from agent_server.agents.deferred_writes import Deferred
from agent_server.agents.lease import Lease, current_lease, work_under_lease, write_under
from agent_server.agents.postgres_pool import create_one_at_a_time, langgraph_pool
from agent_server.errors import Conflict, LeaseLost, Unavailable

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


_LATEST_ID = """
    SELECT max(checkpoint_id) AS id FROM checkpoints WHERE thread_id = %(thread)s AND checkpoint_ns = %(ns)s"""

_CONFIG = (("thread_id", "thread"), ("checkpoint_ns", "ns"), ("checkpoint_id", "id"))


class PostgresCheckpoints(AsyncPostgresSaver, Checkpointer):
    """Checkpoints in PostgreSQL tables."""

    lock: Any
    """LangGraph holds it during every statement. With a pool, that would only serialize the process's runs."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[DictRow]]) -> None:
        super().__init__(pool)
        self.lock = nullcontext()

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        await settle_writes()
        found = await work_under_lease(lambda: super(PostgresCheckpoints, self).aget_tuple(config))
        if found is not None:
            is_latest = get_checkpoint_id(config) is None
            advance_ids(found.checkpoint["id"] if is_latest else await self._latest_id(found.config))
        return found

    async def _latest_id(self, config: RunnableConfig) -> str | None:
        at = config["configurable"]
        async with self._cursor() as cursor:
            await cursor.execute(_LATEST_ID, {"thread": at["thread_id"], "ns": at.get("checkpoint_ns", "")})
            row = await cursor.fetchone()
        return row["id"] if row else None

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        at = config["configurable"]
        blobs: dict[str, Any] = {}
        inline: dict[str, Any] = {}
        for channel, value in checkpoint["channel_values"].items():
            (inline if _is_inlined(value) else blobs)[channel] = value
        # The marker by which LangGraph's reader tells a snapshot of a DeltaChannel from a channel without a value.
        inline |= {channel: True for channel, value in blobs.items() if isinstance(value, _DeltaSnapshot)}
        versions = {channel: new_versions[channel] for channel in blobs if channel in new_versions}
        dumped = [self.serde.dumps_typed(blobs[channel]) for channel in versions]
        row = {
            "thread": at["thread_id"],
            "ns": at["checkpoint_ns"],
            "id": checkpoint["id"],
            "parent": at.get("checkpoint_id"),
            "checkpoint": Jsonb({**checkpoint, "channel_values": inline}),
            "metadata": Jsonb(get_serializable_checkpoint_metadata(config, metadata)),
            "channels": list(versions),
            "versions": [str(version) for version in versions.values()],
            "types": [kind for kind, _ in dumped],
            "blobs": [data for _, data in dumped],
        }
        lease, step = current_lease(), metadata.get("step", -2)
        if lease is None or lease.deferred is None:
            statement = put_statement(lease)
            await put_in_order(at["checkpoint_ns"], metadata, lambda: self._write(statement, row))
        else:
            lease.steps.begin(row["ns"], step)
            stored = partial(lease.steps.end, row["ns"], step)
            lease.deferred.add(partial(self._write_all, lease), Deferred(row, is_progress(metadata), stored))
        return {"configurable": {name: row[key] for name, key in _CONFIG}}

    @store_signature
    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        at = config["configurable"]
        replace = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        by_index: dict[int, tuple[str, str, bytes]] = {}
        for index, (channel, value) in enumerate(writes):
            by_index[WRITES_IDX_MAP.get(channel, index)] = (channel, *self.serde.dumps_typed(value))
        row = {
            "thread": at["thread_id"],
            "ns": at["checkpoint_ns"],
            "id": at["checkpoint_id"],
            "task": task_id,
            "path": task_path,
            "indexes": list(by_index),
            "channels": [channel for channel, _, _ in by_index.values()],
            "types": [kind for _, kind, _ in by_index.values()],
            "blobs": [data for _, _, data in by_index.values()],
            "replace": replace,
        }
        lease = current_lease()
        if lease is not None and lease.deferred is not None:
            lease.deferred.add(partial(self._write_all, lease), Deferred(row, is_progress=True))
            return
        statement = put_writes_statement(lease, replace=replace)
        await work_under_lease(lambda: self._write(statement, row), is_progress=True)

    async def _write_all(self, lease: Lease, rows: Sequence[Mapping[str, Any]], progress: bool) -> None:
        """Write the rows under the lease, in as few statements as possible, and insist while there is no database."""
        with write_under(lease):
            for batch in batches(rows):
                await lease.write(partial(self._write, STORE_MANY, batch.parameters), is_progress=progress)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        await settle_writes()
        async for one in super().alist(config, filter=filter, before=before, limit=limit):
            yield one

    async def adelete_thread(self, thread_id: str) -> None:
        await settle_writes()
        await super().adelete_thread(thread_id)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        await settle_writes()
        async with self._cursor(pipeline=True) as cursor:
            for statement in _COPY:
                await cursor.execute(statement, {"source": source_thread_id, "target": target_thread_id})

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        await settle_writes()
        try:
            await super().aprune(thread_ids, strategy=strategy)
        except (errors.SerializationFailure, errors.DeadlockDetected):
            raise Conflict("Another request is changing the same threads; send the request again") from None

    async def forget_writes(self, config: RunnableConfig, kept: Collection[tuple[str, str]]) -> None:
        await settle_writes()
        at = config["configurable"]
        keys = [f"{task_id}/{channel}" for task_id, channel in kept]
        async with self._cursor() as cursor:
            await cursor.execute(
                "DELETE FROM checkpoint_writes WHERE thread_id = %s AND checkpoint_ns = %s AND checkpoint_id = %s "
                "AND NOT (task_id || '/' || channel = ANY(%s::text[]))",
                (at["thread_id"], at["checkpoint_ns"], at["checkpoint_id"], keys),
            )

    async def storage(self, thread_id: str) -> ThreadBytes:
        await settle_writes()
        async with self._cursor() as cursor:
            await cursor.execute(_BYTES, {"thread": thread_id})
            rows = await cursor.fetchall()
            await cursor.execute(_CHANNEL_BYTES, {"thread": thread_id})
            channels = await cursor.fetchall()
        totals = {row["kind"]: Amount(row["n"], row["bytes"]) for row in rows}
        by_channel = {row["channel"]: ChannelBytes(row["versions"], row["bytes"]) for row in channels}
        return ThreadBytes(totals["checkpoints"], by_channel, totals["writes"])

    async def forget_run(self, thread_id: str, run_id: str) -> None:
        await settle_writes()
        lease = current_lease()
        row = {"thread": thread_id, "forget": run_id}
        await work_under_lease(lambda: self._write(forget_run_statement(lease), row))

    async def _write(self, statement: str, row: Mapping[str, Any]) -> None:
        """Run a statement that checks the current lease by itself. Errors: `LeaseLost`, `Unavailable`."""
        async with self._cursor() as cursor:
            await cursor.execute(statement.encode(), {**row, **lease_parameters(current_lease())})
            if await cursor.fetchone() is None:
                raise LeaseLost("Another worker has the run")

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        try:
            async with super()._cursor(pipeline=pipeline) as cursor:
                yield cursor
        except (errors.SerializationFailure, errors.DeadlockDetected):
            raise
        except OperationalError as error:
            raise Unavailable(f"the database does not respond: {error}") from error


def _is_inlined(value: Any) -> bool:
    """Return whether to store the value in the checkpoint's JSON, if that can hold it, rather than in a blob."""
    if isinstance(value, float):
        return isfinite(value)
    return value is None or (isinstance(value, (int, str)) and not (isinstance(value, str) and _NO_JSON.search(value)))


_NO_JSON = re.compile(r"[\x00\ud800-\udfff]")


@asynccontextmanager
async def open_postgres(url: str) -> AsyncIterator[Checkpointer]:
    """Open the saver on a pool of its own, with its tables set up."""
    pool = langgraph_pool(url, POOL_SIZE)
    async with pool:
        saver = PostgresCheckpoints(pool)
        await create_one_at_a_time(pool, lambda _: saver.setup())
        yield saver
