"""Checkpoints in PostgreSQL, on a connection pool of their own (the extra `postgres`)."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from math import isfinite
from typing import Any, cast

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
from psycopg_pool import AsyncConnectionPool

from agent_server.agents.checkpoints.ids import advance_ids
from agent_server.agents.checkpoints.postgres_batch import batches
from agent_server.agents.checkpoints.postgres_fence import (
    forget_run_statement,
    lease_parameters,
)
from agent_server.agents.checkpoints.saver import (
    Checkpointer,
    is_progress,
    is_thread_empty,
    put_in_order,
    settle_writes,
    store_signature,
    without_output_of_cancelled,
)
from agent_server.agents.checkpoints.thread_bytes import Amount, ChannelBytes, ThreadBytes
from agent_server.agents.deferred_writes import Deferred
from agent_server.agents.lease import current_lease, work_under_lease
from agent_server.agents.postgres_pool import create_one_at_a_time, langgraph_pool
from agent_server.database import Connection, Row
from agent_server.database.postgres import PostgresDatabase
from agent_server.database.postgres_arrays import TextArray
from agent_server.errors import Conflict, LeaseLost, Unavailable

CONNECTIONS = 10
"""The maximum number of connections that read and write single checkpoints."""
POOL_SIZE = 5
"""The maximum number of connections that list, prune and delete them, as LangGraph's own saver does."""

_COPY = (
    """INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT :target, checkpoint_ns, channel, version, type, blob
    FROM checkpoint_blobs WHERE thread_id = :source""",
    """INSERT INTO checkpoint_writes
        (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
    SELECT :target, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob
    FROM checkpoint_writes WHERE thread_id = :source""",
    """INSERT INTO checkpoints
        (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
    SELECT :target, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint,
        jsonb_set(metadata, '{thread_id}', to_jsonb(:target::text), false)
    FROM checkpoints WHERE thread_id = :source""",
)
_BYTES = """
    SELECT 'checkpoints' AS kind, count(*) AS n,
        COALESCE(sum(pg_column_size(checkpoint) + pg_column_size(metadata)), 0)::bigint AS bytes
    FROM checkpoints WHERE thread_id = :thread
    UNION ALL SELECT 'writes', count(*), COALESCE(sum(length(blob)), 0)::bigint
    FROM checkpoint_writes WHERE thread_id = :thread"""
_CHANNEL_BYTES = """
    SELECT channel, count(*) AS versions, COALESCE(sum(length(blob)), 0)::bigint AS bytes
    FROM checkpoint_blobs WHERE thread_id = :thread GROUP BY channel ORDER BY channel"""


_LATEST = "WHERE thread_id = :thread AND checkpoint_ns = :ns ORDER BY checkpoint_id DESC LIMIT 1"
_NAMED = "WHERE thread_id = :thread AND checkpoint_ns = :ns AND checkpoint_id = :id"
_LATEST_ID = """
    SELECT max(checkpoint_id) AS checkpoint_id FROM checkpoints WHERE thread_id = :thread AND checkpoint_ns = :ns"""
_FORGET_WRITES = """
    DELETE FROM checkpoint_writes WHERE thread_id = :thread AND checkpoint_ns = :ns AND checkpoint_id = :id
    AND NOT (task_id || '/' || channel = ANY(:kept))"""
_PENDING_SENDS_MOVED = 4
"""The version of checkpoints from which on they hold the sends that their parents' writes held before."""


class PostgresCheckpoints(AsyncPostgresSaver, Checkpointer):
    """Checkpoints in PostgreSQL tables."""

    lock: Any
    """LangGraph holds it during every statement. With a pool, that would only serialize the process's runs."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[DictRow]], database: PostgresDatabase) -> None:
        super().__init__(pool)
        self.lock = nullcontext()
        self._database = database

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        if is_thread_empty(config):
            return None
        await settle_writes()
        at, wanted = config["configurable"], get_checkpoint_id(config)
        where = {"thread": str(at["thread_id"]), "ns": at.get("checkpoint_ns", "")}
        if wanted is not None:
            where["id"] = wanted
        statement = self.SELECT_SQL + (_LATEST if wanted is None else _NAMED)
        row = await work_under_lease(lambda: self._database.run_alone(statement, where))
        if row is None:
            return None
        latest = row if wanted is None else await self._database.run_alone(_LATEST_ID, where)
        advance_ids(latest["checkpoint_id"] if latest else None)
        if row["checkpoint"]["v"] < _PENDING_SENDS_MOVED and row["parent_checkpoint_id"]:
            return await work_under_lease(lambda: super(PostgresCheckpoints, self).aget_tuple(config))
        return self._read_tuple(row)

    def _read_tuple(self, row: Row) -> CheckpointTuple:
        checkpoint = dict(row["checkpoint"])
        checkpoint["channel_values"] = {
            **(checkpoint.get("channel_values") or {}),
            **self._load_blobs(row["channel_values"]),
        }
        parent = row["parent_checkpoint_id"]
        return CheckpointTuple(
            _config(row, row["checkpoint_id"]),
            cast(Checkpoint, checkpoint),
            row["metadata"],
            _config(row, parent) if parent else None,
            self._load_writes(row["pending_writes"]),
        )

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
            "thread": str(at["thread_id"]),
            "ns": at["checkpoint_ns"],
            "id": checkpoint["id"],
            "parent": at.get("checkpoint_id"),
            "checkpoint": json.dumps({**checkpoint, "channel_values": inline}),
            "metadata": json.dumps(get_serializable_checkpoint_metadata(config, metadata)),
            "channels": list(versions),
            "versions": [str(version) for version in versions.values()],
            "types": [kind for kind, _ in dumped],
            "blobs": [data for _, data in dumped],
        }
        lease, step = current_lease(), metadata.get("step", -2)
        if lease is None or lease.deferred is None:
            await put_in_order(at["checkpoint_ns"], metadata, lambda: self.store([row]))
        else:
            lease.steps.begin(row["ns"], step)
            stored = partial(lease.steps.end, row["ns"], step)
            lease.deferred.add(self, Deferred(row, is_progress(metadata), stored))
        return {"configurable": {"thread_id": row["thread"], "checkpoint_ns": row["ns"], "checkpoint_id": row["id"]}}

    @store_signature
    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        at = config["configurable"]
        writes = without_output_of_cancelled(writes)
        replace = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        by_index: dict[int, tuple[str, str, bytes]] = {}
        for index, (channel, value) in enumerate(writes):
            by_index[WRITES_IDX_MAP.get(channel, index)] = (channel, *self.serde.dumps_typed(value))
        row = {
            "thread": str(at["thread_id"]),
            "ns": at["checkpoint_ns"],
            "id": at["checkpoint_id"],
            "task": task_id,
            "path": task_path,
            "indexes": [str(index) for index in by_index],
            "channels": [channel for channel, _, _ in by_index.values()],
            "types": [kind for _, kind, _ in by_index.values()],
            "blobs": [data for _, _, data in by_index.values()],
            "replace": replace,
        }
        lease = current_lease()
        if lease is not None and lease.deferred is not None:
            lease.deferred.add(self, Deferred(row, is_progress=True))
            return
        await work_under_lease(lambda: self.store([row]), is_progress=True)

    async def store(self, works: Sequence[Mapping[str, Any]]) -> None:
        """Store the rows in as few statements as possible."""
        for batch in batches(works):
            await self._write(batch.build_statement(current_lease()), batch.parameters)

    def store_within(self, connection: Connection, works: Sequence[Mapping[str, Any]]) -> None:
        for batch in batches(works):
            connection.one(batch.build_statement(None), **batch.parameters)

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

        def work(connection: Connection) -> None:
            for statement in _COPY:
                connection.execute(statement, source=source_thread_id, target=target_thread_id)

        await self._database.write(work)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        await settle_writes()
        try:
            await super().aprune(thread_ids, strategy=strategy)
        except (errors.SerializationFailure, errors.DeadlockDetected):
            raise Conflict("Another request is changing the same threads; send the request again") from None

    async def forget_writes(self, config: RunnableConfig, kept: Collection[tuple[str, str]]) -> None:
        await settle_writes()
        at = config["configurable"]
        where = {"thread": at["thread_id"], "ns": at["checkpoint_ns"], "id": at["checkpoint_id"]}
        keys = TextArray(f"{task_id}/{channel}" for task_id, channel in kept)
        await self._database.run_alone(_FORGET_WRITES, {**where, "kept": keys})

    async def storage(self, thread_id: str) -> ThreadBytes:
        await settle_writes()
        rows, channels = await self._database.read(
            lambda c: (c.all(_BYTES, thread=thread_id), c.all(_CHANNEL_BYTES, thread=thread_id))
        )
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
        if await self._database.run_alone(statement, {**row, **lease_parameters(current_lease())}) is None:
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


def _config(row: Row, checkpoint_id: str) -> RunnableConfig:
    names = ("thread_id", "checkpoint_ns")
    return {"configurable": {**{name: row[name] for name in names}, "checkpoint_id": checkpoint_id}}


def _is_inlined(value: Any) -> bool:
    """Return whether to store the value in the checkpoint's JSON, if that can hold it, rather than in a blob."""
    if isinstance(value, float):
        return isfinite(value)
    return value is None or (isinstance(value, (int, str)) and not (isinstance(value, str) and _NO_JSON.search(value)))


_NO_JSON = re.compile(r"[\x00\ud800-\udfff]")


@asynccontextmanager
async def open_postgres(url: str) -> AsyncIterator[Checkpointer]:
    """Open the saver on connections of its own, with its tables set up."""
    pool = langgraph_pool(url, POOL_SIZE)
    async with pool, PostgresDatabase(url, connections=CONNECTIONS) as database:
        saver = PostgresCheckpoints(pool, database)
        await create_one_at_a_time(pool, lambda _: saver.setup())
        yield saver
