"""Select runs: those of a thread, those with metadata, or those to cancel together."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from agent_server.access.ownership import Condition
from agent_server.database import Connection, Row
from agent_server.database.search import Page, Search
from agent_server.errors import Invalid, NotFound
from agent_server.runs.records import RUN_COLUMNS, read_run
from agent_server.schema import JsonObject, Run, RunsCancel, RunStatus, canonical_id

RunsByThread = dict[str, list[str]]


def list_runs_of_thread(
    connection: Connection, thread_id: str, limit: int, offset: int, status: str | None
) -> list[Run]:
    """Return the thread's runs, newest first. Errors: `NotFound` for an unknown thread."""
    if not connection.one("SELECT 1 AS x FROM threads WHERE thread_id = :id AND temporary = 0", id=thread_id):
        raise NotFound(f"Thread with ID {thread_id} not found")
    rows = connection.all(
        f"""SELECT {RUN_COLUMNS} FROM runs WHERE thread_id = :id AND (:status = '' OR status = :status)
        ORDER BY created_at DESC, run_id DESC LIMIT :limit OFFSET :offset""",
        id=thread_id,
        status=status or "",
        limit=limit,
        offset=offset,
    )
    return [read_run(row) for row in rows]


def find_active_run(connection: Connection, metadata: JsonObject) -> Run | None:
    """Return an active run whose metadata contains all of `metadata`, or None."""
    search = Search("runs")
    search.where_in("status", ["pending", "running"])
    search.contains("metadata", metadata)
    rows = search.rows(connection, Page(RUN_COLUMNS, "created_at DESC", 1, 0))
    return read_run(rows[0]) if rows else None


class TaskRow(Struct, frozen=True):
    """The columns of a run that a list of tasks needs first."""

    run_id: str
    status: RunStatus
    metadata: str
    created_at: int
    updated_at: int


MOST_TASKS = 10_000


def run_with(connection: Connection, thread_id: str, metadata: JsonObject) -> Row | None:
    """Return the thread's newest run whose metadata contains all of `metadata`, or None."""
    search = Search("runs")
    search.equals("thread_id", thread_id)
    search.contains("metadata", metadata)
    rows = search.rows(connection, Page("*", "created_at DESC, run_id DESC", 1, 0))
    return rows[0] if rows else None


def task_rows(
    connection: Connection, assistant_id: str, thread_id: str | None, metadata: JsonObject, owned: Condition | None
) -> list[TaskRow]:
    """Return the assistant's runs whose metadata contains all of `metadata`, most recently changed first.

    With `owned`, only on threads that meet it; at most `MOST_TASKS`.
    """
    search = Search("runs")
    search.equals("assistant_id", assistant_id)
    search.equals("thread_id", thread_id)
    search.contains("metadata", metadata)
    if owned is not None:
        search.where(f"thread_id IN (SELECT thread_id FROM threads WHERE {owned.sql})", **owned.parameters)
    page = Page(", ".join(TaskRow.__struct_fields__), "updated_at DESC, run_id DESC", MOST_TASKS, 0)
    return [TaskRow(*(row[name] for name in TaskRow.__struct_fields__)) for row in search.rows(connection, page)]


def choose_runs(which: RunsCancel, owned: Condition | None = None) -> Callable[[Connection], RunsByThread]:
    """Return a query for the active runs to cancel, by thread, in the order in which all transactions lock threads.

    With `owned`, only on threads that meet it. Errors: `Invalid` unless exactly one of the two ways to choose is used.
    """
    choose = _choose_all(which)
    if owned is None:
        return choose
    statement = f"SELECT 1 AS x FROM threads WHERE thread_id = :id AND {owned.sql}"

    def choose_owned(connection: Connection) -> RunsByThread:
        return {
            thread_id: run_ids
            for thread_id, run_ids in choose(connection).items()
            if connection.one(statement, id=thread_id, **owned.parameters)
        }

    return choose_owned


def _choose_all(which: RunsCancel) -> Callable[[Connection], RunsByThread]:
    if which.status is not None:
        if which.thread_id is not None or which.run_ids is not None:
            raise Invalid("status chooses among the runs of all threads: leave thread_id and run_ids out, or status")
        statuses = ("pending", "running") if which.status == "all" else (which.status, which.status)
        return lambda connection: _group_by_thread(_list_with_status(connection, *statuses))
    if which.thread_id is None or which.run_ids is None:
        raise Invalid("Name the runs to cancel: thread_id and run_ids, or a status (pending, running or all)")
    thread_id = canonical_id(which.thread_id, "thread")
    run_ids = {canonical_id(run_id, "run") for run_id in which.run_ids}
    return lambda connection: _group_by_thread(
        [row for row in _list_with_status(connection, "pending", "running", thread_id) if row["run_id"] in run_ids]
    )


def _list_with_status(connection: Connection, one: str, other: str, thread_id: str = "") -> list[Row]:
    return connection.all(
        """SELECT thread_id, run_id FROM runs WHERE status IN (:one, :other)
        AND (:thread_id = '' OR thread_id = :thread_id) ORDER BY thread_id, run_id""",
        one=one,
        other=other,
        thread_id=thread_id,
    )


def _group_by_thread(rows: list[Row]) -> RunsByThread:
    found: RunsByThread = {}
    for row in rows:
        found.setdefault(row["thread_id"], []).append(row["run_id"])
    return found
