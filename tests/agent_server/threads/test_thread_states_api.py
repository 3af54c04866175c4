"""`/threads/{id}/state` and `/history` over HTTP, on both databases: reads, events and updates."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.agent_server.api import Api, serving

STEPS = [
    {"updates": [{"values": {"x": 1}, "as_node": "__input__"}]},
    {"updates": [{"values": {"x": 3, "log": ["made up"]}, "as_node": "ask"}]},
]


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path) as api:
        yield api


async def test_state_of_an_unused_thread_is_empty(api: Api) -> None:
    state = await api.get(f"/threads/{await api.thread()}/state")
    assert state == {
        "values": {},
        "next": [],
        "tasks": [],
        "metadata": None,
        "created_at": None,
        "checkpoint": None,
        "parent_checkpoint": None,
        "interrupts": [],
        "checkpoint_id": None,
        "parent_checkpoint_id": None,
    }
    assert await api.get(f"/threads/{await api.thread(metadata={'graph_id': {}})}/history") == []


async def test_state_has_next_nodes_and_interrupts(api: Api) -> None:
    thread_id = await api.thread("asking", {"x": 1})
    state = await api.get(f"/threads/{thread_id}/state")
    assert (state["values"], state["next"]) == ({"x": 1, "log": []}, ["ask"])
    [task] = state["tasks"]
    assert (task["name"], [one["value"] for one in task["interrupts"]]) == ("ask", [{"question": "how many?"}])
    assert (await api.get(f"/threads/{thread_id}"))["interrupts"] == {task["id"]: task["interrupts"]}


async def test_state_is_read_at_any_checkpoint(api: Api) -> None:
    path = f"/threads/{await api.thread('doubling', {'x': 1})}"
    for state in await api.get(f"{path}/history"):
        at = state["checkpoint"]
        assert await api.get(f"{path}/state/{at['checkpoint_id']}") == state
        assert await api.post(f"{path}/state/checkpoint", {"checkpoint": at}) == state
    assert (await api.post(f"{path}/state/checkpoint", {"checkpoint": {}}))["values"]["x"] == 2


async def test_checkpoint_that_is_not_there_is_refused(api: Api) -> None:
    path, unknown = f"/threads/{await api.thread('doubling', {'x': 1})}", str(uuid4())
    at = {"checkpoint": {"checkpoint_id": unknown}}
    for method, where, body in (
        ("GET", f"/state/{unknown}", None),
        ("POST", "/state/checkpoint", at),
        ("POST", "/state", {"values": {"x": 1}, **at}),
        ("POST", "/state", {"values": {"x": 1}, "checkpoint_id": unknown}),
    ):
        status, received = await api.refusal(method, path + where, body)
        assert (status, received.startswith(f"Checkpoint {unknown} not found")) == (404, True)
    assert (await api.refusal("GET", f"{path}/state/abc"))[0] == 422
    assert (await api.refusal("GET", f"{path}/state/%00"))[0] == 422
    assert (await api.refusal("GET", f"{path}/history?before=%00"))[0] == 422


async def test_subgraphs_states_are_filled_in_where_asked(api: Api) -> None:
    path = f"/threads/{await api.thread('nested_asking', {'x': 1})}"
    [plain] = (await api.get(f"{path}/state"))["tasks"]
    assert plain["state"] is None
    [full] = (await api.get(f"{path}/state?subgraphs=true"))["tasks"]
    assert full["state"]["next"] == ["ask"]
    inner = await api.post(f"{path}/state/checkpoint", {"checkpoint": plain["checkpoint"]})
    assert (inner["next"], inner["values"]) == (["ask"], {"x": 1, "log": []})
    history = await api.post(f"{path}/history", {"checkpoint": plain["checkpoint"]})
    assert history[0] == inner


async def test_only_selected_fields_are_sent(api: Api) -> None:
    path = f"/threads/{await api.thread('doubling', {'x': 1})}"
    assert await api.get(f"{path}/state?select=next&select=values.x") == {"next": [], "values": {"x": 2}}
    at = {"checkpoint": {}, "select": ["values.log", "values.x", "values.nope"]}
    assert await api.post(f"{path}/state/checkpoint", at) == {"values": {"log": ["double"], "x": 2}}
    states = await api.post(f"{path}/history", {"select": ["values"]})
    assert [list(state) for state in states] == [["values"]] * 3
    status, received = await api.refusal("GET", f"{path}/state?select=bogus")
    assert (status, received.startswith("select 'bogus' is no field of a state")) == (422, True)


async def test_history_is_newest_first_and_ten_by_default(api: Api) -> None:
    thread_id = await api.thread("doubling", {"x": 1})
    for _ in range(3):
        await api.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": "doubling", "input": {}})
    for history in (
        await api.get(f"/threads/{thread_id}/history"),
        await api.post(f"/threads/{thread_id}/history", {}),
    ):
        assert len(history) == 10
        assert [state["values"].get("x") for state in history][:2] == [16, 8]
    assert len(await api.get(f"/threads/{thread_id}/history?limit=1000")) == 12
    for limit in (0, 1001):
        assert (await api.refusal("GET", f"/threads/{thread_id}/history?limit={limit}"))[0] == 422
        assert (await api.refusal("POST", f"/threads/{thread_id}/history", {"limit": limit}))[0] == 422


async def test_history_continues_before_a_checkpoint_of_any_form(api: Api) -> None:
    path = f"/threads/{await api.thread('doubling', {'x': 1})}/history"
    states = await api.get(path)
    at = states[0]["checkpoint"]
    for before in (at["checkpoint_id"], at, {"configurable": at}):
        assert await api.post(path, {"before": before}) == states[1:]
    assert await api.get(f"{path}?before={at['checkpoint_id']}&limit=1") == states[1:2]


async def test_history_is_filtered_by_metadata(api: Api) -> None:
    path = f"/threads/{await api.thread('doubling', {'x': 1})}/history"
    for metadata, steps in (
        ({"source": "input"}, [-1]),
        ({"source": "loop"}, [1, 0]),
        ({"source": "loop", "step": 0}, [0]),
        ({"step": 10**30}, []),
        ({"no'such\"key": None}, []),
        ({"parents": {}}, [1, 0, -1]),
    ):
        states = await api.post(path, {"metadata": metadata})
        assert [state["metadata"]["step"] for state in states] == steps
    assert len(await api.post(path, {"metadata": {"parents": {}}, "limit": 2})) == 2


async def test_update_advances_the_thread_like_a_node(api: Api) -> None:
    thread_id = await api.thread("asking", {"x": 1})
    made = await api.post(f"/threads/{thread_id}/state", {"values": {"x": 7}, "as_node": "ask"})
    assert made["checkpoint"] == made["configurable"]
    assert (made["checkpoint"]["thread_id"], made["checkpoint"]["checkpoint_ns"]) == (thread_id, "")
    thread, state = await api.get(f"/threads/{thread_id}"), await api.get(f"/threads/{thread_id}/state")
    assert (state["checkpoint_id"], state["next"]) == (made["checkpoint_id"], ["double"])
    assert (thread["status"], thread["values"]["x"], thread["interrupts"]) == ("interrupted", 7, {})
    go_on = {"assistant_id": "asking", "input": None}
    assert (await api.post(f"/threads/{thread_id}/runs/wait", go_on))["x"] == 14
    assert (await api.get(f"/threads/{thread_id}"))["status"] == "idle"


async def test_update_forks_from_a_checkpoint(api: Api) -> None:
    thread_id = await api.thread("asking", {"x": 1})
    fork = (await api.get(f"/threads/{thread_id}/state"))["checkpoint"]
    await api.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": "asking", "command": {"resume": 1}})
    for named in ({"checkpoint": fork}, {"checkpoint_id": fork["checkpoint_id"]}):
        await api.post(f"/threads/{thread_id}/state", {"values": {"x": 50}, "as_node": "ask", **named})
        state = await api.get(f"/threads/{thread_id}/state")
        assert (state["values"], state["next"]) == ({"x": 50, "log": []}, ["double"])
        assert state["parent_checkpoint"]["checkpoint_id"] == fork["checkpoint_id"]


async def test_subgraph_update_leaves_the_threads_values(api: Api) -> None:
    path = f"/threads/{await api.thread('nested_asking', {'x': 1})}"
    [task] = (await api.get(f"{path}/state"))["tasks"]
    await api.post(f"{path}/state", {"values": {"x": 5}, "checkpoint": task["checkpoint"]})
    [task] = (await api.get(f"{path}/state?subgraphs=true"))["tasks"]
    assert task["state"]["values"]["x"] == 5
    assert (await api.get(path))["values"]["x"] == 1


@pytest.mark.parametrize(
    ("update", "status", "received"),
    [
        ({"values": {"x": 1}, "as_node": "zzz"}, 400, "Node zzz does not exist"),
        ({"values": [{"x": 1}], "as_node": "ask"}, 400, "Expected dict, got [{'x': 1}]"),
        ({"values": {"log": 5}, "as_node": "ask"}, 400, "The graph does not take these values: TypeError"),
        ({"values": "text"}, 422, "values: Expected"),
        ({"values": {}, "command": {"goto": {"x": 1}}}, 422, "command.goto has {'x': 1}; it must be"),
        ({"values": {}, "checkpoint": {"checkpoint_ns": "no:such"}}, 400, "Subgraph no not found"),
        ({"values": {}, "checkpoint": {"checkpoint_id": "abc"}}, 422, "Invalid checkpoint ID"),
    ],
    ids=str,
)
async def test_impossible_update_is_refused_without_effect(
    api: Api, update: dict[str, Any], status: int, received: str
) -> None:
    path = f"/threads/{await api.thread('asking', {'x': 1})}"
    before = await api.get(f"{path}/state")
    refused, message = await api.refusal("POST", f"{path}/state", update)
    assert (refused, message[: len(received)]) == (status, received)
    assert await api.get(f"{path}/state") == before


async def test_update_needs_an_agent_that_keeps_state(api: Api) -> None:
    for metadata, status, received in (
        ({}, 400, "has no assigned graph ID"),
        ({"graph_id": "nope"}, 404, "Graph 'nope' not found"),
        ({"graph_id": "echo"}, 400, "The agent 'echo' keeps no state"),
        ({"graph_id": 5}, 400, "has no assigned graph ID"),
    ):
        path = f"/threads/{await api.thread(metadata=metadata)}/state"
        refused, message = await api.refusal("POST", path, {"values": {"x": 1}})
        assert (refused, received in message) == (status, True)


async def test_update_during_a_run_is_a_conflict(api: Api) -> None:
    thread_id = await api.thread("doubling", {"x": 1})
    later = {"assistant_id": "doubling", "input": {"x": 1}, "after_seconds": 600}
    await api.post(f"/threads/{thread_id}/runs", later)
    assert (await api.refusal("POST", f"/threads/{thread_id}/state", {"values": {"x": 1}}))[0] == 409


async def test_thread_is_created_from_supersteps(api: Api) -> None:
    made = await api.post("/threads", {"metadata": {"graph_id": "asking"}, "supersteps": STEPS})
    assert (made["status"], made["values"]) == ("interrupted", {"x": 3, "log": ["made up"]})
    assert (await api.get(f"/threads/{made['thread_id']}/state"))["next"] == ["double"]
    again = {"thread_id": made["thread_id"], "if_exists": "do_nothing", "supersteps": STEPS}
    assert await api.post("/threads", again) == made


async def test_thread_whose_supersteps_lead_nowhere_is_not_created(api: Api) -> None:
    wrong = [{"updates": [{"values": {"x": 1}, "as_node": "zzz"}]}]
    for metadata, steps, status in (
        ({"graph_id": "asking"}, wrong, 400),
        ({}, STEPS, 400),
        ({"graph_id": "no"}, STEPS, 404),
    ):
        body = {"metadata": metadata, "supersteps": steps}
        assert (await api.refusal("POST", "/threads", body))[0] == status
    assert await api.post("/threads/count", {}) == 0


async def test_agent_without_state_shows_its_last_values(api: Api) -> None:
    thread_id = await api.thread("echo", {"a": 1})
    state = await api.get(f"/threads/{thread_id}/state")
    assert (state["values"], state["checkpoint"]) == ({"echo": {"a": 1}}, None)
    assert await api.get(f"/threads/{thread_id}/history") == []
    assert (await api.refusal("GET", f"/threads/{thread_id}/state/{uuid4()}"))[0] == 404
    copy = await api.post(f"/threads/{thread_id}/copy", None)
    assert copy["values"] == {"echo": {"a": 1}}


async def test_runs_of_two_graphs_keep_their_metadata(api: Api) -> None:
    thread_id = await api.thread("asking", {"x": 1})
    await api.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": "doubling", "input": {"x": 1}})
    runs = await api.get(f"/threads/{thread_id}/runs")
    assert [run["metadata"]["graph_id"] for run in runs] == ["doubling", "asking"]
    assert [run["metadata"]["assistant_id"] for run in runs] == [run["assistant_id"] for run in runs]
    metadata = (await api.get(f"/threads/{thread_id}"))["metadata"]
    assert metadata == {"graph_id": "doubling", "assistant_id": runs[0]["assistant_id"]}


async def test_messages_have_the_official_servers_shape(api: Api) -> None:
    thread_id = await api.thread("chat", {"messages": [{"role": "user", "content": "hi"}]})
    messages = (await api.get(f"/threads/{thread_id}/state"))["values"]["messages"]
    assert [(message["type"], message["content"]) for message in messages] == [("human", "hi"), ("ai", "Why not")]
    assert messages == (await api.get(f"/threads/{thread_id}"))["values"]["messages"]
