"""List runs of all threads, newest first."""

from __future__ import annotations

from msgspec import Struct

from agent_server.access.ownership import Condition
from agent_server.database import Connection
from agent_server.database.search import Page, Search
from agent_server.runs.records import Record, read_record
from agent_server.schema import JsonObject, RunStatus, canonical_id


class RunQuery(Struct, frozen=True, kw_only=True):
    """A page of runs: those that match all given fields."""

    metadata: JsonObject | None
    """The metadata that runs contain."""
    status: RunStatus | None
    """`pending` includes runs at work."""
    thread_id: str | None
    assistant_id: str | None
    limit: int
    offset: int

    def search(self, owned: Condition | None) -> Search:
        """Return the search over the table of runs; with `owned`, only on threads that meet it. Errors: `Invalid`."""
        search = Search("runs")
        search.contains("metadata", self.metadata)
        if self.status == "pending":
            search.where_in("status", ["pending", "running"])
        else:
            search.equals("status", self.status)
        search.equals("thread_id", canonical_id(self.thread_id, "thread") if self.thread_id else None)
        search.equals("assistant_id", self.assistant_id)
        if owned is not None:
            search.where(f"thread_id IN (SELECT thread_id FROM threads WHERE {owned.sql})", **owned.parameters)
        return search


def find_runs(connection: Connection, query: RunQuery, owned: Condition | None) -> list[Record]:
    """Return the matching runs, newest first. Errors: `Invalid`."""
    page = Page("*", "created_at DESC, run_id DESC", query.limit, query.offset)
    return [read_record(row) for row in query.search(owned).rows(connection, page)]


class RunFilter(Struct, frozen=True):
    """The runs for a reader of feedback, newest first: those that match all given fields and come after `before`."""

    project: str
    """The project of the runs' feedback; `default` includes runs without a project."""
    run_ids: tuple[str, ...] | None
    assistant_ids: tuple[str, ...] | None
    thread_id: str | None
    failed: bool | None
    since: int | None
    """Only runs created at or after this time, in microseconds since 1970."""
    until: int | None
    before: str | None
    limit: int

    def search(self) -> Search:
        """Return the search over the table of runs."""
        search = Search("runs")
        search.where("COALESCE(project, 'default') = :project", project=self.project)
        for column, names in (("run_id", self.run_ids), ("assistant_id", self.assistant_ids)):
            if names:
                search.where_in(column, names)
            elif names is not None:
                search.where("1 = 0")
        search.equals("thread_id", self.thread_id)
        if self.failed is not None:
            search.where("status = 'error'" if self.failed else "status <> 'error'")
        if self.since is not None:
            search.where("created_at >= :since", since=self.since)
        if self.until is not None:
            search.where("created_at <= :until", until=self.until)
        if self.before is not None:
            search.where("run_id < :before", before=self.before)
        return search


def newest_runs(connection: Connection, which: RunFilter) -> list[Record]:
    """Return the matching runs. Run ids are UUIDv7, so their index gives the order of creation."""
    rows = which.search().rows(connection, Page("*", "run_id DESC", which.limit, 0))
    return [read_record(row) for row in rows]
