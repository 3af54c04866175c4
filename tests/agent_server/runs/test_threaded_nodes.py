"""A plain function as a node keeps running in its thread after its run was stopped, but writes nothing any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from langgraph.config import get_store, get_stream_writer
from langgraph.graph import START, StateGraph
from structlog.testing import capture_logs

from tests.agent_server.api import Api, serving
from tests.agent_server.backend import until
from tests.agent_server.graphs import State


class Threaded:
    """A graph whose second node is a plain function that waits, writes everything that a node can, and ends."""

    def __init__(self) -> None:
        self.began, self.may_go_on, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.errors: dict[str, str | None] = {}
        inner = StateGraph(State).add_node("inner", _inner).add_edge(START, "inner").compile(checkpointer=True)

        def works(_state: State) -> State:
            writer, store = get_stream_writer(), get_store()
            store.put(("before",), "key", {"x": 1})
            self.began.set()
            self.may_go_on.wait(30)
            self._try("stream", lambda: writer({"late": True}))
            self._try("put", lambda: store.put(("late",), "key", {"x": 2}))
            self._try("delete", lambda: store.delete(("before",), "key"))
            self._try("subgraph", lambda: inner.invoke({"x": 1}))
            self.ended.set()
            return {"x": 3, "log": ["late"]}

        graph = StateGraph(State).add_node("first", _first).add_node(works).add_edge(START, "first")
        self.graph = graph.add_edge("first", "works").compile()

    def _try(self, name: str, write: Callable[[], object]) -> None:
        try:
            write()
            self.errors[name] = None
        except BaseException as error:
            self.errors[name] = type(error).__name__

    async def until_began(self) -> None:
        assert await asyncio.to_thread(self.began.wait, 20)

    async def go_on(self) -> None:
        """Let the function write and end."""
        self.may_go_on.set()
        assert await asyncio.to_thread(self.ended.wait, 20)


def _first(_state: State) -> State:
    return {"x": 1, "log": ["first"]}


def _inner(_state: State) -> State:
    return {"log": ["inner"]}


async def _all_of(api: Api, thread_id: str, run_id: str) -> dict[str, Any]:
    """Return everything that is stored of a thread and in the store, and the run's events."""
    found: dict[str, Any] = {"state": await api.get(f"/threads/{thread_id}/state")}
    found["history"] = await api.post(f"/threads/{thread_id}/history", {"limit": 100})
    found["thread"] = await api.get(f"/threads/{thread_id}")
    found["items"] = (await api.post("/store/items/search", {"namespace_prefix": []}))["items"]
    events = await api.send("GET", f"/threads/{thread_id}/runs/{run_id}/stream")
    return {**found, "events": events.text}


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_late_writes_of_functions_change_nothing(database_url: str, tmp_path: Path, action: str) -> None:
    threaded = Threaded()
    with capture_logs() as logs:
        async with serving(database_url, tmp_path, agents={"threaded": threaded.graph}) as api:
            thread_id = await api.thread()
            body = {"assistant_id": "threaded", "input": {"x": 0}, "stream_mode": ["updates", "custom"]}
            run_id = (await api.post(f"/threads/{thread_id}/runs", body))["run_id"]
            await threaded.until_began()
            await api.send("POST", f"/threads/{thread_id}/runs/{run_id}/cancel?wait=true&action={action}")
            before = await _all_of(api, thread_id, run_id)
            await threaded.go_on()
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.3)  # for events that might still arrive
            assert await _all_of(api, thread_id, run_id) == before
    assert threaded.errors.keys() == {"stream", "put", "delete", "subgraph"}
    assert (threaded.errors["put"], threaded.errors["delete"]) == ("LeaseLost", "LeaseLost")
    assert threaded.errors["subgraph"] is not None
    assert [item["namespace"] for item in before["items"]] == [["before"]]
    named = [(line["graph_id"], line["node"]) for line in logs if line["event"] == "node_works_on"]
    assert named == [("threaded", "works")]


async def test_background_writes_after_success_are_stored(database_url: str, tmp_path: Path) -> None:
    may_go_on = threading.Event()
    tasks: list[asyncio.Task[None]] = []

    async def remembers(_state: State) -> State:
        store = get_store()

        async def remember() -> None:
            await asyncio.to_thread(may_go_on.wait, 20)
            await store.aput(("memory",), "key", {"x": 1})

        tasks.append(asyncio.create_task(remember()))
        return {"x": 1}

    graph = StateGraph(State).add_node(remembers).add_edge(START, "remembers").compile()
    async with serving(database_url, tmp_path, agents={"remembers": graph}) as api:
        await api.thread("remembers", {"x": 0})
        may_go_on.set()
        await until(tasks[0].done)
        items = (await api.post("/store/items/search", {"namespace_prefix": ["memory"]}))["items"]
        assert [item["value"] for item in items] == [{"x": 1}]
