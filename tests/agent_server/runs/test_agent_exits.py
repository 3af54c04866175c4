"""An agent's `sys.exit()` fails its run and leaves the server running, in every shape of graph and stream mode."""

from __future__ import annotations

import asyncio
import operator
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

from agent_server.config import Config
from tests.agent_server.backend import open_backend


class State(TypedDict, total=False):
    out: Annotated[list[str], operator.add]


async def leave(_state: Any) -> State:
    sys.exit("enough")


def leave_from_thread(_state: Any) -> State:
    sys.exit("enough")


async def leave_in_task(_state: Any) -> State:
    await asyncio.create_task(leave({}))
    return {}


async def stay(_state: Any) -> State:
    await asyncio.sleep(0)
    return {"out": ["stayed"]}


def single(node: Any) -> Any:
    return StateGraph(State).add_node("a", node).add_edge(START, "a").compile()


def parallel(node: Any) -> Any:
    graph = StateGraph(State).add_node("a", node).add_node("b", stay)
    return graph.add_edge(START, "a").add_edge(START, "b").compile()


def sent(node: Any) -> Any:
    graph = StateGraph(State).add_node("a", node)
    return graph.add_conditional_edges(START, lambda _: [Send("a", {}), Send("a", {})], ["a"]).compile()


def nested(node: Any) -> Any:
    return StateGraph(State).add_node("inner", parallel(node)).add_edge(START, "inner").compile()


@pytest.mark.parametrize("node", [leave, leave_from_thread, leave_in_task], ids=lambda node: node.__name__)
@pytest.mark.parametrize("shape", [single, parallel, sent, nested], ids=lambda shape: shape.__name__)
async def test_exit_fails_the_run_only(sqlite_url: str, tmp_path: Path, shape: Callable[[Any], Any], node: Any) -> None:
    config = Config(directory=tmp_path, data_dir=tmp_path)
    agents = {"agent": shape(node), "next": single(stay)}
    async with open_backend(sqlite_url, agents, config=config) as backend, backend.worker():
        for mode in ("values", "messages-tuple", "custom", "events"):
            failed = await backend.run(await backend.thread(), input={}, stream_mode=mode)
            end = (await backend.events(failed.run_id))[-1]
            assert end == ("error", {"error": "SystemExit", "message": "enough"}), mode
        after = await backend.run(await backend.thread(), assistant_id="next", input={})
        assert (await backend.events(after.run_id))[-1] == ("values", {"out": ["stayed"]})
        assert await backend.status(after.run_id) == "success"
