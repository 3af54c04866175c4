"""Checkpoints in the SQLite file of runs, with group commits across runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
import msgspec
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from agent_server.agents.checkpoints.ids import advance_ids
from agent_server.agents.checkpoints.saver import (
    Checkpointer,
    is_progress,
    is_thread_empty,
    put_in_order,
    settle_writes,
    store_signature,
    without_output_of_cancelled,
)
from agent_server.agents.checkpoints.sqlite_move import move_checkpoints
from agent_server.agents.checkpoints.sqlite_threads import copy_thread, keep_latest, thread_bytes
from agent_server.agents.checkpoints.thread_bytes import ThreadBytes
from agent_server.agents.deferred_writes import Deferred
from agent_server.agents.lease import current_lease, work_under_lease
from agent_server.database import Connection, Row
from agent_server.database.sqlite import SqliteDatabase

BUSY_TIMEOUT_MS = 10_000

_LATEST = (
    "SELECT * FROM checkpoints WHERE thread_id = :thread AND checkpoint_ns = :ns ORDER BY checkpoint_id DESC LIMIT 1"
)
_LATEST_ID = (
    "SELECT MAX(checkpoint_id) AS checkpoint_id FROM checkpoints WHERE thread_id = :thread AND checkpoint_ns = :ns"
)
_NAMED = "SELECT * FROM checkpoints WHERE thread_id = :thread AND checkpoint_ns = :ns AND checkpoint_id = :id"
_WRITES = (
    "SELECT task_id, channel, type, value FROM writes WHERE thread_id = :thread AND checkpoint_ns = :ns "
    "AND checkpoint_id = :id ORDER BY task_path, task_id, idx"
)
_PUT = (
    "INSERT OR REPLACE INTO checkpoints "
    "(thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata) "
    "VALUES (:thread, :ns, :id, :parent, :type, :checkpoint, :metadata)"
)
_PUT_WRITE = (
    "INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value) "
    "VALUES (:thread, :ns, :id, :task, :path, :idx, :channel, :type, :value)"
)
_FORGET_WRITE = (
    "DELETE FROM writes WHERE thread_id = :thread AND checkpoint_ns = :ns AND checkpoint_id = :id "
    "AND task_id = :task AND channel = :channel"
)
_OF_RUN = "thread_id = :thread AND json_extract(CAST(metadata AS TEXT), '$.run_id') = :run"


class SqliteCheckpoints(AsyncSqliteSaver, Checkpointer):
    """LangGraph's SQLite saver and its tables, with faster writes.

    Even the smallest run writes five times. The original commits each write separately and serially for the whole
    process: with 5 ms per fsync, that is 40 runs a second. Here the writes of a run that wait are one unit of work on a
    `SqliteDatabase` (`DeferredWrites`), and the waiting units of all runs share a commit. The database is that of runs,
    so a run's last writes share the commit of its end. Lists of checkpoints are read as before, through a connection of
    their own.
    """

    def __init__(self, connection: aiosqlite.Connection, database: SqliteDatabase) -> None:
        super().__init__(connection)
        self.database = database

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        if is_thread_empty(config):
            return None
        configurable = config["configurable"]
        thread, namespace = str(configurable["thread_id"]), configurable.get("checkpoint_ns", "")
        wanted = get_checkpoint_id(config)

        def work(connection: Connection) -> tuple[Row, list[Row]] | None:
            row = connection.one(_NAMED if wanted else _LATEST, thread=thread, ns=namespace, id=wanted)
            latest = connection.one(_LATEST_ID, thread=thread, ns=namespace) if wanted else row
            if row is None or latest is None:
                return None
            advance_ids(latest["checkpoint_id"])
            return row, connection.all(_WRITES, thread=thread, ns=namespace, id=row["checkpoint_id"])

        await settle_writes()
        found = await work_under_lease(lambda: self.database.read(work))
        return self._tuple(*found) if found else None

    def _tuple(self, row: Row, writes: list[Row]) -> CheckpointTuple:
        return CheckpointTuple(
            _config(row, row["checkpoint_id"]),
            self.serde.loads_typed((row["type"], row["checkpoint"])),
            json.loads(row["metadata"]) if row["metadata"] is not None else {},
            _config(row, row["parent_checkpoint_id"]) if row["parent_checkpoint_id"] else None,
            [(one["task_id"], one["channel"], self.serde.loads_typed((one["type"], one["value"]))) for one in writes],
        )

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002  the signature is LangGraph's
    ) -> RunnableConfig:
        configurable = config["configurable"]
        kind, data = self.serde.dumps_typed(checkpoint)
        row = {
            "thread": str(configurable["thread_id"]),
            "ns": configurable["checkpoint_ns"],
            "id": checkpoint["id"],
            "parent": configurable.get("checkpoint_id"),
            "type": kind,
            "checkpoint": data,
            "metadata": _encode_metadata(get_checkpoint_metadata(config, metadata)),
        }
        await self._put(row, metadata)
        return {
            "configurable": {
                "thread_id": configurable["thread_id"],
                "checkpoint_ns": configurable["checkpoint_ns"],
                "checkpoint_id": checkpoint["id"],
            }
        }

    async def _put(self, row: dict[str, Any], metadata: CheckpointMetadata) -> None:
        def work(connection: Connection) -> None:
            connection.execute(_PUT, **row)

        lease, step = current_lease(), metadata.get("step", -2)
        if lease is None or lease.deferred is None:
            await put_in_order(row["ns"], metadata, lambda: self._write(work))
            return
        lease.steps.begin(row["ns"], step)
        stored = partial(lease.steps.end, row["ns"], step)
        lease.deferred.add(self, Deferred(work, is_progress(metadata), stored))

    async def store(self, works: Sequence[Callable[[Connection], None]]) -> None:
        await self._write(partial(self.store_within, works=works))

    def store_within(self, connection: Connection, works: Sequence[Callable[[Connection], None]]) -> None:
        for work in works:
            work(connection)

    @store_signature
    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        configurable = config["configurable"]
        writes = without_output_of_cancelled(writes)
        again = "REPLACE" if all(channel in WRITES_IDX_MAP for channel, _ in writes) else "IGNORE"
        rows = []
        for index, (channel, value) in enumerate(writes):
            kind, data = self.serde.dumps_typed(value)
            rows.append({"idx": WRITES_IDX_MAP.get(channel, index), "channel": channel, "type": kind, "value": data})
        common = {
            "thread": str(configurable["thread_id"]),
            "ns": str(configurable["checkpoint_ns"]),
            "id": str(configurable["checkpoint_id"]),
            "task": task_id,
            "path": task_path,
        }

        def work(connection: Connection) -> None:
            for row in rows:
                connection.execute(f"INSERT OR {again} {_PUT_WRITE}", **common, **row)

        lease = current_lease()
        if lease is not None and lease.deferred is not None:
            lease.deferred.add(self, Deferred(work, is_progress=True))
        else:
            await work_under_lease(lambda: self._write(work), is_progress=True)

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
        def work(connection: Connection) -> None:
            connection.execute("DELETE FROM writes WHERE thread_id = :thread", thread=thread_id)
            connection.execute("DELETE FROM checkpoints WHERE thread_id = :thread", thread=thread_id)

        await self._change(work)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        await self._change(lambda c: copy_thread(c, source_thread_id, target_thread_id))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        for thread_id in thread_ids:
            if strategy == "delete":
                await self.adelete_thread(thread_id)
            else:
                await self._change(partial(keep_latest, thread_id=thread_id))

    async def forget_writes(self, config: RunnableConfig, kept: Collection[tuple[str, str]]) -> None:
        at = config["configurable"]
        where = {"thread": str(at["thread_id"]), "ns": at["checkpoint_ns"], "id": at["checkpoint_id"]}

        def work(connection: Connection) -> None:
            for write in {(one["task_id"], one["channel"]) for one in connection.all(_WRITES, **where)} - set(kept):
                connection.execute(_FORGET_WRITE, **where, task=write[0], channel=write[1])

        await self._change(work)

    async def storage(self, thread_id: str) -> ThreadBytes:
        await settle_writes()
        return await self.database.read(lambda c: thread_bytes(c, thread_id, self.serde))

    async def forget_run(self, thread_id: str, run_id: str) -> None:
        def work(connection: Connection) -> None:
            connection.execute(
                "DELETE FROM writes WHERE thread_id = :thread AND checkpoint_id IN "
                f"(SELECT checkpoint_id FROM checkpoints WHERE {_OF_RUN})",
                thread=thread_id,
                run=run_id,
            )
            connection.execute(f"DELETE FROM checkpoints WHERE {_OF_RUN}", thread=thread_id, run=run_id)

        await settle_writes()
        await work_under_lease(lambda: self._write(work))

    async def _change(self, work: Callable[[Connection], object]) -> None:
        """Write what needs no lease, after the writes of the current attempt."""
        await settle_writes()
        await self.database.write(work)

    async def _write(self, work: Callable[[Connection], object]) -> None:
        """Write under the current lease, which the writer's thread checks in the transaction."""
        lease = current_lease()
        if lease is None:
            await self.database.write(work)
            return
        await lease.confirm()

        def work_under_lease(connection: Connection) -> None:
            lease.check()
            work(connection)

        await self.database.write(work_under_lease)


def _encode_metadata(metadata: CheckpointMetadata) -> bytes:
    """Return the metadata as JSON; as LangGraph's saver does where msgspec, twenty times as fast, refuses a value."""
    try:
        return msgspec.json.encode(metadata)
    except (TypeError, ValueError, OverflowError):  # a subclass of a plain type, a lone surrogate, a huge number
        return json.dumps(metadata, ensure_ascii=False).encode("utf-8", "ignore")


def _config(row: Row, checkpoint_id: str) -> RunnableConfig:
    return {
        "configurable": {
            "thread_id": row["thread_id"],
            "checkpoint_ns": row["checkpoint_ns"],
            "checkpoint_id": checkpoint_id,
        }
    }


@asynccontextmanager
async def open_sqlite(database: SqliteDatabase, former: Path) -> AsyncIterator[Checkpointer]:
    """Open the saver on an open database, with its tables set up and the checkpoints of the file `former` in them."""
    async with aiosqlite.connect(database.path) as connection:
        await connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        await connection.execute("PRAGMA synchronous = FULL")
        saver = SqliteCheckpoints(connection, database)
        await saver.setup()
        await asyncio.to_thread(move_checkpoints, former, database.path)
        yield saver
