"""A worker that lost its lease changes nothing: no checkpoint, no writes, no row, no rollback."""

from __future__ import annotations

import operator
import sqlite3
from pathlib import Path
from typing import Annotated, Any

import anyio
import anyio.lowlevel
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from structlog.testing import capture_logs
from typing_extensions import TypedDict

from agent_server.agents import Lease, boot_seconds, deferred_writes, write_under
from agent_server.agents.checkpoints.opening import open_checkpointer
from agent_server.agents.checkpoints.saver import Checkpointer
from agent_server.agents.checkpoints.sqlite import SqliteCheckpoints
from agent_server.config import Config
from agent_server.errors import LeaseLost, Unavailable
from agent_server.runs.queue import Runs
from agent_server.runs.records import Claim
from tests.agent_server.backend import Backend, open_backend, until


class State(TypedDict, total=False):
    done: Annotated[list[str], operator.add]


def config_of(database_url: str, tmp_path: Path) -> Config:
    postgres = database_url if database_url.startswith("postgres") else None
    return Config(tmp_path, data_dir=tmp_path, database_url=postgres)


def lease_of(claim: Claim, runs: Runs) -> Lease:
    async def renew() -> float:
        return await runs.renew_one(claim)

    return Lease(claim.run.run_id, claim.lease_token, claim.leased_until, renew, lambda: None)


class Frozen:
    """A graph whose first node blocks the first time only, as in a frozen process."""

    def __init__(self) -> None:
        self.at_work = anyio.Event()
        self.thawed = anyio.Event()
        self.graph = (
            StateGraph(State)
            .add_node("one", self.one)
            .add_node("two", self.two)
            .add_edge(START, "one")
            .add_edge("one", "two")
            .compile()
        )

    async def one(self, _state: State, config: RunnableConfig) -> State:
        attempt = config["metadata"]["run_attempt"]
        if not self.at_work.is_set():
            self.at_work.set()
            with anyio.CancelScope(shield=True):
                await self.thawed.wait()
        return {"done": [f"one by {attempt}"]}

    async def two(self, _state: State, config: RunnableConfig) -> State:
        return {"done": [f"two by {config['metadata']['run_attempt']}"]}


async def _values(backend: Backend, thread_id: str) -> Any:
    state = await backend.agents["agent"].state(thread_id, None, False)  # type: ignore[attr-defined]
    return state["values"], state["checkpoint"]["checkpoint_id"], state["next"]


async def _is_stored(backend: Backend, thread_id: str) -> bool:
    state = await backend.agents["agent"].state(thread_id, None, False)  # type: ignore[attr-defined]
    return bool(state["next"] == ["one"])


@pytest.mark.parametrize("durability", ["async", "sync", "exit"])
async def test_stale_worker_writes_no_checkpoint(database_url: str, tmp_path: Path, durability: str) -> None:
    frozen = Frozen()
    async with open_backend(
        database_url, {"agent": frozen.graph}, config=config_of(database_url, tmp_path), stop_seconds=30
    ) as backend:
        run = await backend.run(await backend.thread(), input={"done": ["given"]}, durability=durability)
        with capture_logs() as logs:
            async with backend.worker(lease_seconds=3600) as worker:  # else a renewal may be under way just now
                await frozen.at_work.wait()
                lease = worker.at_work[run.run_id].lease
                await lease.settle()  # else the write of the input, still under way, may renew the lease
                lease.until = 0  # as if it were frozen for longer than its lease
                await backend.database.write(lambda c: c.execute("UPDATE runs SET lease_until = 0"))
                async with backend.worker():
                    await backend.events(run.run_id)
                    second = await backend.run(run.thread_id, input={"done": ["second"]})
                    await backend.events(second.run_id)
                before = await _values(backend, run.thread_id)
                frozen.thawed.set()
                await until(lambda: any(one["event"] in ("lease_lost", "run_stopped") for one in logs))
        assert before[0]["done"] == ["given", "one by 2", "two by 2", "second", "one by 1", "two by 1"]
        assert await _values(backend, run.thread_id) == before


class Writer:
    """Checkpoints of one thread, written as LangGraph writes them."""

    def __init__(self, saver: Checkpointer, thread_id: str) -> None:
        self._saver = saver
        self.at: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}

    async def put(self, number: int) -> None:
        checkpoint: Any = {
            "v": 4,
            "id": f"1f000000-0000-6000-8000-{number:012}",
            "ts": "2026-11-29T00:00:00+00:00",
            "channel_values": {"n": [number]},
            "channel_versions": {"n": f"{number:032}.0"},
            "versions_seen": {},
        }
        versions: Any = checkpoint["channel_versions"]
        self.at = await self._saver.aput(self.at, checkpoint, {"step": number, "source": "loop"}, versions)

    async def put_writes(self) -> None:
        await self._saver.aput_writes(self.at, [("n", 1)], "00000000-0000-0000-0000-000000000001")

    async def checkpoints(self) -> list[Any]:
        thread: RunnableConfig = {"configurable": {"thread_id": self.at["configurable"]["thread_id"]}}
        return [one async for one in self._saver.alist(thread)]


@pytest.mark.parametrize("deferred", [False, True], ids=["at-once", "deferred"])
@pytest.mark.parametrize("lost", ["claimed", "finished", "closed", "released"])
async def test_late_write_changes_nothing(database_url: str, tmp_path: Path, lost: str, deferred: bool) -> None:
    async with (
        open_backend(database_url) as backend,
        open_checkpointer(config_of(database_url, tmp_path)) as saver,
    ):
        run = await backend.run(await backend.thread())
        claim = await backend.claim_one(lease_seconds=1.5 if lost == "claimed" else 30)
        lease, writer = lease_of(claim, backend.runs), Writer(saver, run.thread_id)
        if deferred:
            lease.defer_writes()
        with write_under(lease):
            await writer.put(1)
            await writer.put_writes()
            await lease.settle()
        stored = await writer.checkpoints()
        if lost == "claimed":
            await until(lambda: boot_seconds() > claim.leased_until)
            await until(lambda: backend.runs.claim(1, 30))
        elif lost == "closed":
            lease.close()
        else:
            await backend.runs.release(claim)
            if lost == "finished":
                await backend.claim_one()
            lease.until = 0
        with write_under(lease):
            for write in (writer.put(2), writer.put_writes(), saver.forget_run(run.thread_id, run.run_id)):
                with pytest.raises(LeaseLost):  # noqa: PT012  a deferred write fails at the latest when it is awaited
                    await write
                    await lease.settle()
        assert await writer.checkpoints() == stored
        await writer.put(3)  # a client's update of the state belongs to no attempt and needs no lease
        assert len(await writer.checkpoints()) == 2


async def test_deferred_writes_share_units_in_order(database_url: str, tmp_path: Path) -> None:
    async with open_backend(database_url) as backend, open_checkpointer(config_of(database_url, tmp_path)) as saver:
        run = await backend.run(await backend.thread())
        lease = lease_of(await backend.claim_one(), backend.runs)
        writer, units = Writer(saver, run.thread_id), []
        write = saver._write  # type: ignore[attr-defined]

        async def counted(*given: Any) -> None:
            units.append(given)
            await write(*given)

        saver._write = counted  # type: ignore[attr-defined]
        lease.defer_writes()
        with write_under(lease):
            for number in range(1, 6):
                await writer.put(number)
                await anyio.lowlevel.checkpoint()  # as between the steps of a quick graph
                await writer.put_writes()
            stored = await writer.checkpoints()
        assert [one.checkpoint["channel_values"]["n"] for one in stored] == [[5], [4], [3], [2], [1]]
        assert [len(one.pending_writes or ()) for one in stored] == [1] * 5
        assert len(units) == 1


async def test_waiting_step_begins_the_commit(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deferred_writes, "COLLECT_SECONDS", 3600)
    async with open_backend(database_url) as backend, open_checkpointer(config_of(database_url, tmp_path)) as saver:
        run = await backend.run(await backend.thread())
        lease = lease_of(await backend.claim_one(), backend.runs)
        lease.defer_writes()
        with write_under(lease):
            await lease.steps.wait("", 0)
            await Writer(saver, run.thread_id).put(1)
            with anyio.fail_after(10):
                await lease.steps.wait("", 3)


async def test_repeated_deferred_writes_end_as_single_ones(database_url: str, tmp_path: Path) -> None:
    async with open_backend(database_url) as backend, open_checkpointer(config_of(database_url, tmp_path)) as saver:
        run = await backend.run(await backend.thread())
        lease, writer = lease_of(await backend.claim_one(), backend.runs), Writer(saver, run.thread_id)
        lease.defer_writes()
        with write_under(lease):
            await writer.put(1)
            await writer.put(1)
            for answer in ("first", "second"):
                await saver.aput_writes(writer.at, [("__resume__", answer)], "00000000-0000-0000-0000-000000000001")
                await saver.aput_writes(writer.at, [("n", answer)], "00000000-0000-0000-0000-000000000002")
            [found] = await writer.checkpoints()
        writes = [(channel, value) for _, channel, value in found.pending_writes]
        assert writes == [("__resume__", "second"), ("n", "first")]


async def test_failed_deferred_write_fails_those_after_it(sqlite_url: str, tmp_path: Path) -> None:
    async with open_backend(sqlite_url) as backend, open_checkpointer(config_of(sqlite_url, tmp_path)) as saver:
        assert isinstance(saver, SqliteCheckpoints)
        run = await backend.run(await backend.thread())
        lease, writer = lease_of(await backend.claim_one(), backend.runs), Writer(saver, run.thread_id)
        lease.defer_writes()
        await saver.database.write(lambda c: c.execute("ALTER TABLE checkpoints RENAME TO elsewhere"))
        with write_under(lease):
            await writer.put(1)
            await lease.drain()
            for later in (writer.put(2), writer.put_writes(), lease.settle()):
                with pytest.raises(sqlite3.OperationalError, match="no such table"):
                    await later
            await lease.steps.wait("", 9)  # no step waits for a checkpoint that will never be stored


async def test_lease_that_was_not_lost_is_confirmed(sqlite_url: str, tmp_path: Path) -> None:
    async with open_backend(sqlite_url) as backend, open_checkpointer(config_of(sqlite_url, tmp_path)) as saver:
        run = await backend.run(await backend.thread())
        claim = await backend.claim_one(lease_seconds=0.01)
        lease, writer = lease_of(claim, backend.runs), Writer(saver, run.thread_id)
        await until(lambda: boot_seconds() > lease.until)  # the machine slept, or a node blocked the event loop
        with write_under(lease):
            await writer.put(1)
        assert len(await writer.checkpoints()) == 1


async def test_rollback_by_a_stale_worker_forgets_nothing(database_url: str, tmp_path: Path) -> None:
    frozen = Frozen()
    async with open_backend(database_url, {"agent": frozen.graph}, config=config_of(database_url, tmp_path)) as backend:
        run = await backend.run(await backend.thread(), input={"done": ["given"]})
        async with backend.worker(lease_seconds=30):
            await frozen.at_work.wait()
            await until(lambda: _is_stored(backend, run.thread_id))
            await backend.runs.cancel(run.run_id, run.thread_id, "rollback")
            await backend.database.write(
                lambda c: c.execute("UPDATE runs SET lease_token = 'of another worker', cancel = NULL")
            )
            stored = await _values(backend, run.thread_id)
            frozen.thawed.set()
        assert await _values(backend, run.thread_id) == stored
        assert await backend.status(run.run_id) == "running"


async def test_write_waits_for_a_database_that_is_out(sqlite_url: str) -> None:
    tries: list[int] = []

    async def write() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("the database does not respond")
        return "written"

    async with open_backend(sqlite_url) as backend:
        await backend.run(None)
        lease = lease_of(await backend.claim_one(), backend.runs)
        assert await lease.write(write) == "written"
        tries.clear()
        lease.close()
        with pytest.raises(LeaseLost):
            await lease.write(write)
        assert not tries


@pytest.mark.parametrize("mode", ["values", "messages-tuple", "events"])
async def test_run_goes_one_step_ahead_of_its_checkpoints(database_url: str, tmp_path: Path, mode: str) -> None:
    steps: list[int] = []

    async def step(state: State) -> State:
        steps.append(len(state["done"]))
        return {"done": ["x"]}

    inner = StateGraph(State).add_node(step).add_edge(START, "step")
    inner.add_conditional_edges("step", lambda s: "step" if len(s["done"]) < 8 else "__end__", ["step", "__end__"])
    graph = StateGraph(State).add_node("inner", inner.compile()).add_edge(START, "inner").compile()
    for agent in (inner.compile(), graph):
        steps.clear()
        async with open_backend(database_url, {"agent": agent}, config=config_of(database_url, tmp_path)) as backend:
            saver = backend.agents["agent"]._checkpointer  # type: ignore[attr-defined]
            gone, back = anyio.Event(), anyio.Event()
            write = saver._write

            async def out(*given: Any, gone: Any = gone, back: Any = back, write: Any = write) -> None:
                if not back.is_set() and len(steps) >= 3:
                    gone.set()
                    raise Unavailable("the database does not respond")
                await write(*given)

            saver._write = out
            async with backend.worker():
                run = await backend.run(await backend.thread(), input={"done": []}, stream_mode=mode)
                await gone.wait()
                await anyio.sleep(0.3)
                assert len(steps) <= 5
                back.set()
                await backend.events(run.run_id)
                assert await backend.status(run.run_id) == "success"
            assert len(steps) == 8


async def test_rescues_are_counted_since_the_last_progress(database_url: str, tmp_path: Path) -> None:
    allowed = 0

    async def step(state: State) -> State:
        if len(state["done"]) >= allowed:
            await anyio.sleep_forever()
        return {"done": ["x"]}

    graph = StateGraph(State).add_node(step).add_edge(START, "step")
    graph.add_conditional_edges("step", lambda _: "step", ["step"])
    async with open_backend(
        database_url, {"agent": graph.compile()}, config=config_of(database_url, tmp_path)
    ) as backend:
        run = await backend.run(await backend.thread(), input={"done": []})
        for crash in range(5):
            allowed += 1
            async with backend.worker():
                await until(lambda crash=crash: _has_progressed(backend, run.run_id, crash + 1))
            died = "UPDATE runs SET status = 'running', lease_until = 0, lease_token = 'x', rescues = rescues + 1"
            await backend.database.write(lambda c, died=died: c.execute(died))
        assert await backend.status(run.run_id) == "running"


async def _has_progressed(backend: Backend, run_id: str, attempt: int) -> bool:
    row = await backend.row(run_id) or {}
    return (row["attempt"], row["rescues"]) == (attempt, 0)
