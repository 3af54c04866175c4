"""Threads: conversations. A run happens on a thread, and the thread keeps what the runs left behind.

`status` is `busy` while a run waits or works on it, and otherwise says how the last one ended. A temporary thread
carries one stateless run; no request but that run's ever shows it.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw
from uuid_utils import uuid7

from agent_server.database import Connection, Database, Row
from agent_server.errors import Conflict, NotFound
from agent_server.schema import JsonObject, Thread, ThreadCreate, ThreadPatch, ThreadSearch, canonical_id, timestamp

_COLUMNS = "thread_id, status, metadata, config, state, interrupts, error, created_at, updated_at, state_updated_at"


class Threads:
    """The threads, by id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, body: ThreadCreate) -> Thread:
        """A new thread; `Conflict` where the id is taken, unless `if_exists` is `do_nothing`."""
        thread_id = canonical_id(body.thread_id, "thread") if body.thread_id else str(uuid7())

        def work(connection: Connection) -> Thread:
            if not insert_thread(connection, thread_id, body.metadata or {}) and body.if_exists != "do_nothing":
                raise Conflict(f"Thread with ID {thread_id} already exists; leave thread_id out to get a new one")
            return _thread(_existing(connection, thread_id))

        return await self._database.write(work)

    async def get(self, thread_id: str) -> Thread:
        """The thread with this id; `NotFound` where there is none."""
        key = canonical_id(thread_id, "thread")
        return _thread(await self._database.read(lambda c: _existing(c, key)))

    async def patch(self, thread_id: str, body: ThreadPatch) -> Thread:
        """The thread, with the metadata merged into what it had."""
        key = canonical_id(thread_id, "thread")

        def work(connection: Connection) -> Thread:
            touch_thread(connection, key)
            merge_metadata(connection, key, body.metadata or {})
            return _thread(_existing(connection, key))

        return await self._database.write(work)

    async def search(self, query: ThreadSearch) -> list[Thread]:
        """The threads that fit `query`, in the order it asks for."""
        ids = [canonical_id(thread_id, "thread") for thread_id in query.ids or ()]
        order = f"{query.sort_by} {query.sort_order}, thread_id"
        rows = await self._database.read(
            lambda c: c.all(
                f"""SELECT {_COLUMNS} FROM threads WHERE temporary = 0
                AND (:status = '' OR status = :status) AND json_contains(metadata, :metadata)
                AND (:ids = '[]' OR json_contains(:ids, '"' || thread_id || '"'))
                ORDER BY {order} LIMIT :limit OFFSET :offset""",
                status=query.status or "",
                metadata=msgspec.json.encode(query.metadata or {}).decode(),
                ids=msgspec.json.encode(ids).decode(),
                limit=query.limit,
                offset=query.offset,
            )
        )
        return [_thread(row) for row in rows]

    async def delete(self, thread_id: str) -> None:
        """Delete the thread and its runs; `Conflict` while one of them works."""
        key = canonical_id(thread_id, "thread")

        def work(connection: Connection) -> None:
            touch_thread(connection, key)
            if connection.one("SELECT 1 AS x FROM runs WHERE thread_id = :id AND status = 'running'", id=key):
                raise Conflict(f"Thread {key} has a running run; cancel it first, or wait for its end")
            connection.execute("DELETE FROM runs WHERE thread_id = :id", id=key)
            connection.execute("DELETE FROM threads WHERE thread_id = :id", id=key)

        await self._database.write(work)


def insert_thread(connection: Connection, thread_id: str, metadata: JsonObject, temporary: bool = False) -> bool:
    """Insert an idle thread; whether its id was free."""
    inserted = connection.execute(
        """INSERT INTO threads (thread_id, status, metadata, config, state, interrupts, error, temporary,
            created_at, updated_at, state_updated_at)
        VALUES (:id, 'idle', :metadata, '{}', 'null', '{}', 'null', :temporary, now_us(), now_us(), now_us())
        ON CONFLICT DO NOTHING""",
        id=thread_id,
        metadata=msgspec.json.encode(metadata).decode(),
        temporary=int(temporary),
    )
    return inserted == 1


def touch_thread(connection: Connection, thread_id: str) -> None:
    """Take the thread's row for the rest of the transaction, so that nobody else decides about it meanwhile.

    `NotFound` where there is no such thread.
    """
    if not connection.execute("UPDATE threads SET updated_at = now_us() WHERE thread_id = :id", id=thread_id):
        raise NotFound(f"Thread with ID {thread_id} not found")


def merge_metadata(connection: Connection, thread_id: str, metadata: JsonObject) -> None:
    """Merge `metadata` into that of a thread whose row is taken."""
    row = connection.one("SELECT metadata FROM threads WHERE thread_id = :id", id=thread_id)
    if row and metadata:
        merged = msgspec.json.decode(row["metadata"]) | metadata
        connection.execute(
            "UPDATE threads SET metadata = :metadata WHERE thread_id = :id",
            id=thread_id,
            metadata=msgspec.json.encode(merged).decode(),
        )


def _existing(connection: Connection, thread_id: str) -> Row:
    row = connection.one(f"SELECT {_COLUMNS} FROM threads WHERE thread_id = :id AND temporary = 0", id=thread_id)
    if row is None:
        raise NotFound(f"Thread with ID {thread_id} not found")
    return row


def _thread(row: Row) -> Thread:
    return Thread(
        thread_id=row["thread_id"],
        created_at=timestamp(row["created_at"]),
        updated_at=timestamp(row["updated_at"]),
        state_updated_at=timestamp(row["state_updated_at"]),
        metadata=Raw(row["metadata"].encode()),
        status=row["status"],
        config=Raw(row["config"].encode()),
        values=Raw(row["state"].encode()),
        error=Raw(row["error"].encode()),
        interrupts=Raw(row["interrupts"].encode()),
    )
