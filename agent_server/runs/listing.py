"""List runs of all threads, newest first, for readers of feedback that filter them further."""

from __future__ import annotations

from msgspec import Struct

from agent_server.database import Connection
from agent_server.database.search import Page, Search
from agent_server.runs.records import Record, record_of


class RunFilter(Struct, frozen=True):
    """The runs to list, newest first: those that match all given fields and come after the run `before`."""

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
                search.one_of(column, names)
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
    return [record_of(row) for row in rows]
