"""Every statement of a run's life uses an index on both databases, so no cost grows with the stored rows."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest

from agent_server.broker.notifications import LocalSubscription
from agent_server.database import Connection, Database, Row
from agent_server.runs.records import Ending
from agent_server.streams.idle_threads import IdleThreads
from tests.agent_server.backend import Backend, open_backend
from tests.agent_server.runs.test_creation import Starter

T = TypeVar("T")
SUCCESS = Ending("success", "idle", b'{"n":1}', output=b'{"n":1}')
SMALL = ("runs_running_on_thread", "runs_pending", "runs_leases")
"""Indexes of active runs only: scanning one reads only active runs."""
TABLES = re.compile(r"\b(runs|threads)\b")


class Recorder:
    """Record the statements of a transaction."""

    def __init__(self, connection: Connection, seen: dict[str, dict[str, Any]]) -> None:
        self.skip_locked = connection.skip_locked
        self._connection = connection
        self._seen = seen

    def one(self, sql: str, /, **parameters: object) -> Row | None:
        self._seen[sql] = parameters
        return self._connection.one(sql, **parameters)

    def all(self, sql: str, /, **parameters: object) -> list[Row]:
        self._seen[sql] = parameters
        return self._connection.all(sql, **parameters)

    def tuples(self, sql: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        self._seen[sql] = parameters
        return self._connection.tuples(sql, **parameters)

    def execute(self, sql: str, /, **parameters: object) -> int:
        self._seen[sql] = parameters
        return self._connection.execute(sql, **parameters)


def record(database: Database) -> dict[str, dict[str, Any]]:
    """Return the statements, with their parameters, that the database executes from now on."""
    seen: dict[str, dict[str, Any]] = {}
    for name in ("read", "write"):
        method = getattr(database, name)

        async def recorded(work: Callable[[Connection], T], method: Any = method) -> Any:
            return await method(lambda connection: work(Recorder(connection, seen)))

        setattr(database, name, recorded)
    return seen


@pytest.fixture
async def recorded(database_url: str) -> AsyncIterator[tuple[Backend, dict[str, dict[str, Any]]]]:
    async with open_backend(database_url) as backend:
        yield backend, record(backend.database)


async def _live(backend: Backend) -> None:
    """Take runs through every transition."""
    threads = [await backend.thread() for _ in range(3)]
    queued = [await backend.run(thread_id) for thread_id in (*threads, None)]
    claims = await backend.runs.claim(4, 30)
    await backend.runs.renew(claims, 30)
    await backend.runs.note_progress(claims[0])
    await backend.runs.cancel(queued[0].run_id, threads[0], "interrupt")
    await backend.runs.cancel_wishes()
    await backend.run(threads[1], multitask_strategy="interrupt")
    await backend.runs.finish(claims[0], SUCCESS)
    await backend.runs.release(claims[1])
    await backend.runs.discard(claims[2], b"null")
    await backend.runs.finish(claims[3], SUCCESS)
    await backend.runs.expire_leases()
    await backend.runs.claim(4, 30, ["other"])
    backend.runs.starter = Starter()
    await backend.run(threads[0])
    await backend.run(None)
    await backend.runs.get(queued[0].run_id, threads[0])
    await backend.runs.list_by_thread(threads[0], 10, 0, None)
    await backend.threads.get(threads[0])
    await backend.threads.list_expired(10)
    await _wait_for_news(backend, threads)


async def _wait_for_news(backend: Backend, threads: list[str]) -> None:
    """Poll for streams that wait for news of the threads, and for their creation."""
    idle = IdleThreads(backend.database, are_changes_notified=True)
    for waits in (idle._for_news, idle._for_creation):
        waits.update({thread_id: [LocalSubscription({}, "")] for thread_id in threads})
    await idle.poll()
    await idle.look()


async def test_no_statement_of_a_run_reads_a_table(recorded: tuple[Backend, dict[str, dict[str, Any]]]) -> None:
    backend, seen = recorded
    await _live(backend)
    is_sqlite = backend.database.dialect == "sqlite"
    explained = {sql: given for sql, given in seen.items() if TABLES.search(sql) and "INSERT" not in sql}
    assert len(explained) > 15

    def plans(connection: Connection) -> dict[str, str]:
        if not is_sqlite:
            connection.execute("SET LOCAL enable_seqscan = off")  # PostgreSQL would otherwise scan small tables
        return {sql: _plan(connection, is_sqlite, sql, given) for sql, given in explained.items()}

    found = await backend.database.write(plans)
    assert {sql: plan for sql, plan in found.items() if _reads_a_table(plan)} == {}


def _plan(connection: Connection, is_sqlite: bool, sql: str, given: dict[str, Any]) -> str:
    rows = connection.all(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{sql}", **given)
    return "\n".join(row["detail" if is_sqlite else "QUERY PLAN"] for row in rows)


def _reads_a_table(plan: str) -> bool:
    scans = re.findall(r"(?:SCAN|Seq Scan on) (?:runs|threads|next|other).*", plan)
    return any(not scan.endswith(SMALL) for scan in scans)
