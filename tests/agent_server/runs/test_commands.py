"""Commands and checkpoints in requests for runs: their effects and refusals, on both databases.

Expected values were recorded from the official server (langgraph-api 0.16.7), unless a test says otherwise.
"""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from tests.agent_server.api import Api, serving


class Talk(TypedDict, total=False):
    topic: str
    log: Annotated[list[str], operator.add]


def asking(question: str) -> Any:
    return lambda _: {"log": [f"{question}: {interrupt(f'{question}?')}"]}


paying = (
    StateGraph(Talk).add_node("pay", asking("pay")).add_node("info", asking("info")).add_edge(START, "pay").compile()
)
listed: Any = (
    StateGraph(Annotated[list, operator.add])  # type: ignore[type-var]  # a state of one value
    .add_node("ask", lambda _: [interrupt("?")])
    .add_edge(START, "ask")
    .compile()
)


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path, agents={"paying": paying, "listed": listed}) as api:
        yield api


async def command(api: Api, path: str, **command: Any) -> Any:
    return await api.post(f"{path}/runs/wait", {"assistant_id": "paying", "command": command})


async def test_update_is_object_or_pairs(api: Api) -> None:
    for update in ({"topic": "x", "log": ["a", "b"]}, [["topic", "x"], ["log", ["a"]], ["log", ["b"]]]):
        path = f"/threads/{await api.thread('paying', {'topic': 'start'})}"
        ended = await command(api, path, update=update)
        assert (ended["topic"], ended["log"], len(ended["__interrupt__"])) == ("x", ["a", "b"], 1)
    path = f"/threads/{await api.thread('paying', {'topic': 'start'})}"
    assert await command(api, path, update=[["topic", "x"]], resume="yes") == {"topic": "x", "log": ["pay: yes"]}


async def test_update_of_single_value_state_is_the_value(api: Api) -> None:
    path = f"/threads/{await api.thread('listed', ['a'])}"
    body = {"assistant_id": "listed", "command": {"update": ["b"], "resume": "c"}}
    assert await api.post(f"{path}/runs/wait", body) == ["a", "b", "c"]


REFUSED: dict[str, Any] = {
    "misspelt": {"resumee": "yes"},
    "empty goto": {"goto": []},
    "empty update": {"update": {}},
    "null resume": {"resume": None},
    "goto of a number": {"goto": 5},
    "goto without node": {"goto": [{"nod": "info"}]},
    "update of a number": {"update": 5},
}
"""The official server fails these runs with `UnboundLocalError`, or accepts them and does nothing."""


async def test_command_that_does_nothing_is_refused(api: Api) -> None:
    thread_id = await api.thread("paying", {"topic": "start"})
    path = f"/threads/{thread_id}"
    for name, refused in REFUSED.items():
        body = {"assistant_id": "paying", "command": refused}
        for where in (f"{path}/runs", f"{path}/runs/wait", f"{path}/runs/stream", "/runs", f"{path}/runs/crons"):
            status, reason = await api.refusal("POST", where, {**body, "schedule": "0 0 1 1 *"})
            assert (name, status, "command" in reason) == (name, 422, True)
        assert (await api.refusal("POST", f"{path}/state", {"command": refused}))[0] == 422
        start = {"id": 1, "method": "run.start", "params": body}
        assert (await api.post(f"{path}/commands", start))["error"] == "invalid_argument"
    assert ((await api.get(path))["status"], len(await api.get(f"{path}/runs"))) == ("interrupted", 1)


async def test_command_of_nulls_leaves_the_input(api: Api) -> None:
    """Some clients write out every optional member."""
    path, nulls = f"/threads/{await api.thread()}", {"resume": None, "update": None, "goto": None}
    body = {"assistant_id": "paying", "input": {"topic": "x"}, "command": nulls}
    assert (await api.post(f"{path}/runs/wait", body))["topic"] == "x"


async def test_run_says_what_its_graph_does_not_have(api: Api) -> None:
    """The official server ignores both."""
    path = f"/threads/{await api.thread('paying', {'topic': 'start'})}"
    ended = await command(api, path, goto="nowhere")
    assert ended["__error__"]["message"] == "command.goto has 'nowhere'; the graph's nodes are info, pay"
    ended = await command(api, path, update=[{"topic": "x"}])
    assert "pairs" in ended["__error__"]["message"]


async def test_goto_beside_waiting_node_shows_both_interrupts(api: Api) -> None:
    path = f"/threads/{await api.thread('paying', {'topic': 'start'})}"
    ended = await command(api, path, goto="info")
    thread, state = await api.get(path), await api.get(f"{path}/state")
    [latest, *_] = await api.post(f"{path}/history", {})
    assert sorted(one["value"] for one in ended["__interrupt__"]) == ["info?", "pay?"]
    assert sorted(one["value"] for several in thread["interrupts"].values() for one in several) == ["info?", "pay?"]
    for shown in (state, latest):
        assert sorted(one["value"] for one in shown["interrupts"]) == ["info?", "pay?"]
        assert sorted(shown["next"]) == sorted(task["name"] for task in shown["tasks"]) == ["info", "pay"]
    answers = {one["id"]: "yes" for one in ended["__interrupt__"]}
    assert sorted((await command(api, path, resume=answers))["log"]) == ["info: yes", "pay: yes"]


async def test_malformed_checkpoint_is_refused(api: Api) -> None:
    path = f"/threads/{await api.thread('paying', {'topic': 'start'})}"
    for checkpoint in (
        {"checkpoint_id": "abc"},
        {"checkpoint": {"checkpoint_id": "abc"}},
        {"checkpoint": {"checkpoint_ns": 5}},
        {"checkpoint": {"checkpoint_map": "x"}},
        {"config": {"configurable": {"checkpoint_id": "abc"}}},
    ):
        body = {"assistant_id": "paying", "input": {"topic": "x"}, **checkpoint}
        status, reason = await api.refusal("POST", f"{path}/runs/wait", body)
        assert (status, "checkpoint" in reason.lower()) == (422, True)
    named = {"assistant_id": "paying", "input": {"topic": "x"}, "checkpoint_id": str(uuid4()).upper()}
    assert (await api.post(f"{path}/runs/wait", named))["topic"] == "x"
