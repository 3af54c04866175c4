"""A graph that calls its own server over HTTP and waits for itself is named in the log; other waits are not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.graph import START, StateGraph
from langgraph_sdk import get_client, get_sync_client
from litestar import Litestar
from structlog.testing import capture_logs
from typing_extensions import TypedDict

from agent_server import AgentServerPlugin, create_app
from agent_server.agents.node_stacks import find_waiting_calls
from tests.agent_server.backend import until
from tests.agent_server.served import config_of

SELF = "graph_waits_for_itself"
GATES: list[asyncio.Event] = []
"""The last gate opens once all nodes that wait for it are busy; each event loop needs its own."""


class State(TypedDict, total=False):
    url: str
    thread: str


def ids(config: RunnableConfig) -> tuple[str, str]:
    return config["configurable"]["thread_id"], config["configurable"]["run_id"]


async def waits(state: State, config: RunnableConfig) -> State:
    async with get_client(url=state["url"]) as client:
        await client.runs.wait(ids(config)[0], "sleeping", input={})
    return {}


def waits_in_thread(state: State) -> State:
    with get_sync_client(url=state["url"]) as client:
        client.runs.wait(ids(get_config())[0], "sleeping", input={})
    return {}


async def streams(state: State, config: RunnableConfig) -> State:
    async with get_client(url=state["url"]) as client:
        async for _ in client.runs.stream(ids(config)[0], "sleeping", input={}):
            pass
    return {}


async def gathers(state: State, config: RunnableConfig) -> State:
    async with httpx.AsyncClient(base_url=state["url"], timeout=60) as http:
        body = {"assistant_id": "sleeping", "input": {}}
        await asyncio.gather(asyncio.sleep(0), http.post(f"/threads/{ids(config)[0]}/runs/wait", json=body))
    return {}


async def joins(state: State, config: RunnableConfig) -> State:
    async with get_client(url=state["url"]) as client:
        await client.runs.join(*ids(config))
    return {}


async def waits_elsewhere(state: State) -> State:
    """Wait for a run on the thread in the state."""
    await GATES[-1].wait()
    async with get_client(url=state["url"]) as client:
        await client.runs.wait(state["thread"], "sleeping", input={})
    return {}


async def waits_stateless(state: State) -> State:
    await GATES[-1].wait()
    async with get_client(url=state["url"]) as client:
        await client.runs.wait(None, "sleeping", input={})
    return {}


async def sleeping(_: State) -> State:
    await asyncio.sleep(60)
    return {}


NODES = (waits, waits_in_thread, streams, gathers, joins, waits_elsewhere, waits_stateless, sleeping)
AGENTS = {one.__name__: StateGraph(State).add_node(one).add_edge(START, one.__name__).compile() for one in NODES}  # type: ignore[type-var]


@dataclass
class Served:
    url: str
    plugin: AgentServerPlugin
    http: httpx.AsyncClient

    async def begin(self, graph_id: str, thread_id: str | None = None, **given: Any) -> str:
        thread_id = thread_id or (await self.http.post("/threads", json={})).json()["thread_id"]
        body = {"assistant_id": graph_id, "input": {"url": self.url, **given}}
        return str((await self.http.post(f"/threads/{thread_id}/runs", json=body)).json()["run_id"])

    async def open_gate(self, busy: int) -> None:
        """Release the nodes once so many runs are busy."""
        await until(lambda: self.plugin._worker.busy == busy)
        GATES[-1].set()

    async def named(self, count: int, calls: int) -> list[MutableMapping[str, Any]]:
        """Return the logged lines once there are so many; for 0, those of five checks while so many nodes wait."""
        await until(lambda: len(find_waiting_calls()) >= calls)
        lines: list[MutableMapping[str, Any]] = []

        async def look() -> bool:
            with capture_logs() as logs:
                await self.plugin._self_waits.look()
            lines.extend(line for line in logs if line["event"] == SELF)
            return len(lines) >= count

        if count:
            await until(look)
        for _ in range(5):
            await look()
            await asyncio.sleep(0.01)
        return lines


@asynccontextmanager
async def served(database_url: str, folder: Path, **settings: Any) -> AsyncIterator[Served]:
    """Serve the application on its own port."""
    GATES.append(asyncio.Event())
    app: Litestar = create_app(
        config_of(database_url, folder, drain_seconds=0, stop_seconds=1, **settings), agents=AGENTS
    )
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    task = asyncio.create_task(server._serve([listening]))
    await until(lambda: server.started)
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        try:
            yield Served(url, app.plugins.get(AgentServerPlugin), http)
            await http.post("/runs/cancel", json={"status": "all"})
        finally:
            server.should_exit = True
            await task


async def test_node_that_waits_for_itself_is_named(database_url: str, tmp_path: Path) -> None:
    async with served(database_url, tmp_path) as here:
        graphs = ["waits", "waits_in_thread", "streams", "gathers", "joins"]
        runs = {await here.begin(graph_id): graph_id for graph_id in graphs}
        named = await here.named(len(graphs), calls=len(graphs))
        assert {line["run_id"]: line["graph_id"] for line in named} == runs
        assert [line["node"] for line in named] == [line["graph_id"] for line in named]
        assert len(named) == len(graphs)
        assert all(line["call"].startswith(("POST /threads/", "GET /threads/")) for line in named)
        assert all("cannot start or end before this one" in line["reason"] for line in named)
        assert all("thread of its own" in line["advice"] for line in named)


async def test_nodes_that_wait_for_each_other_are_named(sqlite_url: str, tmp_path: Path) -> None:
    async with served(sqlite_url, tmp_path) as here:
        first, second = [(await here.http.post("/threads", json={})).json()["thread_id"] for _ in range(2)]
        runs = [await here.begin("waits_elsewhere", first, thread=second)]
        runs.append(await here.begin("waits_elsewhere", second, thread=first))
        await here.open_gate(busy=2)
        assert sorted(line["run_id"] for line in await here.named(2, calls=2)) == sorted(runs)


async def test_waits_that_end_are_not_named(sqlite_url: str, tmp_path: Path) -> None:
    async with served(sqlite_url, tmp_path) as here:
        thread_id = (await here.http.post("/threads", json={})).json()["thread_id"]
        await here.begin("waits_elsewhere", thread=thread_id)
        await here.begin("waits_stateless")
        await here.open_gate(busy=2)
        assert await here.named(0, calls=2) == []


async def test_call_to_another_server_is_not_named(sqlite_url: str, tmp_path: Path) -> None:
    async def never_responds(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    done = asyncio.Event()
    other = await asyncio.start_server(never_responds, "127.0.0.1", 0)
    async with served(sqlite_url, tmp_path) as here:
        await here.begin("waits", url=f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}")
        assert await here.named(0, calls=1) == []
        await here.http.post("/runs/cancel", json={"status": "all"})
        done.set()
    other.close()


@pytest.mark.parametrize("jobs", [2, 3])
async def test_waits_that_take_all_slots_are_named(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr("agent_server.runs.self_waits.PATIENCE_SECONDS", 0)
    async with served(sqlite_url, tmp_path, jobs=jobs) as here:
        runs = [await here.begin("waits_stateless") for _ in range(2)]
        await here.open_gate(busy=2)
        named = await here.named(2 if jobs == 2 else 0, calls=2)
        if jobs == 3:
            assert named == []
        else:
            assert sorted(line["run_id"] for line in named) == sorted(runs)
            assert all("all 2 slots" in line["reason"] for line in named)
            assert all("AGENT_SERVER_JOBS" in line["advice"] for line in named)
