"""Threads: conversations. A run executes on a thread, and the thread keeps the state that runs leave.

`status` is `busy` while a run is pending or running, and otherwise states how the last one ended. A temporary thread
carries one stateless run; only that run's requests can see it.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct
from uuid_utils import uuid7

from agent_server.access.ownership import Condition
from agent_server.agents import GraphSetup
from agent_server.database import Connection, Database, Row
from agent_server.database.search import Found, Page, Search, convert_page
from agent_server.errors import Conflict, NotFound, ThreadBusy
from agent_server.schema import JsonObject, ThreadStatus, canonical_id
from agent_server.threads.graph_setup import is_last_run, merge_setup, read_setup
from agent_server.threads.records import THREAD_COLUMNS, add_extracts, check_paths, read_thread, read_ttl
from agent_server.threads.schema import (
    PruneStrategy,
    Thread,
    ThreadCreate,
    ThreadFilter,
    ThreadPatch,
    ThreadSearch,
    Ttl,
)
from agent_server.threads.state_updates import put_state_update

MICROS_A_MINUTE = 60_000_000


class Deleted(Struct):
    """The graphs and pending runs of a deleted thread."""

    graph_ids: list[str]
    """The graphs that ran on the thread."""
    pending_run_ids: list[str]
    """The runs that had not started; clients may still follow their streams."""


class ThreadEnd(Struct):
    """A thread's status, and its values and interrupts as JSON."""

    status: ThreadStatus
    values: bytes
    interrupts: bytes


class Threads:
    """The table of threads."""

    def __init__(self, database: Database, default_ttl: Ttl | None = None) -> None:
        self._database = database
        self._default_ttl = default_ttl

    async def create(self, body: ThreadCreate, owned: Condition | None = None) -> Thread:
        """Create a thread, without its supersteps, and return it.

        Errors: `Conflict` where the id is taken, unless `if_exists` is `do_nothing` and the existing thread meets
        `owned`.
        """
        thread_id = canonical_id(body.thread_id, "thread") if body.thread_id else str(uuid7())

        def work(connection: Connection) -> Thread:
            ttl = body.ttl or self._default_ttl
            row = insert_thread(connection, thread_id, body.metadata or {}, ttl=ttl)
            is_owned = owned is None or owned.is_met(connection, "threads", "thread_id", thread_id)
            if row is None and (body.if_exists != "do_nothing" or not is_owned):
                raise Conflict(f"Thread with ID {thread_id} already exists; leave thread_id out to get a new one")
            return read_thread(row or _get_row(connection, thread_id))

        return await self._database.write(work)

    async def get(self, thread_id: str, with_ttl: bool = False) -> Thread:
        """Return the thread. Errors: `NotFound` for an unknown id."""
        key = canonical_id(thread_id, "thread")
        row = await self._database.read(lambda c: _get_row(c, key))
        thread = read_thread(row)
        if with_ttl:
            thread.ttl = read_ttl(row)
        return thread

    async def get_with_setup(self, thread_id: str) -> tuple[Thread, GraphSetup]:
        """Return the thread and the setup of its graph. Errors: `NotFound`."""
        key = canonical_id(thread_id, "thread")

        def work(connection: Connection) -> tuple[Thread, GraphSetup]:
            row = _get_row(connection, key)
            return read_thread(row), read_setup(connection, row)

        return await self._database.read(work)

    async def exists(self, thread_id: str) -> bool:
        """Return whether a thread with this id exists."""
        key = canonical_id(thread_id, "thread")
        return bool(
            await self._database.read(lambda c: c.one("SELECT 1 AS x FROM threads WHERE thread_id = :id", id=key))
        )

    async def is_owned(self, thread_id: str, owned: Condition) -> bool:
        """Return whether the thread exists and meets `owned`."""
        return await self._database.read(lambda c: owned.is_met(c, "threads", "thread_id", thread_id))

    async def patch(self, thread_id: str, body: ThreadPatch) -> Thread:
        """Merge the metadata, restart the TTL where one is given, and return the thread."""
        key = canonical_id(thread_id, "thread")

        def work(connection: Connection) -> Thread:
            touch_thread(connection, key)
            merge_metadata(connection, key, body.metadata or {})
            if body.ttl:
                set_ttl(connection, key, body.ttl)
            return read_thread(_get_row(connection, key))

        return await self._database.write(work)

    async def search(self, query: ThreadSearch, owned: Condition | None = None) -> Found[Thread]:
        """Return a page of the threads that match `query` (and meet `owned`), and the total."""
        check_paths(query.extract or {})
        search = _search(query, owned)
        if query.ids:
            search.where_in("thread_id", [canonical_id(thread_id, "thread") for thread_id in query.ids])
        order = f"{query.sort_by or 'created_at'} {query.sort_order or 'desc'}, thread_id"
        page = Page(THREAD_COLUMNS, order, query.limit, query.offset)
        rows = await self._database.read(lambda c: search.page(c, page))
        return convert_page(rows, lambda row: add_extracts(read_thread(row), query.extract))

    async def count(self, query: ThreadFilter, owned: Condition | None = None) -> int:
        """Count the threads that match `query` (and meet `owned`)."""
        return await self._database.read(_search(query, owned).count)

    async def list_by_assistant(self, assistant_id: str, owned: Condition | None = None) -> list[str]:
        """Return the ids of the threads (that meet `owned`) on which this assistant ran last."""
        search = Search("threads")
        if owned is not None:
            owned.narrow(search)
        search.contains("metadata", {"assistant_id": assistant_id})
        page = Page("thread_id", "thread_id", 2**31 - 1, 0)
        return [row["thread_id"] for row in await self._database.read(lambda c: search.rows(c, page))]

    async def check_idle(self, thread_id: str) -> None:
        """Raise `ThreadBusy` where the thread has a pending or running run."""
        if await self._database.read(lambda c: _has_runs(c, thread_id)):
            raise _build_busy(thread_id)

    async def write_end(self, thread_id: str, end: ThreadEnd, checkpoint: JsonObject | None = None) -> Thread:
        """Write the state after an update from outside and return the thread. A run that began meanwhile keeps it busy.

        With `checkpoint`, also record the update for clients that stream the thread.
        """

        def work(connection: Connection) -> Thread:
            touch_thread(connection, thread_id)
            connection.execute(
                """UPDATE threads SET state = :state, interrupts = :interrupts, error = 'null',
                    status = CASE WHEN status = 'busy' THEN status ELSE :status END, state_updated_at = now_us()
                WHERE thread_id = :id""",
                id=thread_id,
                state=end.values.decode(),
                interrupts=end.interrupts.decode(),
                status=end.status,
            )
            if checkpoint is not None:
                put_state_update(connection, thread_id, checkpoint)
            return read_thread(_get_row(connection, thread_id))

        return await self._database.write(work)

    async def copy(self, thread_id: str, copy_id: str, end: ThreadEnd | None) -> Thread:
        """Copy a thread and return the copy; `end`, if given, sets its values, status and interrupts."""

        def work(connection: Connection) -> Thread:
            connection.execute(
                """INSERT INTO threads (thread_id, status, metadata, config, state, interrupts, error, temporary,
                    created_at, updated_at, state_updated_at)
                SELECT :copy, status, metadata, config, state, interrupts, error, 0, now_us(), now_us(), now_us()
                FROM threads WHERE thread_id = :id AND temporary = 0""",
                id=thread_id,
                copy=copy_id,
            )
            config = merge_setup(connection, _get_row(connection, thread_id))
            _write_config(connection, copy_id, config)
            if self._default_ttl:
                set_ttl(connection, copy_id, self._default_ttl)
            if end is not None:
                connection.execute(
                    """UPDATE threads SET status = :status, state = :state, interrupts = :interrupts, error = 'null'
                    WHERE thread_id = :copy""",
                    copy=copy_id,
                    status=end.status,
                    state=end.values.decode(),
                    interrupts=end.interrupts.decode(),
                )
            return read_thread(_get_row(connection, copy_id))

        return await self._database.write(work)

    async def delete(self, thread_id: str) -> Deleted:
        """Delete the thread and its runs. Errors: `ThreadBusy` while one of them is running."""
        key = canonical_id(thread_id, "thread")

        def work(connection: Connection) -> Deleted:
            touch_thread(connection, key)
            runs = connection.all("SELECT run_id, graph_id, status FROM runs WHERE thread_id = :id", id=key)
            if any(run["status"] == "running" for run in runs):
                raise ThreadBusy(f"Thread {key} has a running run; cancel it first, or wait for its end")
            connection.execute("DELETE FROM runs WHERE thread_id = :id", id=key)
            connection.execute("DELETE FROM state_updates WHERE thread_id = :id", id=key)
            connection.execute("DELETE FROM threads WHERE thread_id = :id", id=key)
            graph_ids = sorted({run["graph_id"] for run in runs})
            return Deleted(graph_ids, [run["run_id"] for run in runs if run["status"] == "pending"])

        return await self._database.write(work)

    async def list_expired(self, limit: int) -> list[tuple[str, PruneStrategy]]:
        """Return the expired threads that are not busy, each with its prune strategy."""
        rows = await self._database.read(
            lambda c: c.all(
                """SELECT thread_id, ttl_strategy FROM threads WHERE expires_at <= now_us() AND status <> 'busy'
                ORDER BY expires_at LIMIT :limit""",
                limit=limit,
            )
        )
        return [(row["thread_id"], row["ttl_strategy"]) for row in rows]

    async def end_ttl(self, thread_id: str) -> None:
        """Remove the thread's TTL."""
        await self._database.write(
            lambda c: c.execute(
                "UPDATE threads SET ttl_strategy = NULL, ttl_minutes = NULL, expires_at = NULL WHERE thread_id = :id",
                id=thread_id,
            )
        )


def insert_thread(connection: Connection, thread_id: str, metadata: JsonObject, ttl: Ttl | None = None) -> Row | None:
    """Insert an idle thread with this TTL; return its row, or None where its id is taken."""
    row = connection.one(
        f"""INSERT INTO threads (thread_id, status, metadata, config, state, interrupts, error, temporary,
            created_at, updated_at, state_updated_at)
        VALUES (:id, 'idle', :metadata, '{{}}', 'null', '{{}}', 'null', 0, now_us(), now_us(), now_us())
        ON CONFLICT DO NOTHING RETURNING {THREAD_COLUMNS}""",
        id=thread_id,
        metadata=msgspec.json.encode(metadata).decode(),
    )
    if row is not None and ttl is not None:
        set_ttl(connection, thread_id, ttl)
        return _get_row(connection, thread_id)
    return row


def touch_thread(connection: Connection, thread_id: str) -> Row:
    """Lock the thread's row for the rest of the transaction, so that no other process decides about it meanwhile.

    Returns its status, metadata, config and turns, and whether it had neither run nor state. Errors: `NotFound` for an
    unknown thread.
    """
    row = connection.one(_TOUCH, id=thread_id)
    if row is None:
        raise NotFound(f"Thread with ID {thread_id} not found")
    return row


_TOUCH = """UPDATE threads SET updated_at = now_us() WHERE thread_id = :id
    RETURNING status, metadata, config, turns, turns = 0 AND state = 'null' AS is_unused"""


def save_run_config(connection: Connection, thread_id: str, run_id: str) -> None:
    """Before a run is deleted, save its graph setup in the thread's config if the thread's graph uses it."""
    row = connection.one(f"SELECT {THREAD_COLUMNS} FROM threads WHERE thread_id = :id", id=thread_id)
    if row and is_last_run(connection, thread_id, run_id):
        _write_config(connection, thread_id, merge_setup(connection, row))


def _write_config(connection: Connection, thread_id: str, config: JsonObject) -> None:
    connection.execute(
        "UPDATE threads SET config = :config WHERE thread_id = :id",
        id=thread_id,
        config=msgspec.json.encode(config).decode(),
    )


def merge_metadata(connection: Connection, thread_id: str, metadata: JsonObject) -> None:
    """Merge `metadata` into that of a thread whose row is locked."""
    row = connection.one("SELECT metadata FROM threads WHERE thread_id = :id", id=thread_id)
    if row and metadata:
        merged = msgspec.json.decode(row["metadata"]) | metadata
        connection.execute(
            "UPDATE threads SET metadata = :metadata WHERE thread_id = :id",
            id=thread_id,
            metadata=msgspec.json.encode(merged).decode(),
        )


def _search(query: ThreadFilter, owned: Condition | None) -> Search:
    search = Search("threads")
    if owned is not None:
        owned.narrow(search)
    search.where("temporary = 0")
    search.equals("status", query.status)
    search.contains("metadata", query.metadata)
    search.contains("state", query.values)
    return search


def set_ttl(connection: Connection, thread_id: str, ttl: Ttl) -> None:
    """Set the thread's TTL, which begins now."""
    connection.execute(
        """UPDATE threads SET ttl_strategy = :strategy, ttl_minutes = :minutes, expires_at = now_us() + :micros
        WHERE thread_id = :id""",
        id=thread_id,
        strategy=ttl.strategy,
        minutes=float(ttl.ttl),
        micros=int(ttl.ttl * MICROS_A_MINUTE),
    )


def _has_runs(connection: Connection, thread_id: str) -> bool:
    sql = "SELECT 1 AS x FROM runs WHERE thread_id = :id AND status IN ('pending', 'running') LIMIT 1"
    return connection.one(sql, id=thread_id) is not None


def _build_busy(thread_id: str) -> ThreadBusy:
    return ThreadBusy(f"Thread {thread_id} has a run under way; wait for its end, or cancel it, to change its state")


def _get_row(connection: Connection, thread_id: str) -> Row:
    row = connection.one(f"SELECT {THREAD_COLUMNS} FROM threads WHERE thread_id = :id AND temporary = 0", id=thread_id)
    if row is None:
        raise NotFound(f"Thread with ID {thread_id} not found")
    return row
