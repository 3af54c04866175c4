"""A stopped run's work ends: every shape of graph, in every stream mode, by every way to stop a run.

A run that looks stopped may still work, so these tests count working nodes instead of events or statuses.
"""

from __future__ import annotations

import asyncio
import operator
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import anyio
import msgspec
import pytest
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Send, interrupt
from structlog.testing import capture_logs
from typing_extensions import TypedDict

from agent_server.agents import AgentRun
from agent_server.config import Config
from agent_server.runs.records import RunOrigin
from agent_server.schema import EventRunCreate, RunCreate
from tests.agent_server.backend import BASE_URL, Backend, open_backend, until

MODES: dict[str, dict[str, Any]] = {
    "values": {"stream_mode": "values"},
    "updates": {"stream_mode": "updates"},
    "messages": {"stream_mode": "messages"},
    "messages-tuple": {"stream_mode": ["values", "messages-tuple"]},
    "custom": {"stream_mode": "custom"},
    "events": {"stream_mode": "events"},
    "debug": {"stream_mode": ["debug", "tasks", "checkpoints"]},
    "subgraphs": {"stream_mode": "updates", "stream_subgraphs": True},
    "sync": {"stream_mode": "messages-tuple", "durability": "sync"},
    "exit": {"stream_mode": "messages-tuple", "durability": "exit"},
    "event streaming": {},
}


class State(TypedDict, total=False):
    tag: str
    out: Annotated[list[str], operator.add]


@dataclass
class Works:
    """Count the pieces of work that each run, by its tag, has begun, and has ended with its clean-up done."""

    begun: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    finished: Counter[str] = field(default_factory=Counter)

    async def work(self, tag: str) -> str:
        """Work until cancelled; await in `finally`, as work with something to close does."""
        self.begun[tag] += 1
        try:
            await anyio.sleep(50)
            self.finished[tag] += 1
        finally:
            for _ in range(3):
                await anyio.sleep(0.005)
            self.ended[tag] += 1
        return "done"


def shapes(works: Works) -> dict[str, tuple[object, int]]:
    """Return agents of every shape, and how many pieces of work each does at once."""

    async def work(state: State) -> State:
        return {"out": [await works.work(state["tag"])]}

    async def first(_state: State) -> State:
        return {"out": ["first"]}

    @task
    async def work_task(tag: str) -> str:
        return await works.work(tag)

    @entrypoint()
    async def functional(given: dict[str, Any]) -> list[str]:
        tasks = [work_task(given["tag"]) for _ in range(2)]
        return [await one for one in tasks]

    async def plain(given: dict[str, Any]) -> AsyncGenerator[str | dict[str, Any], None]:
        yield "token"
        yield {"out": await works.work(given["tag"])}

    one = StateGraph(State).add_node(work).add_edge(START, "work").compile()
    parallel = StateGraph(State).add_node("a", work).add_node("b", work).add_edge(START, "a").add_edge(START, "b")
    sends = StateGraph(State).add_node(work)
    sends.add_conditional_edges(START, lambda s: [Send("work", {"tag": s["tag"]}) for _ in range(3)], ["work"])
    second = StateGraph(State).add_node(first).add_node(work).add_edge(START, "first").add_edge("first", "work")
    both = parallel.compile()
    nested = StateGraph(State).add_node("sub", both).add_edge(START, "sub").compile()

    async def call(state: State) -> State:
        return await nested.ainvoke({"tag": state["tag"]})  # type: ignore[return-value]

    called = StateGraph(State).add_node(call).add_edge(START, "call").compile()
    return {
        "one": (one, 1),
        "parallel": (both, 2),
        "sends": (sends.compile(), 3),
        "second": (second.compile(), 1),
        "nested": (nested, 2),
        "called": (called, 2),
        "functional": (functional, 2),
        "plain": (plain, 1),
    }


@dataclass
class Stopped:
    """A run that is stopped while it works."""

    backend: Backend
    thread_id: str
    run_id: str

    async def cancel(self, action: Any) -> None:
        await self.backend.runs.cancel(self.run_id, self.thread_id, action)

    async def overtake(self, strategy: str) -> None:
        await self.backend.run(self.thread_id, assistant_id="quick", multitask_strategy=strategy)

    async def lose_lease(self) -> None:
        take = "UPDATE runs SET lease_token = 'of another worker' WHERE run_id = :id"
        await self.backend.database.write(lambda c: c.execute(take, id=self.run_id))


WAYS: dict[str, Callable[[Stopped], Awaitable[None]]] = {
    "interrupt": lambda run: run.cancel("interrupt"),
    "rollback": lambda run: run.cancel("rollback"),
    "overtaken": lambda run: run.overtake("interrupt"),
    "overtaken, rolled back": lambda run: run.overtake("rollback"),
    "lease lost": lambda run: run.lose_lease(),
}


async def quick(_given: Any) -> AsyncGenerator[str | dict[str, Any], None]:
    yield {"quick": True}


async def _start(backend: Backend, works: Works, stateless: bool = False) -> list[tuple[str, Stopped, int]]:
    """Start one run for each shape and mode and wait until all work."""
    runs = []
    for shape, (_, pieces) in shapes(works).items():
        for mode, body in MODES.items():
            tag = f"{shape}, {mode}"
            thread_id = None if stateless else await backend.thread()
            request_body = {"assistant_id": shape, "input": {"tag": tag}, **body}
            create = msgspec.convert(request_body, EventRunCreate if mode == "event streaming" else RunCreate)
            run = await backend.runs.create(create, thread_id, RunOrigin(BASE_URL))
            runs.append((tag, Stopped(backend, run.thread_id, run.run_id), pieces))
    with anyio.move_on_after(40):
        await until(lambda: all(works.begun[tag] == pieces for tag, _, pieces in runs), 40)
    assert {tag: works.begun[tag] for tag, _, _ in runs} == {tag: pieces for tag, _, pieces in runs}
    return runs


def _agents(works: Works) -> dict[str, object]:
    return {"quick": quick, **{name: agent for name, (agent, _) in shapes(works).items()}}


def _open(database_url: str, tmp_path: Path, agents: dict[str, object], **more: Any) -> Any:
    postgres = database_url if database_url.startswith("postgres") else None
    return open_backend(database_url, agents, config=Config(tmp_path, data_dir=tmp_path, database_url=postgres), **more)


@pytest.mark.parametrize("way", WAYS)
async def test_stopped_run_has_ended_its_work(database_url: str, tmp_path: Path, way: str) -> None:
    works = Works()
    async with _open(database_url, tmp_path, _agents(works)) as backend, backend.worker(lease_seconds=3):
        runs = await _start(backend, works)
        for _, run, _ in runs:
            await WAYS[way](run)
        if way == "lease lost":
            await until(lambda: works.ended == works.begun, 40)
        for tag, run, pieces in runs:
            if way != "lease lost":
                await until(lambda run=run: _has_ended(run), 40)
            assert (works.ended[tag], works.begun[tag]) == (pieces, pieces), tag
    assert not works.finished


async def _has_ended(run: Stopped) -> bool:
    return await run.backend.status(run.run_id) in ("interrupted", None)


async def test_cancelled_stateless_run_has_ended_its_work(database_url: str, tmp_path: Path) -> None:
    works = Works()
    async with _open(database_url, tmp_path, _agents(works)) as backend, backend.worker():
        runs = await _start(backend, works, stateless=True)
        for _, run, _ in runs:
            await run.cancel("interrupt")
        for tag, run, pieces in runs:
            await until(lambda run=run: _has_ended(run), 40)
            assert works.ended[tag] == pieces, tag


async def test_stopped_worker_has_ended_its_work(database_url: str, tmp_path: Path) -> None:
    works = Works()
    async with _open(database_url, tmp_path, _agents(works)) as backend:
        async with backend.worker():
            runs = await _start(backend, works)
        assert works.ended == works.begun
        assert {await backend.status(run.run_id) for _, run, _ in runs} == {"pending"}
    assert not works.finished


class Edges:
    """A graph whose node has run, and whose edge hangs the first time."""

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self.ran = 0
        graph = StateGraph(State).add_node("node", self.node).add_node("last", self.last).add_edge(START, "node")
        self.graph = graph.add_conditional_edges("node", self.choose, ["last"]).compile()

    async def node(self, _state: State) -> State:
        self.ran += 1
        return {"out": ["node"]}

    async def choose(self, _state: State) -> str:
        if not self.reached.is_set():
            self.reached.set()
            await anyio.sleep_forever()
        return "last"

    async def last(self, _state: State) -> State:
        return {"out": ["last"]}


@pytest.mark.parametrize("shape", ["graph", "subgraph"])
@pytest.mark.parametrize("mode", ["values", "sync", "exit", "event streaming"])
async def test_node_stopped_before_its_edge_runs_again(
    database_url: str, tmp_path: Path, mode: str, shape: str
) -> None:
    edges = Edges()
    graph = edges.graph
    if shape == "subgraph":
        graph = StateGraph(State).add_node("inner", edges.graph).add_edge(START, "inner").compile()
    kind = EventRunCreate if mode == "event streaming" else RunCreate
    body = msgspec.convert({"assistant_id": "agent", "input": {"tag": "x"}, **MODES[mode]}, kind)
    async with _open(database_url, tmp_path, {"agent": graph}) as backend:
        run = await backend.runs.create(body, await backend.thread(), RunOrigin(BASE_URL))
        async with backend.worker():
            await edges.reached.wait()
        assert await backend.status(run.run_id) == "pending"
        async with backend.worker():
            await backend.events(run.run_id)
        assert await backend.status(run.run_id) == "success"
        state = await backend.agents["agent"].state(run.thread_id, None, False)  # type: ignore[attr-defined]
    assert (edges.ran, state["values"]["out"]) == (2, ["node", "last"])


@pytest.mark.parametrize("way", ["interrupt", "failing neighbour"])
async def test_cancelled_node_runs_again_on_the_next_run(database_url: str, tmp_path: Path, way: str) -> None:
    edges = Edges()

    async def fail(_state: State) -> State:
        await edges.reached.wait()
        if edges.ran == 1 and way == "failing neighbour":
            raise ValueError("no such luck")
        return {}

    builder = edges.graph.builder.add_node("fail", fail).add_edge(START, "fail")
    async with _open(database_url, tmp_path, {"agent": builder.compile()}) as backend, backend.worker():
        run = await backend.run(await backend.thread(), input={"tag": "x"})
        await edges.reached.wait()
        if way == "interrupt":
            await backend.runs.cancel(run.run_id, run.thread_id, "interrupt")
        await backend.events(run.run_id)
        again = await backend.run(run.thread_id)
        await backend.events(again.run_id)
        assert await backend.status(again.run_id) == "success"
        state = await backend.agents["agent"].state(run.thread_id, None, False)  # type: ignore[attr-defined]
    assert (edges.ran, state["values"]["out"]) == (2, ["node", "last"])


@pytest.mark.parametrize("durability", ["async", "sync", "exit"])
async def test_cancelled_run_keeps_what_it_did(database_url: str, tmp_path: Path, durability: str) -> None:
    works = Works()
    async with _open(database_url, tmp_path, _agents(works)) as backend, backend.worker():
        thread_id = await backend.thread()
        given = {"tag": "mine", "out": ["given"]}
        run = await backend.run(thread_id, assistant_id="second", input=given, durability=durability)
        await until(lambda: works.begun["mine"])
        await backend.runs.cancel(run.run_id, thread_id, "interrupt")
        await backend.events(run.run_id)
        state = await backend.agents["second"].state(thread_id, None, False)  # type: ignore[attr-defined]
    assert state["values"] == {"tag": "mine", "out": ["given", "first"]}
    assert state["next"] == ["work"]


async def test_run_ends_without_an_agent_that_never_stops(database_url: str) -> None:
    released = anyio.Event()

    async def stubborn(_given: Any) -> AsyncGenerator[str | dict[str, Any], None]:
        try:
            await anyio.sleep_forever()
        finally:
            await released.wait()
        yield {"late": True}

    with capture_logs() as logs:
        async with open_backend(database_url, {"agent": stubborn}, stop_seconds=0.2) as backend, backend.worker():
            run = await backend.run(await backend.thread(), stream_mode="custom")
            await until(lambda: backend.broker.holds(run.run_id))
            await backend.runs.cancel(run.run_id, run.thread_id, "interrupt")
            assert [name for name, _ in await backend.events(run.run_id)] == ["metadata"]
            assert await backend.status(run.run_id) == "interrupted"
            released.set()
    assert [one["waited_seconds"] for one in logs if one["event"] == "agent_did_not_stop"] == [0.2]


async def test_leases_are_renewed_while_stopped_agents_clean_up(database_url: str) -> None:
    released = anyio.Event()

    async def slow(_given: Any) -> AsyncGenerator[str | dict[str, Any], None]:
        try:
            yield {"n": 1}
            await anyio.sleep_forever()
        finally:
            await released.wait()

    async with (
        open_backend(database_url, {"agent": slow}) as backend,
        open_backend(database_url, {"agent": quick}) as other,
    ):
        run = await backend.run(await backend.thread(), stream_mode="custom")
        async with backend.worker(lease_seconds=0.6) as worker:
            await until(lambda: backend.broker.holds(run.run_id))
            worker.stop()
            async with other.worker():
                await anyio.sleep(1.5)
                assert (await backend.row(run.run_id) or {})["attempt"] == 1
                released.set()
                await other.events(run.run_id)
        assert (await backend.row(run.run_id) or {})["attempt"] == 2


async def test_rollback_undoes_a_run_that_ignores_it(database_url: str, tmp_path: Path) -> None:
    begun = anyio.Event()

    async def heedless(_state: State) -> State:
        begun.set()
        with suppress(asyncio.CancelledError):
            await anyio.sleep_forever()
        return {"out": ["done"]}

    graph = StateGraph(State).add_node(heedless).add_edge(START, "heedless").compile()
    async with _open(database_url, tmp_path, {"agent": graph}) as backend, backend.worker():
        run = await backend.run(await backend.thread(), input={"tag": "x"})
        await begun.wait()
        await backend.runs.cancel(run.run_id, run.thread_id, "rollback")
        await backend.events(run.run_id)
        assert await backend.status(run.run_id) is None
        state = await backend.agents["agent"].state(run.thread_id, None, False)  # type: ignore[attr-defined]
    assert state["values"] == {}


@pytest.mark.parametrize("is_stateless", [False, True])
@pytest.mark.parametrize("ending", ["success", "error", "interrupted"])
async def test_rollback_counts_before_its_worker_knows(
    database_url: str, tmp_path: Path, ending: str, is_stateless: bool
) -> None:
    async def cancelled_meanwhile(_state: State) -> State:
        statement = "UPDATE runs SET cancel = 'rollback' WHERE run_id = :id"  # as if the notification came late
        await backend.database.write(lambda c: c.execute(statement, id=run.run_id))
        if ending == "error":
            raise ValueError("no such luck")
        if ending == "interrupted":
            interrupt("really?")
        return {"out": ["done"]}

    graph = StateGraph(State).add_node(cancelled_meanwhile).add_edge(START, "cancelled_meanwhile").compile()
    async with _open(database_url, tmp_path, {"agent": graph}) as backend:
        run = await backend.run(None if is_stateless else await backend.thread(), input={"tag": "x"})
        async with backend.worker():
            await backend.events(run.run_id)
            assert await backend.status(run.run_id) is None
            assert is_stateless or await backend.thread_status(run.thread_id) == "idle"
        state = await backend.agents["agent"].state(run.thread_id, None, False)  # type: ignore[attr-defined]
    assert state["values"] == {}


class Unreadable:
    """An agent whose state cannot be read, like a graph whose validators refuse it."""

    async def stream(self, run: AgentRun) -> AsyncGenerator[Any, None]:
        if run.metadata.get("fail"):
            raise ValueError("no such luck")
        await anyio.sleep_forever()
        yield

    async def state(self, *_: Any) -> dict[str, Any]:
        raise RuntimeError("refused by a validator")

    async def forget_run(self, *_: Any) -> None: ...

    async def forget_thread(self, *_: Any) -> None: ...


@pytest.mark.parametrize("how", ["interrupt", "rollback", "error"])
async def test_end_does_not_depend_on_readable_state(database_url: str, how: Any) -> None:
    async with open_backend(database_url, {"agent": Unreadable()}) as backend, backend.worker():
        run = await backend.run(await backend.thread(), metadata={"fail": how == "error"})
        await until(lambda: backend.broker.holds(run.run_id))
        if how != "error":
            await backend.runs.cancel(run.run_id, run.thread_id, how)
        await backend.events(run.run_id)
        assert await backend.status(run.run_id) == {"interrupt": "interrupted", "rollback": None, "error": "error"}[how]
        assert await backend.thread_status(run.thread_id) in ("idle", "interrupted", "error")
