"""LangGraph graphs as agents. The expected events were recorded from the official server (langgraph-api 0.16.7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from msgspec import structs

from agent_server.agents import Agent, AgentRun, Outcome, StatefulAgent, is_stateful, open_agents
from agent_server.config import Config
from agent_server.schema import StreamPart
from tests.agent_server.agent_runs import ASSISTANT_ID, agent_run, play
from tests.agent_server.graphs import GRAPHS, State

HUMAN: dict[str, Any] = {
    "content": "hi",
    "additional_kwargs": {},
    "response_metadata": {},
    "type": "human",
    "name": None,
}
AI: dict[str, Any] = {
    "content": "Why not",
    "additional_kwargs": {},
    "response_metadata": {},
    "type": "ai",
    "name": None,
    "id": "*",
    "tool_calls": [],
    "invalid_tool_calls": [],
    "usage_metadata": None,
}
QUESTION = {"messages": [{"role": "user", "content": "hi"}]}
INTERRUPT = {"value": {"question": "how many?"}, "id": "*", "response_schema": None}


@pytest.fixture
async def agents(database_url: str, tmp_path: Path) -> AsyncIterator[dict[str, Agent]]:
    """Open the test graphs as agents, over SQLite and over PostgreSQL."""
    url = database_url if database_url.startswith("postgres") else None
    async with open_agents(Config(tmp_path, data_dir=tmp_path, database_url=url), GRAPHS) as opened:
        yield opened


def stateful(agents: dict[str, Agent], graph_id: str) -> StatefulAgent:
    agent = agents[graph_id]
    assert is_stateful(agent)
    return agent


def again(run: AgentRun) -> AgentRun:
    """Return the run's next attempt."""
    return structs.replace(run, attempt=run.attempt + 1)


def without_ids(value: Any) -> Any:
    """Return the value with `*` for each message's and interrupt's id, for comparisons."""
    if isinstance(value, dict):
        return {key: "*" if key == "id" else without_ids(item) for key, item in value.items()}
    return [without_ids(item) for item in value] if isinstance(value, list) else value


async def test_values_are_sent_after_input_and_every_step(agents: dict[str, Agent]) -> None:
    events, outcome = await play(agents["doubling"], agent_run("doubling", {"x": 1}, thread_id=str(uuid4())))
    assert events == [("values", {"x": 1, "log": []}), ("values", {"x": 2, "log": ["double"]})]
    assert outcome == Outcome({"x": 2, "log": ["double"]})


async def test_outcome_is_complete_with_only_updates_streamed(agents: dict[str, Agent]) -> None:
    events, outcome = await play(agents["doubling"], agent_run("doubling", {"x": 1}, "updates", thread_id=str(uuid4())))
    assert events == [("updates", {"double": {"x": 2, "log": ["double"]}})]
    assert outcome.values == {"x": 2, "log": ["double"]}


async def test_message_fields_have_the_official_order(agents: dict[str, Agent]) -> None:
    events, _ = await play(agents["chat"], agent_run("chat", QUESTION))
    human, ai = events[-1][1]["messages"]
    assert list(human) == [*HUMAN, "id"]
    assert list(ai) == list(AI)
    assert without_ids([human, ai]) == [{**HUMAN, "id": "*"}, AI]


async def test_messages_tuple_streams_every_token_with_its_metadata(agents: dict[str, Agent]) -> None:
    run = agent_run("chat", QUESTION, "messages-tuple", thread_id=str(uuid4()))
    events, _ = await play(agents["chat"], run)
    assert [name for name, _ in events] == ["messages"] * 3
    chunk, metadata = events[0][1]
    assert list(chunk) == [*AI, "tool_call_chunks", "chunk_position"]
    assert {key: chunk[key] for key in ("content", "type", "tool_call_chunks", "chunk_position")} == {
        "content": "Why",
        "type": "AIMessageChunk",
        "tool_call_chunks": [],
        "chunk_position": None,
    }
    assert "".join(data[0]["content"] for _, data in events) == "Why not"
    assert events[-1][1][0]["chunk_position"] == "last"
    namespace = metadata["langgraph_checkpoint_ns"]
    assert metadata == {
        "created_by": "system",
        "graph_id": "chat",
        "assistant_id": ASSISTANT_ID,
        "run_attempt": 1,
        "run_id": run.run_id,
        "thread_id": run.thread_id,
        "ls_integration": "langchain_chat_model",
        "langgraph_step": 1,
        "langgraph_node": "chat",
        "langgraph_triggers": ["branch:to:chat"],
        "langgraph_path": ["__pregel_pull", "chat"],
        "langgraph_checkpoint_ns": namespace,
        "checkpoint_ns": namespace,
        "ls_provider": "genericfakechatmodel",
        "ls_model_type": "chat",
        "lc_versions": metadata["lc_versions"],
    }


async def test_messages_accumulate_a_streamed_message(agents: dict[str, Agent]) -> None:
    events, _ = await play(agents["chat"], agent_run("chat", QUESTION, "messages"))
    assert [name for name, _ in events] == ["messages/metadata"] + ["messages/partial"] * 3
    ((message_id, described),) = events[0][1].items()
    assert described["metadata"]["langgraph_node"] == "chat"
    assert [data for _, data in events[1:]] == [
        [{**AI, "id": message_id, "content": text}] for text in ("Why", "Why ", "Why not")
    ]


async def test_unstreamed_message_is_sent_as_complete(agents: dict[str, Agent]) -> None:
    events, _ = await play(agents["canned"], agent_run("canned", QUESTION, "messages"))
    assert [name for name, _ in events] == ["messages/metadata", "messages/complete"]
    assert list(events[0][1]) == ["m1"]
    assert events[1][1] == [{**AI, "id": "m1", "content": "hello"}]


async def test_custom_is_whatever_the_graph_writes(agents: dict[str, Agent]) -> None:
    events, _ = await play(agents["writing"], agent_run("writing", {"x": 1}, "custom", "values"))
    assert events == [
        ("values", {"x": 1, "log": []}),
        ("custom", {"step": 1}),
        ("custom", "bare"),
        ("values", {"x": 2, "log": []}),
    ]


async def test_tool_start_and_end_are_streamed(agents: dict[str, Agent]) -> None:
    events, _ = await play(agents["tooled"], agent_run("tooled", {"x": 2}, "tools", "lifecycle"))
    assert {name for name, _ in events} == {"tools"}
    assert [data["event"] for _, data in events] == ["tool-started", "tool-finished"]
    assert {data["tool_name"] for _, data in events if "tool_name" in data} == {"triple"}


async def test_tasks_are_streamed_at_start_and_end(agents: dict[str, Agent]) -> None:
    events, _ = await play(agents["doubling"], agent_run("doubling", {"x": 1}, "tasks"))
    (_, start), (_, end) = events
    assert list(start) == ["id", "name", "input", "triggers", "metadata"]
    assert (start["name"], start["input"], start["triggers"]) == ("double", {"x": 1, "log": []}, ["branch:to:double"])
    result = {"x": 2, "log": ["double"]}
    assert end == {"id": start["id"], "name": "double", "error": None, "result": result, "interrupts": []}


async def test_checkpoints_hide_the_servers_own_config(agents: dict[str, Agent]) -> None:
    run = agent_run("doubling", {"x": 1}, "checkpoints", thread_id=str(uuid4()))
    events, _ = await play(agents["doubling"], run)
    assert [data["metadata"] for _, data in events] == [
        {"source": "input", "step": -1, "parents": {}},
        {"source": "loop", "step": 0, "parents": {}},
        {"source": "loop", "step": 1, "parents": {}},
    ]
    assert [data["next"] for _, data in events] == [["__start__"], ["double"], []]
    configurable = events[0][1]["config"]["configurable"]
    assert set(configurable) == {"checkpoint_ns", "run_id", "thread_id", "graph_id", "assistant_id", "checkpoint_id"}
    assert events[1][1]["parent_config"]["configurable"]["checkpoint_id"] == configurable["checkpoint_id"]


async def test_debug_wraps_tasks_and_checkpoints(agents: dict[str, Agent]) -> None:
    events, _ = await play(agents["doubling"], agent_run("doubling", {"x": 1}, "debug", thread_id=str(uuid4())))
    kinds = [(data["type"], data["step"]) for _, data in events]
    assert kinds == [("checkpoint", -1), ("checkpoint", 0), ("task", 1), ("task_result", 1), ("checkpoint", 1)]
    first, second = events[0][1]["payload"], events[1][1]["payload"]
    assert first["parent_checkpoint"] is None
    assert second["parent_checkpoint"] == first["checkpoint"]
    assert set(first["checkpoint"]) == {"checkpoint_id", "thread_id", "checkpoint_ns"}


async def test_debug_names_the_subgraphs_checkpoint(agents: dict[str, Agent]) -> None:
    run = agent_run("nested", {"x": 1}, "debug", thread_id=str(uuid4()), subgraphs=True)
    events, _ = await play(agents["nested"], run)
    received = [(name, data["payload"]) for name, data in events if data["type"] == "checkpoint"]
    [task] = received[1][1]["tasks"]
    assert task["checkpoint"] == {"thread_id": run.thread_id, "checkpoint_ns": f"sub:{task['id']}"}
    assert "state" not in task
    inside = next(payload["checkpoint"] for name, payload in received if name == f"debug|sub:{task['id']}")
    assert inside["checkpoint_map"] == {
        "": received[1][1]["checkpoint"]["checkpoint_id"],
        inside["checkpoint_ns"]: inside["checkpoint_id"],
    }


async def test_stateless_run_has_no_checkpoints(agents: dict[str, Agent]) -> None:
    events, outcome = await play(agents["doubling"], agent_run("doubling", {"x": 1}, "checkpoints", "debug"))
    assert [data["type"] for _, data in events] == ["task", "task_result"]
    assert outcome.values["x"] == 2


async def test_events_say_in_which_task_they_happened(agents: dict[str, Agent]) -> None:
    events, _ = await play(agents["chat"], agent_run("chat", QUESTION, "events", thread_id=str(uuid4())))
    [start] = [data for _, data in events if data["event"] == "on_chat_model_start"]
    namespace = start["metadata"]["langgraph_checkpoint_ns"]
    assert namespace.startswith("chat:")
    assert start["metadata"]["checkpoint_ns"] == namespace


async def test_events_of_hidden_runnables_are_left_out(tmp_path: Path) -> None:
    hidden = RunnableLambda(lambda x: x, name="secret").with_config(tags=["langsmith:hidden"])
    shown = RunnableLambda(lambda x: x, name="open")

    async def node(state: State) -> State:
        return {"x": await (hidden | shown).ainvoke(state["x"])}

    graph = StateGraph(State).add_node(node).add_edge(START, "node").compile()
    async with open_agents(Config(tmp_path, data_dir=tmp_path), {"agent": graph}) as agents:
        events, _ = await play(agents["agent"], agent_run("agent", {"x": 1}, "events"))
    names = {data["name"] for _, data in events}
    assert "open" in names
    assert "secret" not in names


async def test_events_follow_astream_events_among_other_modes(agents: dict[str, Agent]) -> None:
    run = agent_run("writing", {"x": 1}, "events", "values", "custom")
    events, outcome = await play(agents["writing"], run)
    received = [(name, data["event"] if name == "events" else data) for name, data in events]
    assert received == [
        ("events", "on_chain_start"),
        ("values", {"x": 1, "log": []}),
        ("events", "on_chain_start"),
        ("events", "on_chain_stream"),
        ("events", "on_chain_end"),
        ("custom", {"step": 1}),
        ("custom", "bare"),
        ("values", {"x": 2, "log": []}),
        ("events", "on_chain_end"),
    ]
    root = events[0][1]
    assert (root["name"], root["run_id"], root["parent_ids"]) == ("writing", run.run_id, [])
    assert outcome.values == {"x": 2, "log": []}


async def test_subgraph_events_carry_its_namespace_when_asked_for(agents: dict[str, Agent]) -> None:
    events, _ = await play(agents["nested"], agent_run("nested", {"x": 1}, "values", "updates", subgraphs=True))
    inner = next(name for name, _ in events if "|" in name).partition("|")[2]
    assert inner.startswith("sub:")
    assert [name for name, _ in events] == [
        "values",
        f"values|{inner}",
        f"updates|{inner}",
        f"values|{inner}",
        "updates",
        "values",
    ]
    assert events[-1] == ("values", {"x": 2, "log": ["double"]})


async def test_only_messages_tuple_carries_subgraph_namespaces(agents: dict[str, Agent]) -> None:
    run = agent_run("nested_chat", QUESTION, "messages-tuple", "messages", subgraphs=True)
    events, _ = await play(agents["nested_chat"], run)
    names = [name.partition(":")[0] for name, _ in events]
    assert names == ["messages|sub", "messages/metadata", "messages/partial"] + ["messages|sub", "messages/partial"] * 2


async def test_without_subgraphs_their_messages_come_complete(agents: dict[str, Agent]) -> None:
    events, _ = await play(agents["nested_chat"], agent_run("nested_chat", QUESTION, "messages-tuple"))
    ((name, (message, _)),) = events
    assert (name, message["type"], message["content"]) == ("messages", "ai", "Why not")


@pytest.mark.parametrize("graph_id", ["asking", "nested_asking"])
async def test_interrupt_is_streamed_and_resumed(agents: dict[str, Agent], graph_id: str) -> None:
    thread_id = str(uuid4())
    run = agent_run(graph_id, {"x": 1}, "values", "updates", thread_id=thread_id)
    events, outcome = await play(agents[graph_id], run)
    state = {"x": 1, "log": []}
    assert [(name, without_ids(data)) for name, data in events] == [
        ("values", state),
        ("updates", {"__interrupt__": [INTERRUPT]}),
        ("values", {**state, "__interrupt__": [INTERRUPT]}),
    ]
    ((pending,),) = outcome.interrupts.values()
    assert outcome.interrupted
    assert outcome.values == state
    assert pending == {"id": events[-1][1]["__interrupt__"][0]["id"], "value": {"question": "how many?"}}

    resume = agent_run(graph_id, None, "updates", thread_id=thread_id, command={"resume": 5})
    _, outcome = await play(agents[graph_id], resume)
    assert outcome == Outcome({"x": 12, "log": ["ask", "double"]})


async def test_interrupt_ends_a_stateless_run(agents: dict[str, Agent]) -> None:
    events, outcome = await play(agents["asking"], agent_run("asking", {"x": 1}, "values"))
    assert without_ids(events[-1][1]) == {"x": 1, "log": [], "__interrupt__": [INTERRUPT]}
    assert outcome.interrupted
    assert [pending["value"] for (pending,) in outcome.interrupts.values()] == [{"question": "how many?"}]


async def test_breakpoints_stop_the_run_and_null_input_resumes(agents: dict[str, Agent]) -> None:
    thread_id = str(uuid4())
    stopping = agent_run("failing", {"x": 1}, thread_id=thread_id, interrupt_before=["boom"])
    _, outcome = await play(agents["failing"], stopping)
    assert outcome == Outcome({"x": 2, "log": ["double"]}, interrupted=True, interrupts={})
    with pytest.raises(ValueError, match="boom é <1>"):
        await play(agents["failing"], agent_run("failing", None, thread_id=thread_id))


async def test_breakpoint_after_the_last_node_ends_the_run(agents: dict[str, Agent]) -> None:
    run = agent_run("doubling", {"x": 1}, thread_id=str(uuid4()), interrupt_after="*")
    _, outcome = await play(agents["doubling"], run)
    assert not outcome.interrupted


async def test_failure_follows_events_as_the_graphs_exception(agents: dict[str, Agent]) -> None:
    thread_id = str(uuid4())
    stream = agents["failing"].stream(agent_run("failing", {"x": 1}, thread_id=thread_id))
    parts = [await anext(stream), await anext(stream)]
    with pytest.raises(ValueError, match="boom é <1>"):
        await anext(stream)
    assert [part.data["x"] for part in parts if isinstance(part, StreamPart)] == [1, 2]
    state = await stateful(agents, "failing").state(thread_id, None, False)
    assert (state["next"], state["tasks"][0]["error"]) == (["boom"], "ValueError('boom é <1>')")


async def test_recursion_limit_of_the_run_holds(agents: dict[str, Agent]) -> None:
    run = agent_run("failing", {"x": 1}, config={"recursion_limit": 1})
    with pytest.raises(Exception, match="Recursion limit of 1 reached"):
        await play(agents["failing"], run)


async def test_graph_sees_the_runs_config_metadata_and_context(agents: dict[str, Agent]) -> None:
    config = {"configurable": {"k": "v", "thread_id": "forged", "__pregel_checkpointer": 1}, "tags": ["t"]}
    thread_id = str(uuid4())
    run = agent_run("showing", {"x": 1}, thread_id=thread_id, config=config, context={"who": "me"})
    _, outcome = await play(agents["showing"], run)
    configurable, metadata, tags, context = outcome.values["log"]
    assert {key: configurable[key] for key in ("k", "who", "thread_id", "run_id", "graph_id", "assistant_id")} == {
        "k": "v",
        "who": "me",
        "thread_id": thread_id,
        "run_id": run.run_id,
        "graph_id": "showing",
        "assistant_id": ASSISTANT_ID,
    }
    assert metadata["created_by"] == "system"
    assert tags == ["t"]
    assert context == {"who": "me"}


async def test_command_updates_and_goes_to_nodes(agents: dict[str, Agent]) -> None:
    command = {"update": {"x": 7}, "goto": [{"node": "double", "input": {"x": 50}}]}
    run = agent_run("asking", {"x": 1}, "updates", command=command, thread_id=str(uuid4()))
    events, _ = await play(agents["asking"], run)
    assert ("updates", {"double": {"x": 100, "log": ["double"]}}) in events


async def test_run_from_an_earlier_checkpoint_forks_the_thread(agents: dict[str, Agent]) -> None:
    thread_id = str(uuid4())
    run = agent_run("doubling", {"x": 1}, "checkpoints", thread_id=thread_id)
    events, _ = await play(agents["doubling"], run)
    before_double = events[1][1]["config"]["configurable"]["checkpoint_id"]
    await play(agents["doubling"], agent_run("doubling", {"x": 40}, thread_id=thread_id))
    fork = agent_run("doubling", None, thread_id=thread_id, checkpoint={"checkpoint_id": before_double})
    _, outcome = await play(agents["doubling"], fork)
    assert outcome.values == {"x": 2, "log": ["double"]}


async def test_state_of_a_thread_without_checkpoints_is_empty(agents: dict[str, Agent]) -> None:
    assert await stateful(agents, "asking").state(str(uuid4()), None, False) == {
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


async def test_state_has_the_shape_of_the_sdk(agents: dict[str, Agent]) -> None:
    thread_id = str(uuid4())
    run = agent_run("asking", {"x": 1}, thread_id=thread_id)
    _, outcome = await play(agents["asking"], run)
    state = await stateful(agents, "asking").state(thread_id, None, False)
    (task_id, (pending,)) = next(iter(outcome.interrupts.items()))
    checkpoint = {"checkpoint_id": state["checkpoint_id"], "thread_id": thread_id, "checkpoint_ns": ""}
    parent = {"checkpoint_id": state["parent_checkpoint_id"], "thread_id": thread_id, "checkpoint_ns": ""}
    assert state == {
        "values": {"x": 1, "log": []},
        "next": ["ask"],
        "tasks": [
            {
                "id": task_id,
                "name": "ask",
                "path": ["__pregel_pull", "ask"],
                "error": None,
                "interrupts": [pending],
                "checkpoint": None,
                "state": None,
                "result": None,
            }
        ],
        "metadata": state["metadata"],
        "created_at": state["created_at"],
        "checkpoint": checkpoint,
        "parent_checkpoint": parent,
        "interrupts": [pending],
        "checkpoint_id": state["checkpoint_id"],
        "parent_checkpoint_id": state["parent_checkpoint_id"],
    }
    metadata = {"source": "loop", "step": 0, "parents": {}, "run_id": run.run_id, "assistant_id": ASSISTANT_ID}
    assert metadata.items() <= state["metadata"].items()


async def test_state_shows_subgraphs_when_asked_for(agents: dict[str, Agent]) -> None:
    thread_id = str(uuid4())
    await play(agents["nested_asking"], agent_run("nested_asking", {"x": 1}, thread_id=thread_id))
    agent = stateful(agents, "nested_asking")
    (bare,) = (await agent.state(thread_id, None, False))["tasks"]
    assert bare["state"] is None
    assert bare["checkpoint"] == {"thread_id": thread_id, "checkpoint_ns": f"sub:{bare['id']}"}
    (full,) = (await agent.state(thread_id, None, True))["tasks"]
    assert full["state"]["next"] == ["ask"]
    assert full["checkpoint"]["checkpoint_ns"] == f"sub:{full['id']}"
    assert set(full["checkpoint"]["checkpoint_map"]) == {"", f"sub:{full['id']}"}
    inside = await agent.state(thread_id, full["checkpoint"], False)
    assert (inside["next"], inside["values"]) == (["ask"], full["state"]["values"])


async def test_state_at_a_checkpoint_is_the_one_then(agents: dict[str, Agent]) -> None:
    thread_id = str(uuid4())
    agent = stateful(agents, "doubling")
    await play(agent, agent_run("doubling", {"x": 1}, thread_id=thread_id))
    now = await agent.state(thread_id, None, False)
    then = await agent.state(thread_id, now["parent_checkpoint"], False)
    assert (then["values"], then["next"]) == ({"x": 1, "log": []}, ["double"])


async def test_forgotten_run_leaves_the_thread_as_it_was(agents: dict[str, Agent]) -> None:
    thread_id = str(uuid4())
    agent = stateful(agents, "nested")
    await play(agent, agent_run("nested", {"x": 1}, thread_id=thread_id))
    before = await agent.state(thread_id, None, False)
    second = agent_run("nested", {"x": 50}, thread_id=thread_id)
    await play(agent, second)
    await agent.forget_run(thread_id, second.run_id)
    assert await agent.state(thread_id, None, False) == before
    await agent.forget_thread(thread_id)
    assert (await agent.state(thread_id, None, False))["checkpoint"] is None


async def test_second_attempt_goes_on_from_the_last_checkpoint(agents: dict[str, Agent]) -> None:
    thread_id = str(uuid4())
    run = agent_run("failing", {"x": 1}, thread_id=thread_id)
    with pytest.raises(ValueError, match="boom"):
        await play(agents["failing"], run)
    with pytest.raises(ValueError, match="boom"):
        await play(agents["failing"], again(run))
    state = await stateful(agents, "failing").state(thread_id, None, False)
    assert state["values"] == {"x": 2, "log": ["double"]}, "the first step was not done twice"


async def test_second_attempt_starts_a_run_never_begun(agents: dict[str, Agent]) -> None:
    thread_id = str(uuid4())
    await play(agents["doubling"], agent_run("doubling", {"x": 10}, thread_id=thread_id))
    _, outcome = await play(agents["doubling"], again(agent_run("doubling", {"x": 1}, thread_id=thread_id)))
    assert outcome.values == {"x": 2, "log": ["double", "double"]}


async def test_second_attempt_at_a_finished_run_only_reports(agents: dict[str, Agent]) -> None:
    run = agent_run("doubling", {"x": 1}, thread_id=str(uuid4()))
    _, first = await play(agents["doubling"], run)
    events, second = await play(agents["doubling"], again(run))
    assert events == [("values", {"x": 2, "log": ["double"]})]
    assert second == first


async def test_second_attempt_at_an_interrupted_run_still_waits(agents: dict[str, Agent]) -> None:
    run = agent_run("asking", {"x": 1}, thread_id=str(uuid4()))
    _, first = await play(agents["asking"], run)
    events, second = await play(agents["asking"], again(run))
    assert [without_ids(data) for _, data in events] == [{"x": 1, "log": [], "__interrupt__": [INTERRUPT]}]
    assert second == first


@pytest.mark.parametrize("breakpoint", [{"interrupt_before": ["boom"]}, {"interrupt_after": ["double"]}])
async def test_second_attempt_does_not_run_past_a_breakpoint(agents: dict[str, Agent], breakpoint: Any) -> None:
    run = agent_run("failing", {"x": 1}, thread_id=str(uuid4()), **breakpoint)
    _, first = await play(agents["failing"], run)
    _, second = await play(agents["failing"], again(run))
    assert first.interrupted
    assert second == first


async def test_closing_the_stream_stops_the_graph(tmp_path: Path) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def hang(state: State) -> State:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return state

    graph = StateGraph(State).add_node(hang).add_edge(START, "hang")
    async with open_agents(Config(tmp_path, data_dir=tmp_path), {"hanging": graph}) as agents:
        run = agent_run("hanging", {"x": 1}, thread_id=str(uuid4()))
        task = asyncio.create_task(play(agents["hanging"], run))
        await asyncio.wait_for(begun.wait(), 10)
        task.cancel()
        await asyncio.wait_for(stopped.wait(), 10)
        with pytest.raises(asyncio.CancelledError):
            await task
        state = await stateful(agents, "hanging").state(run.thread_id, None, False)
        assert state["next"] == ["hang"]


async def test_many_runs_at_once_keep_apart(agents: dict[str, Agent]) -> None:
    runs = [agent_run("asking", {"x": number}, thread_id=str(uuid4())) for number in range(40)]
    await asyncio.gather(*(play(agents["asking"], run) for run in runs))
    answers = [agent_run("asking", None, thread_id=run.thread_id, command={"resume": 1}) for run in runs]
    ends = await asyncio.gather(*(play(agents["asking"], run) for run in answers))
    assert [outcome.values["x"] for _, outcome in ends] == [(number + 1) * 2 for number in range(40)]


async def test_sqlite_keeps_checkpoints_over_a_restart(tmp_path: Path) -> None:
    config, thread_id = Config(tmp_path, data_dir=tmp_path), str(uuid4())
    async with open_agents(config, GRAPHS) as agents:
        await play(agents["asking"], agent_run("asking", {"x": 1}, thread_id=thread_id))
    async with open_agents(config, GRAPHS) as agents:
        resume = agent_run("asking", None, thread_id=thread_id, command={"resume": 2})
        _, outcome = await play(agents["asking"], resume)
    assert outcome.values["x"] == 6


@pytest.mark.parametrize("steps_back", [1, 2], ids=["after the node", "after the input"])
async def test_second_attempt_applies_writes_between_two_checkpoints(agents: dict[str, Agent], steps_back: int) -> None:
    """A node's writes are stored before the checkpoint that applies them; a crash may come between the two."""
    thread_id = str(uuid4())
    agent = stateful(agents, "doubling")
    run = agent_run("doubling", {"x": 1}, "checkpoints", thread_id=thread_id)
    await play(agent, run)
    checkpointer = agent._checkpointer  # type: ignore[attr-defined]  # to leave what a crash would
    left = await agent.state(thread_id, None, False)
    for _ in range(steps_back):
        at = left["parent_checkpoint"]
        left = await agent.state(thread_id, at, False)
    config = {"configurable": at}
    (task,) = left["tasks"]
    saved = await checkpointer.aget_tuple(config)
    await agent.forget_thread(thread_id)
    parent = {"configurable": {**at, "checkpoint_id": None}}
    await checkpointer.aput(parent, saved.checkpoint, saved.metadata, saved.checkpoint["channel_versions"])
    await checkpointer.aput_writes(config, [write[1:] for write in saved.pending_writes], task["id"])

    _, outcome = await play(agent, again(run))
    assert outcome == Outcome({"x": 2, "log": ["double"]})


async def test_goto_without_a_node_is_explained(agents: dict[str, Agent]) -> None:
    run = agent_run("asking", None, thread_id=str(uuid4()), command={"goto": {"input": 1}})
    with pytest.raises(ValueError, match=r"command\.goto has None; the graph.s nodes are ask, double"):
        await play(agents["asking"], run)


async def test_sync_nodes_and_subgraphs_run_beside_the_loop(tmp_path: Path) -> None:
    def inner(state: State) -> State:
        return {"x": state["x"] + interrupt("how many?")}

    def outer(state: State) -> State:
        return cast(State, subgraph.invoke(state))

    subgraph = StateGraph(State).add_node(inner).add_edge(START, "inner").compile()

    graph = StateGraph(State).add_node(outer).add_edge(START, "outer")
    async with open_agents(Config(tmp_path, data_dir=tmp_path), {"outer": graph}) as agents:
        thread_id = str(uuid4())
        _, outcome = await play(agents["outer"], agent_run("outer", {"x": 1}, thread_id=thread_id))
        assert outcome.interrupted
        resume = agent_run("outer", None, thread_id=thread_id, command={"resume": 1})
        _, outcome = await play(agents["outer"], resume)
        assert outcome.values["x"] == 2
