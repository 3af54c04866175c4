"""Calls that block the event loop are logged with their place; work in threads is not."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Callable, MutableMapping
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import pytest
from langgraph.graph import START, StateGraph
from structlog.testing import capture_logs

from agent_server import create_app
from agent_server.agents import find_running_node
from agent_server.observability.event_loop import watch_loop
from tests.agent_server.backend import until
from tests.agent_server.graphs import State
from tests.agent_server.served import config_of, served

HELD_UP = 0.6
Logs = list[MutableMapping[str, Any]]


async def holds_up(_: State) -> State:
    time.sleep(HELD_UP)  # noqa: ASYNC251  # which is the mistake
    return {"x": 1}


def works_in_a_thread(_: State) -> State:
    time.sleep(HELD_UP)
    return {"x": 1}


async def plain(_: Any) -> AsyncIterator[dict[str, Any]]:
    time.sleep(HELD_UP)  # noqa: ASYNC251
    yield {}


AGENTS = {
    "careless": StateGraph(State).add_node(holds_up).add_edge(START, "holds_up").compile(),
    "threaded": StateGraph(State).add_node(works_in_a_thread).add_edge(START, "works_in_a_thread").compile(),
    "plain": plain,
}


async def logs_of_run(folder: Path, graph_id: str, blocked_seconds: float) -> tuple[str, Logs]:
    """Run the graph; return the run's id and what is logged until a moment after its end."""
    config = config_of("sqlite:///", folder, blocked_seconds=blocked_seconds)
    with capture_logs() as logs:
        async with served(create_app(config, agents=AGENTS)) as client:
            made = await client.post("/runs", json={"assistant_id": graph_id, "input": {}})
            run_id = made.json()["run_id"]
            await client.get(f"/runs/{run_id}/join")
            await anyio.sleep(0.2)
    return run_id, logs


def warnings_in(logs: Logs) -> Logs:
    return [one for one in logs if one["event"] == "event_loop_blocked"]


async def test_blocking_node_is_reported_with_graph_run_place(tmp_path: Path) -> None:
    run_id, logs = await logs_of_run(tmp_path, "careless", 0.1)
    warning = warnings_in(logs)[0]
    assert (warning["graph_id"], warning["node"], warning["run_id"]) == ("careless", "holds_up", run_id)
    assert warning["blocked_seconds"] >= HELD_UP / 2
    assert warning["over"] is True
    assert warning["at"].startswith(__file__)
    assert "plain function" in warning["advice"]


async def test_blocking_plain_agent_is_reported(tmp_path: Path) -> None:
    run_id, logs = await logs_of_run(tmp_path, "plain", 0.1)
    warning = warnings_in(logs)[0]
    assert (warning["graph_id"], warning["run_id"]) == ("plain", run_id)


async def test_sync_node_blocks_no_other_run(tmp_path: Path) -> None:
    """The loop keeps turning while the node sleeps; a late turn would be logged."""
    _, logs = await logs_of_run(tmp_path, "threaded", 0.1)
    assert warnings_in(logs) == []
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await anyio.sleep(0.01)
            turns += 1

    async with anyio.create_task_group() as group:
        group.start_soon(take_turns)
        await AGENTS["threaded"].ainvoke({})  # type: ignore[attr-defined]  # it is a graph
        group.cancel_scope.cancel()
    assert turns >= 5


@pytest.mark.parametrize("seconds", [0.0, 30.0])
async def test_block_below_the_threshold_is_not_reported(tmp_path: Path, seconds: float) -> None:
    _, logs = await logs_of_run(tmp_path, "careless", seconds)
    assert warnings_in(logs) == []


async def test_endless_block_is_reported_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent_server.observability.event_loop.PATIENCE_SECONDS", 0.1)
    with capture_logs() as logs, watch_loop(0.1, lambda _: {"graph_id": "endless"}):
        time.sleep(HELD_UP)  # noqa: ASYNC251
        assert [one["over"] for one in warnings_in(logs)] == [False]
        await until(lambda: len(warnings_in(logs)) == 2)
    assert warnings_in(logs)[1]["over"] is True


NODE_CONFIG = {"metadata": {"langgraph_node": "n", "graph_id": "g", "run_id": "r"}}


def stack(*modules: str) -> list[FrameType]:
    """Return the stack of LangGraph's runner calling code of these modules, each the next."""
    seen: list[FrameType] = []

    def look() -> None:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code is not stack.__code__:
            seen.append(frame)
            frame = frame.f_back

    called: Callable[[], None] = look
    for module in reversed(modules):
        scope: dict[str, Any] = {"__name__": module, "called": called}
        exec("def call():\n    called()\n", scope)
        called = scope["call"]
    scope = {"__name__": "langgraph.pregel._retry", "called": called, "config": NODE_CONFIG}
    exec("def run(config):\n    called()\nrun(config)\n", scope)
    return [frame for frame in seen if frame.f_code.co_name != "<module>"]


@pytest.mark.parametrize(
    ("modules", "is_named"),
    [
        (["my_agent"], True),
        (["langgraph.pregel", "my_agent", "requests"], True),
        (["langchain_openai"], True),
        (["my_agent", "langchain_core.runnables"], True),
        (["my_agent", "importlib._bootstrap", "pandas"], True),
        (["langgraph.pregel", "asyncio.events"], False),
        (["langgraph.pregel", "importlib._bootstrap", "numpy"], False),
        (["my_agent", "langchain_core.runnables", "importlib._bootstrap", "langsmith"], False),
        (["agent_server.agents.langgraph", "msgspec"], False),
    ],
)
def test_only_a_graphs_own_frames_name_it(modules: list[str], is_named: bool) -> None:
    assert (find_running_node(stack(*modules)) is not None) == is_named


async def test_server_work_names_no_graph() -> None:
    with capture_logs() as logs, watch_loop(0.1, find_running_node):
        time.sleep(HELD_UP)  # noqa: ASYNC251
        await anyio.sleep(0.2)
    assert logs == []
