"""States that a graph's own code refuses: its validators, reducers and factory may raise on any read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel, field_validator
from typing_extensions import TypedDict

from tests.agent_server.api import Api, serving


class Form(BaseModel):
    name: str = ""
    when: datetime | None = None
    tags: list[str] = []


class Small(BaseModel):
    x: int = 0

    @field_validator("x")
    @classmethod
    def is_small(cls, x: int) -> int:
        if x > 10:
            raise RuntimeError("x is too large")
        return x


def picky(log: list[str], line: str) -> list[str]:
    if line == "bad":
        raise ValueError("no bad lines")
    return [*(log or []), line]


class Log(TypedDict):
    log: Annotated[list[str], picky]


class Inner(TypedDict, total=False):
    name: str
    when: str
    x: int


def one_node(schema: Any, node: Any) -> Any:
    return StateGraph(schema).add_node("node", node).add_edge(START, "node").compile()


def with_subgraph() -> Any:
    inner = one_node(Form, lambda form: {"name": form.name.upper()})
    return StateGraph(Inner).add_node("inner", inner).add_edge(START, "inner").compile()


def spoiling() -> Any:
    graph = StateGraph(Form).add_node("spoil", lambda _: {"tags": None}).add_node("book", lambda _: {"name": "B"})
    return graph.add_edge(START, "spoil").add_edge("spoil", "book").compile()


factory_fails = {"now": False}


def sometimes_made(_: RunnableConfig) -> Any:
    if factory_fails["now"]:
        raise RuntimeError("the tool server is away")
    return one_node(Inner, lambda _: {"name": interrupt("name?")})


def never_made(_: RunnableConfig) -> Any:
    raise RuntimeError("the tool server is away")


AGENTS = {
    "form": one_node(Form, lambda form: {"name": form.name.upper()}),
    "spoiling": spoiling(),
    "small": one_node(Small, lambda small: {"x": small.x + 1}),
    "picky": one_node(Log, lambda _: {"log": "fine"}),
    "picky_of_node": one_node(Log, lambda _: {"log": "bad"}),
    "with_subgraph": with_subgraph(),
    "never_made": never_made,
    "sometimes_made": sometimes_made,
}

CASES = {
    "input of a wrong type": ("form", {"name": "n", "when": "yesterday"}, "Input should be a valid datetime", "when"),
    "input of a subgraph": ("with_subgraph", {"name": "n", "when": "yesterday"}, "valid datetime", "when"),
    "node's output": ("spoiling", {"name": "n"}, "Input should be a valid list", "tags"),
    "validator that fails": ("small", {"x": 99}, "x is too large", "x"),
    "reducer, of the input": ("picky", {"log": "bad"}, "no bad lines", "log"),
    "reducer, of a node's output": ("picky_of_node", {"log": "good"}, "no bad lines", "log"),
}


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    factory_fails["now"] = False
    async with serving(database_url, tmp_path, agents=AGENTS) as api:
        yield api


@pytest.mark.parametrize("case", CASES)
async def test_refused_state_ends_run_and_stays_readable(api: Api, case: str) -> None:
    graph, given, reason, channel = CASES[case]
    thread_id = await api.thread()
    path = f"/threads/{thread_id}"
    with anyio.fail_after(20):
        ended = await api.post(f"{path}/runs/wait", {"assistant_id": graph, "input": given})
    assert reason in ended["__error__"]["message"]
    [run] = await api.get(f"{path}/runs")
    thread = await api.get(path)
    assert (run["status"], thread["status"]) == ("error", "error")
    assert reason in thread["error"]["message"]
    for state in (await api.get(f"{path}/state?subgraphs=true"), *await api.post(f"{path}/history", {})):
        assert isinstance(state["next"], list)
    assert channel in (await api.get(f"{path}/state"))["values"]
    assert (await api.post(f"{path}/copy", {}))["status"] == "error"


async def test_update_mends_state_that_validators_refuse(api: Api) -> None:
    path = f"/threads/{await api.thread('form', {'name': 'n', 'when': 'yesterday'})}"
    refused = await api.post(f"{path}/runs/wait", {"assistant_id": "form", "input": {"name": "again"}})
    assert refused["__error__"]["error"] == "ValidationError"
    await api.post(f"{path}/state", {"values": {"when": None}, "as_node": "__start__"})
    mended = await api.post(f"{path}/runs/wait", {"assistant_id": "form", "input": {"name": "again"}})
    assert mended == {"name": "AGAIN", "when": None}


async def test_factory_that_fails_ends_run(api: Api) -> None:
    path = f"/threads/{await api.thread()}"
    ended = await api.post(f"{path}/runs/wait", {"assistant_id": "never_made", "input": {}})
    assert ended == {"__error__": {"error": "RuntimeError", "message": "the tool server is away"}}
    for method, where in (("GET", "/state"), ("POST", "/history"), ("POST", "/state")):
        status, reason = await api.refusal(method, path + where, {"values": {}} if where == "/state" else {})
        assert (status, "the tool server is away" in reason) == (400, True)
    for what in ("graph", "schemas", "subgraphs"):
        assistant = (await api.post("/assistants/search", {"graph_id": "never_made"}))[0]["assistant_id"]
        assert (await api.refusal("GET", f"/assistants/{assistant}/{what}"))[0] == 400


async def test_saved_values_are_shown_without_graph(api: Api) -> None:
    path = f"/threads/{await api.thread('sometimes_made', {'x': 1})}"
    before = await api.get(f"{path}/state")
    factory_fails["now"] = True
    after = await api.get(f"{path}/state")
    assert (after["values"], after["interrupts"]) == (before["values"], before["interrupts"])
    assert [task["interrupts"] for task in after["tasks"]] == [task["interrupts"] for task in before["tasks"]]
