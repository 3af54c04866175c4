"""Read runs: one by its id, those of a thread, or those that match a search."""

from __future__ import annotations

from collections.abc import Sequence

from agent_server.access.ownership import Condition
from agent_server.database import Database
from agent_server.errors import NotFound
from agent_server.runs.listing import RunQuery, find_runs
from agent_server.runs.records import Record, read_record
from agent_server.runs.selection import TaskRow, find_active_run, list_runs_of_thread, run_with, task_rows
from agent_server.schema import JsonObject, Run, canonical_id

RECORD = """SELECT runs.*,
    (SELECT name FROM assistants WHERE assistants.assistant_id = runs.assistant_id) AS assistant_name
FROM runs"""


class RunReader:
    """The reads of the table of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, run_id: str, thread_id: str | None = None) -> Record:
        """Return the run (on this thread, where given). Errors: `NotFound`."""
        key = canonical_id(run_id, "run")
        row = await self._database.read(lambda c: c.one(f"{RECORD} WHERE run_id = :id", id=key))
        if row is None or (thread_id is not None and row["thread_id"] != canonical_id(thread_id, "thread")):
            raise NotFound(f"Run with ID {key} not found" + (f" on thread {thread_id}" if thread_id else ""))
        return read_record(row)

    async def get_many(self, run_ids: Sequence[str]) -> list[Record]:
        """Return the runs that exist; ids are in lower case with hyphens."""
        keys = {f"id_{at}": run_id for at, run_id in enumerate(run_ids)}
        if not keys:
            return []
        chosen = ", ".join(f":{name}" for name in keys)
        rows = await self._database.read(lambda c: c.all(f"{RECORD} WHERE run_id IN ({chosen})", **keys))
        return [read_record(row) for row in rows]

    async def find_active(self, metadata: JsonObject) -> Run | None:
        """Return an active run whose metadata contains all of `metadata`, or None."""
        return await self._database.read(lambda c: find_active_run(c, metadata))

    async def find_latest(self, thread_id: str, metadata: JsonObject) -> Record | None:
        """Return the thread's newest run whose metadata contains all of `metadata`, or None."""
        row = await self._database.read(lambda c: run_with(c, thread_id, metadata))
        return read_record(row) if row else None

    async def tasks(self, assistant_id: str, thread_id: str | None, owned: Condition | None = None) -> list[TaskRow]:
        """Return the assistant's runs that are A2A tasks, most recently changed first."""
        return await self._database.read(lambda c: task_rows(c, assistant_id, thread_id, {"a2a": {}}, owned))

    async def search(self, query: RunQuery, owned: Condition | None = None) -> list[Record]:
        """Return a page of runs, newest first; with `owned`, only on threads that meet it. Errors: `Invalid`."""
        return await self._database.read(lambda c: find_runs(c, query, owned))

    async def list_by_thread(self, thread_id: str, limit: int, offset: int, status: str | None) -> list[Run]:
        """Return the thread's runs, newest first. Errors: `NotFound` for an unknown thread."""
        key = canonical_id(thread_id, "thread")
        return await self._database.read(lambda c: list_runs_of_thread(c, key, limit, offset, status))

    async def read_clock(self) -> float:
        """Return the time of the database's clock, in seconds since 1970."""
        row = await self._database.read(lambda c: c.one("SELECT now_us() AS now"))
        return row["now"] / 1_000_000 if row else 0.0
