"""The worker over both databases: how many runs at once, in which order, and how it stops or is lost."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.agent_server.backend import Backend, MintedUrls, names, open_backend, until

Yields = AsyncGenerator[str | dict[str, Any], None]


class Gate:
    """An agent that waits until it is released, and records its starts and ends."""

    def __init__(self) -> None:
        self.started: list[Any] = []
        self.stopped: list[Any] = []
        self.open = anyio.Event()

    async def agent(self, given: Any) -> Yields:
        self.started.append(given)
        try:
            yield {"given": given}
            await self.open.wait()
            yield {"done": given}
        finally:
            self.stopped.append(given)


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def test_hundred_runs_start_and_the_rest_follow(database_url: str, gate: Gate) -> None:
    async with open_backend(database_url, {"agent": gate.agent}) as backend:
        created = [(await backend.run(None, input=number)).run_id for number in range(104)]
        async with backend.worker():
            await until(lambda: len(gate.started) >= 100)
            await anyio.sleep(0.1)
            assert sorted(gate.started) == list(range(100))
            assert [await backend.status(run_id) for run_id in created[99:]] == ["running"] + ["pending"] * 4
            gate.open.set()
            await until(lambda: len(gate.stopped) == 104)
            await backend.events(created[-1])
        assert gate.started[100:] == [100, 101, 102, 103]


async def test_one_job_takes_the_runs_one_after_another(database_url: str, gate: Gate) -> None:
    gate.open.set()
    async with open_backend(database_url, {"agent": gate.agent}) as backend, backend.worker(jobs=1):
        created = [(await backend.run(None, input=number)).run_id for number in range(5)]
        await backend.events(created[-1])
        assert gate.started == gate.stopped == list(range(5))


async def test_stopped_worker_releases_runs_to_the_next(database_url: str, gate: Gate) -> None:
    async with open_backend(database_url, {"agent": gate.agent}) as backend:
        run = await backend.run(await backend.thread(), input="x", stream_mode="custom")
        async with backend.worker():
            await until(lambda: gate.started == ["x"])
        assert gate.stopped == ["x"]
        assert await backend.status(run.run_id) == "pending"
        gate.open.set()
        async with backend.worker():
            events = await backend.events(run.run_id)
        assert [data["attempt"] for name, data in events if name == "metadata"] == [1, 2]
        assert names(events) == ["metadata", "custom", "metadata", "custom", "custom"]
        assert await backend.status(run.run_id) == "success"


async def test_delayed_run_starts_without_being_rung_for(database_url: str, gate: Gate) -> None:
    gate.open.set()
    async with open_backend(database_url, {"agent": gate.agent}) as backend, backend.worker():
        run = await backend.run(None, after_seconds=0.3)
        assert names(await backend.events(run.run_id)) == ["metadata", "values"]


async def test_run_of_a_missing_graph_fails(backend: Backend) -> None:
    run = await backend.run(await backend.thread(), feedback_keys=["liked"])
    async with backend.worker():
        events = await backend.events(run.run_id)
    assert names(events) == ["metadata", "error"]
    assert events[-1][1]["error"] == "GraphNotFound"
    assert "'agent'" in events[-1][1]["message"]
    assert await backend.status(run.run_id) == "error"


async def test_run_that_lost_its_server_often_fails(database_url: str, gate: Gate) -> None:
    async with open_backend(database_url, {"agent": gate.agent}, feedback=MintedUrls()) as backend:
        run = await backend.run(await backend.thread(), feedback_keys=["liked"])
        for _ in range(backend.context.max_rescues):
            await backend.claim_one(lease_seconds=0)
        async with backend.worker():
            events = await backend.events(run.run_id)
        assert names(events) == ["gap", "metadata", "feedback", "error"]
        assert events[-1][1]["error"] == "ServerStopped"
        assert gate.started == []
        assert await backend.status(run.run_id) == "error"


async def test_crashed_workers_run_is_resumed_after_its_lease(database_url: str, gate: Gate) -> None:
    gate.open.set()
    async with open_backend(database_url, {"agent": gate.agent}) as backend:
        run = await backend.run(await backend.thread(), input=1)
        await backend.claim_one(lease_seconds=0.5)
        async with backend.worker():
            events = await backend.events(run.run_id)
        assert [name for name, _ in events[:2]] == ["gap", "metadata"]  # attempt 1's events are unknown
        assert events[1][1] == {"run_id": run.run_id, "attempt": 2}
        assert await backend.status(run.run_id) == "success"


async def test_long_run_keeps_its_lease(database_url: str, gate: Gate) -> None:
    async with open_backend(database_url, {"agent": gate.agent}) as backend:
        run = await backend.run(None, input=1)
        async with backend.worker(lease_seconds=0.6):
            await until(lambda: gate.started)
            await anyio.sleep(1.5)
            gate.open.set()
            await backend.events(run.run_id)
        assert gate.started == [1]
        assert await backend.status(run.run_id) == "success"


async def test_agent_stops_quietly_when_its_lease_is_lost(database_url: str, gate: Gate) -> None:
    async with open_backend(database_url, {"agent": gate.agent}, feedback=MintedUrls()) as backend:
        run = await backend.run(await backend.thread(), input=1, stream_mode="custom", feedback_keys=["liked"])
        async with backend.worker(lease_seconds=0.6):
            await until(lambda: gate.started)
            await backend.database.write(lambda c: c.execute("UPDATE runs SET lease_token = 'of another worker'"))
            await until(lambda: gate.stopped)
            await backend.broker.close(run.run_id)
            assert names(await backend.events(run.run_id)) == ["metadata", "custom"]
        row = await backend.row(run.run_id)
        assert row is not None
        assert (row["status"], row["lease_token"], row["output"]) == ("running", "of another worker", None)


async def test_run_is_finished_when_the_database_comes_back(
    postgres_server: Any, postgres_url: str, gate: Gate
) -> None:
    name = conninfo_to_dict(postgres_url)["dbname"]
    async with open_backend(postgres_url, {"agent": gate.agent}) as backend:
        run = await backend.run(await backend.thread(), input=1)
        async with backend.worker():
            await until(lambda: gate.started)
            with psycopg.connect(postgres_server.get_uri(), autocommit=True) as admin:
                admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
                gate.open.set()
                await until(lambda: gate.stopped)
                await anyio.sleep(0.5)
                admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
            assert names(await backend.events(run.run_id)) == ["metadata", "values"]
            assert await backend.status(run.run_id) == "success"
        assert gate.started == [1]


async def test_missing_database_does_not_prevent_the_stop(postgres_server: Any, postgres_url: str, gate: Gate) -> None:
    name = conninfo_to_dict(postgres_url)["dbname"]
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as admin:
        async with open_backend(postgres_url, {"agent": gate.agent}, patience=2) as backend:
            await backend.run(await backend.thread(), input=1)
            with anyio.fail_after(50):
                async with backend.worker():
                    await until(lambda: gate.started)
                    admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
                    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
                    gate.open.set()
                    await until(lambda: gate.stopped)
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
