"""A factory receives the same config whenever its graph is made: to run, read, update or describe it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from tests.agent_server.api import Api, serving


class State(TypedDict, total=False):
    x: int


class FancyState(State, total=False):
    fancy: str


def asking(config: RunnableConfig) -> Any:
    style = config["configurable"].get("style", "plain")
    graph = StateGraph(FancyState if style == "fancy" else State)
    graph.add_node(f"{style}_ask", lambda _: {"x": interrupt("x?")})
    return graph.add_edge(START, f"{style}_ask").compile()


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path, agents={"asking_in_style": asking}) as api:
        yield api


FANCY: dict[str, Any] = {"style": "fancy"}
SETUPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "config of the assistant": ({"config": {"configurable": FANCY}}, {}),
    "context of the assistant": ({"context": FANCY}, {}),
    "config of the run": ({}, {"config": {"configurable": FANCY}}),
    "context of the run": ({}, {"context": FANCY}),
}


async def waiting_thread(api: Api, setup: str) -> tuple[str, str]:
    """Return the path of a thread that waits in the fancy graph, and its run's id."""
    of_assistant, of_run = SETUPS[setup]
    assistant = await api.post("/assistants", {"graph_id": "asking_in_style", **of_assistant})
    path = f"/threads/{await api.thread()}"
    body = {"assistant_id": assistant["assistant_id"], "input": {"x": 1}, **of_run}
    assert "__interrupt__" in await api.post(f"{path}/runs/wait", body)
    [run] = await api.get(f"{path}/runs")
    return path, run["run_id"]


@pytest.mark.parametrize("setup", SETUPS)
async def test_reading_makes_graph_of_the_run(api: Api, setup: str) -> None:
    path, run_id = await waiting_thread(api, setup)
    thread = await api.get(path)
    copy = await api.post(f"{path}/copy", {})
    copied = f"/threads/{copy['thread_id']}"
    for where in (path, copied):
        state = await api.get(f"{where}/state")
        [latest, *_] = await api.post(f"{where}/history", {})
        assert state["next"] == latest["next"] == ["fancy_ask"]
        assert {task["id"]: task["interrupts"] for task in state["tasks"]} == thread["interrupts"]
    await api.post(f"{copied}/state", {"values": {"x": 2, "fancy": "yes"}, "as_node": "fancy_ask"})
    assert (await api.get(f"{copied}/state"))["values"] == {"x": 2, "fancy": "yes"}
    await api.delete(f"{path}/runs/{run_id}")
    assert (await api.get(f"{path}/state"))["next"] == ["fancy_ask"]


async def test_assistant_is_described_with_its_config(api: Api) -> None:
    for setup in ({"config": {"configurable": FANCY}}, {"context": FANCY}):
        path = (
            f"/assistants/{(await api.post('/assistants', {'graph_id': 'asking_in_style', **setup}))['assistant_id']}"
        )
        assert "fancy_ask" in [node["id"] for node in (await api.get(f"{path}/graph"))["nodes"]]
        assert "fancy" in (await api.get(f"{path}/schemas"))["state_schema"]["properties"]


async def test_new_thread_is_updated_with_assistants_config(api: Api) -> None:
    assistant = await api.post("/assistants", {"graph_id": "asking_in_style", "context": FANCY})
    metadata = {"graph_id": "asking_in_style", "assistant_id": assistant["assistant_id"]}
    steps = [{"updates": [{"values": {"x": 1, "fancy": "yes"}, "as_node": "fancy_ask"}]}]
    thread = await api.post("/threads", {"metadata": metadata, "supersteps": steps})
    assert thread["values"] == {"x": 1, "fancy": "yes"}


async def test_thread_shows_config_as_official_server(api: Api) -> None:
    """Its runs' `configurable` is ignored; the first assistant's applies (langgraph-api 0.16.7)."""
    first = {"configurable": {"style": "fancy", "one": 1}, "recursion_limit": 40}
    second = {"configurable": {"style": "plain", "two": 2}, "tags": ["second"]}
    path = f"/threads/{await api.thread()}"
    assert (await api.get(path))["config"] == {}
    for config in (first, second):
        assistant = await api.post("/assistants", {"graph_id": "asking_in_style", "config": config})
        own = {"configurable": {"own": True}, "metadata": {"m": 1}}
        body = {"assistant_id": assistant["assistant_id"], "input": {"x": 1}, "config": own}
        await api.post(f"{path}/runs/wait", body)
    assert (await api.get(path))["config"] == {
        "configurable": {"style": "fancy", "one": 1, "two": 2},
        "recursion_limit": 40,
        "tags": ["second"],
        "metadata": {"m": 1},
    }
