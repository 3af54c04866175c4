"""What an agent wrote last is stored by the transaction that ends its run: both, or neither."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from structlog.testing import capture_logs
from typing_extensions import TypedDict

from agent_server.agents import deferred_writes
from tests.agent_server.backend import Backend, open_backend, until
from tests.agent_server.runs.test_fencing import config_of

Meanwhile = Callable[[Backend], Awaitable[Any]]


class State(TypedDict, total=False):
    x: int


@pytest.fixture(autouse=True)
def _slow_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let writes wait for the end of a run however long its node takes."""
    monkeypatch.setattr(deferred_writes, "COLLECT_SECONDS", 3600)


@asynccontextmanager
async def open_graph(database_url: str, tmp_path: Path, meanwhile: Meanwhile | None = None) -> AsyncIterator[Backend]:
    """Open a server with a graph whose node awaits `meanwhile`."""

    async def node(_state: State) -> State:
        if meanwhile is not None:
            await meanwhile(backend)
        return {"x": 1}

    agents = {"agent": StateGraph(State).add_node("node", node).add_edge(START, "node").compile()}
    async with open_backend(database_url, agents, config=config_of(database_url, tmp_path)) as backend:
        yield backend


async def run_to_end(backend: Backend) -> tuple[Any, list[tuple[str, Any]]]:
    """Return a run on a new thread, and its events."""
    run = await backend.run(await backend.thread(), input={"x": 0})
    async with backend.worker():
        events = await backend.events(run.run_id)
    return run, events


async def states(backend: Backend, thread_id: str) -> list[Any]:
    """Return the values of the thread's stored states, latest first."""
    agent: Any = backend.agents["agent"]
    saver = agent._checkpointer
    config = {"configurable": {"thread_id": thread_id}}
    return [one.checkpoint["channel_values"].get("x") async for one in saver.alist(config)]


def execute(sql: str) -> Meanwhile:
    return lambda backend: backend.database.write(lambda connection: connection.execute(sql))


async def test_quick_run_stores_checkpoints_with_its_end(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_graph(database_url, tmp_path) as backend:
        agent: Any = backend.agents["agent"]
        alone: list[Any] = []
        monkeypatch.setattr(agent._checkpointer, "store", alone.append)
        run, events = await run_to_end(backend)
        assert events[-1][0] == "values"
        assert await backend.status(run.run_id) == "success"
        assert await states(backend, run.thread_id) == [1, 0, None]
        assert alone == [], "a commit of their own"


async def test_last_writes_that_fail_fail_the_run(database_url: str, tmp_path: Path) -> None:
    rename = execute("ALTER TABLE checkpoints RENAME TO elsewhere")
    async with open_graph(database_url, tmp_path, rename) as backend:
        with capture_logs() as logs:
            run, events = await run_to_end(backend)
        assert events[-1][0] == "error"
        assert "checkpoints" in events[-1][1]["message"]
        assert await backend.status(run.run_id) == "error"
        assert await backend.thread_status(run.thread_id) == "error"
        assert "run_failed" in [one["event"] for one in logs]
        await backend.database.write(lambda c: c.execute("ALTER TABLE elsewhere RENAME TO checkpoints"))
        assert await states(backend, run.thread_id) == []


async def test_rollback_at_the_end_stores_nothing(database_url: str, tmp_path: Path) -> None:
    cancel = execute("UPDATE runs SET cancel = 'rollback'")  # its worker is not notified
    async with open_graph(database_url, tmp_path, cancel) as backend:
        run, _ = await run_to_end(backend)
        assert await backend.status(run.run_id) is None
        assert await states(backend, run.thread_id) == []


async def test_lost_lease_at_the_end_stores_nothing(database_url: str, tmp_path: Path) -> None:
    lose = execute("UPDATE runs SET lease_token = 'of another worker'")
    async with open_graph(database_url, tmp_path, lose) as backend:
        run = await backend.run(await backend.thread(), input={"x": 0})
        with capture_logs() as logs:
            async with backend.worker():
                await until(lambda: "lease_lost" in [one["event"] for one in logs])
        assert await backend.status(run.run_id) == "running"
        assert await states(backend, run.thread_id) == []
