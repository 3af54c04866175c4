"""LangGraph's `RemoteGraph`, unmodified, against a server on a real port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.pregel.remote import RemoteException, RemoteGraph
from langgraph.types import Command
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import LangGraphClient

from tests.clients.graphs import Steps
from tests.clients.server_process import ServerProcess

Remote = Callable[[str], RemoteGraph]


@pytest.fixture
def remote(client: LangGraphClient, graphs: ServerProcess) -> Iterator[Remote]:
    """Return a function that makes the remote graph with a name, over clients that are closed at the end."""
    with get_sync_client(url=graphs.url, api_key="any") as sync_client:
        yield lambda graph_id: RemoteGraph(graph_id, client=client, sync_client=sync_client)


async def on_thread(client: LangGraphClient) -> RunnableConfig:
    return {"configurable": {"thread_id": (await client.threads.create())["thread_id"]}}


async def test_remote_graph_answers_and_streams(remote: Remote) -> None:
    steps = remote("steps")
    assert (await steps.ainvoke({"total": 2, "done": []}))["done"] == [0, 1]
    updates = [part async for part in steps.astream({"total": 2, "done": []}, stream_mode="updates")]
    assert updates == [{"step": {"done": [0]}}, {"step": {"done": [1]}}]
    both = [part async for part in steps.astream({"total": 1, "done": []}, stream_mode=["updates", "values"])]
    assert [part.event for part in both] == ["values", "updates", "values"]


def test_remote_graph_works_without_async_too(remote: Remote) -> None:
    steps = remote("steps")
    assert steps.invoke({"total": 2, "done": []})["done"] == [0, 1]
    assert list(steps.stream({"total": 1, "done": []}, stream_mode="updates")) == [{"step": {"done": [0]}}]


async def test_remote_graph_has_its_threads_state_and_history(remote: Remote, client: LangGraphClient) -> None:
    steps, config = remote("steps"), await on_thread(client)
    await steps.ainvoke({"total": 2, "done": []}, config)
    state = await steps.aget_state(config)
    assert state.values["done"] == [0, 1]
    assert state.next == ()
    history = [one async for one in steps.aget_state_history(config)]
    assert history[0].config["configurable"]["checkpoint_id"] == state.config["configurable"]["checkpoint_id"]
    changed = await steps.aupdate_state(config, {"done": [7]}, as_node="step")
    assert (await steps.aget_state(changed)).values["done"] == [0, 1, 7]


async def test_remote_graph_asks_and_is_answered(remote: Remote, client: LangGraphClient) -> None:
    asking, config = remote("asking"), await on_thread(client)
    await asking.ainvoke({"question": "why?"}, config)
    waiting = await asking.aget_state(config)
    assert waiting.next == ("ask",)
    assert waiting.tasks[0].interrupts[0].value == {"question": "why?"}
    assert (await asking.ainvoke(Command(resume="so"), config))["answer"] == "so"


async def test_remote_graph_stops_before_and_after_nodes(remote: Remote, client: LangGraphClient) -> None:
    steps = remote("steps")
    for when, done in (("interrupt_before", []), ("interrupt_after", [0])):
        config = await on_thread(client)
        chosen: dict[str, Any] = {when: ["step"]}
        await steps.ainvoke({"total": 2, "done": []}, config, **chosen)
        assert (await steps.aget_state(config)).values["done"] == done


async def test_error_of_a_remote_graph_is_raised(remote: Remote) -> None:
    with pytest.raises(RemoteException, match="boom"):
        await remote("failing").ainvoke({"question": "?"})


async def test_remote_graph_is_a_node_of_another_graph(remote: Remote) -> None:
    outer = StateGraph(Steps).add_node("far", remote("steps")).add_edge(START, "far").compile()
    parts = [part async for part in outer.astream({"total": 1}, stream_mode="updates", subgraphs=True)]
    assert parts[-1] == ((), {"far": {"total": 1, "done": [0]}})
    assert any(namespace for namespace, _ in parts), "the remote graph's own steps are streamed, too"


async def test_remote_graph_is_drawn(remote: Remote) -> None:
    assert "step" in (await remote("steps").aget_graph()).nodes


async def test_remote_graph_has_the_history_of_a_local(remote: Remote, client: LangGraphClient) -> None:
    steps, config = remote("steps"), await on_thread(client)
    await steps.ainvoke({"total": 3, "done": []}, config)
    states = [one async for one in steps.aget_state_history(config)]
    loops = [one async for one in steps.aget_state_history(config, filter={"source": "loop"}, limit=2)]
    assert [one.values.get("done") for one in loops] == [[0, 1, 2], [0, 1]]
    older = [one async for one in steps.aget_state_history(config, before=loops[1].config, limit=1)]
    assert older == states[2:3]
    at = [one async for one in steps.aget_state_history(older[0].config)]
    assert at == older, "as of a local graph, whose config names a checkpoint"


async def test_remote_graph_forks_and_draws_subgraphs(remote: Remote, client: LangGraphClient) -> None:
    steps, config = remote("steps"), await on_thread(client)
    await steps.ainvoke({"total": 2, "done": []}, config)
    early = [one async for one in steps.aget_state_history(config)][-2]
    assert (await steps.ainvoke(None, early.config))["done"] == [0, 1]
    drawn = await remote("nested").aget_graph(xray=True)
    assert "inner:step" in drawn.nodes
