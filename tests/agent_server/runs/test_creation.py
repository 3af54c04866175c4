"""The process that creates a run claims it at once, over both databases."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import anyio.to_thread
import pytest

from agent_server.database import Connection
from agent_server.errors import LeaseLost, NotFound
from agent_server.runs.leases import QUEUE
from agent_server.runs.records import Claim, Ending
from agent_server.runs.worker import CLAIM_AT_ONCE
from agent_server.threads.schema import ThreadCreate
from agent_server.threads.threads import ThreadEnd
from tests.agent_server.backend import Backend, open_backend, unknown_id, until

SUCCESS = Ending("success", "idle", b'{"n":1}', output=b'{"n":1}')


class Starter:
    """A worker without work: it stores the claims that it gets."""

    lease_seconds = 30.0

    def __init__(self) -> None:
        self.accepts = True
        self.reserved = 0
        self.claims: list[Claim] = []
        self.starts = True

    def reserve(self) -> bool:
        self.reserved += self.accepts
        return self.accepts

    def start(self, claim: Claim | None) -> bool:
        self.reserved -= 1
        if claim is not None and self.starts:
            self.claims.append(claim)
        return claim is not None and self.starts


@pytest.fixture
def starter(backend: Backend) -> Starter:
    starter = Starter()
    backend.runs.starter = starter
    return starter


async def _no_thread(_: Backend, __: Starter) -> str | None:
    return None


async def _free_thread(backend: Backend, _: Starter) -> str | None:
    return await backend.thread()


async def _used_thread(backend: Backend, starter: Starter) -> str | None:
    thread_id = await backend.thread()
    await backend.run(thread_id)
    await backend.runs.finish(starter.claims.pop(), SUCCESS)
    return thread_id


async def _thread_with_running_run(backend: Backend, starter: Starter) -> str | None:
    thread_id = await backend.thread()
    await backend.run(thread_id)
    starter.claims.pop()
    return thread_id


async def _thread_with_pending_run(backend: Backend, starter: Starter) -> str | None:
    thread_id = await backend.thread()
    starter.accepts = False
    await backend.run(thread_id)
    starter.accepts = True
    return thread_id


@pytest.mark.parametrize(
    ("place", "status"),
    [
        (_no_thread, "running"),
        (_free_thread, "running"),
        (_used_thread, "running"),
        (_thread_with_running_run, "pending"),
        (_thread_with_pending_run, "pending"),
    ],
    ids=["no-thread", "free", "used", "running", "pending"],
)
async def test_run_begins_at_once_on_free_thread(
    backend: Backend, starter: Starter, place: Callable[[Backend, Starter], Awaitable[str | None]], status: str
) -> None:
    thread_id = await place(backend, starter)
    run = await backend.run(thread_id, input={"n": 1})
    assert (run.status, await backend.status(run.run_id)) == ("pending", status)  # clients see what was created
    assert [claim.run.run_id for claim in starter.claims] == ([run.run_id] if status == "running" else [])
    assert starter.reserved == 0


async def _thread_with_state(backend: Backend, _: Starter) -> str | None:
    thread_id = await backend.thread()
    await backend.threads.write_end(thread_id, ThreadEnd("idle", b"{}", b"{}"))
    return thread_id


async def _thread_of_graph(backend: Backend, _: Starter) -> str | None:
    """Create a thread whose state can be changed from outside at once: its metadata name the graph."""
    return (await backend.threads.create(ThreadCreate(metadata={"graph_id": "agent"}))).thread_id


@pytest.mark.parametrize(
    ("place", "is_new"),
    [
        (_no_thread, True),
        (_free_thread, True),
        (_used_thread, False),
        (_thread_with_state, False),
        (_thread_of_graph, False),
    ],
    ids=["no-thread", "free", "used", "with-state", "of-graph"],
)
async def test_only_first_run_is_on_new_thread(
    backend: Backend, starter: Starter, place: Callable[[Backend, Starter], Awaitable[str | None]], is_new: bool
) -> None:
    await backend.run(await place(backend, starter))
    assert starter.claims.pop().run.on_new_thread is is_new


async def test_claim_at_creation_equals_that_from_queue(backend: Backend, starter: Starter) -> None:
    threads = [await backend.thread() for _ in range(2)]
    await backend.run(threads[0], input={"n": 1}, metadata={"a": 1})
    starter.accepts = False
    await backend.run(threads[1], input={"n": 1}, metadata={"a": 1})
    at_once, queued = starter.claims[0], await backend.claim_one()
    for claim in (at_once, queued):
        claim.run.run_id = claim.run.thread_id = claim.lease_token = ""
        claim.leased_until = 0.0
        claim.waited = None
        claim.run.on_new_thread = False  # only the creation knows
    assert at_once == queued
    rows = [await backend.database.read(lambda c, t=t: c.one(_THREAD, id=t)) for t in threads]  # type: ignore[misc]
    assert rows[0] == rows[1]


_THREAD = "SELECT status, metadata, config, turns FROM threads WHERE thread_id = :id"


async def test_lease_of_run_begun_at_once_fences(backend: Backend, starter: Starter) -> None:
    run = await backend.run(None)
    [claim] = starter.claims
    assert await backend.runs.claim(9, 30) == []
    await backend.runs.expire_leases()
    assert [one.run.run_id for one in await backend.runs.claim(9, 30)] == [run.run_id]
    with pytest.raises(LeaseLost):
        await backend.runs.finish(claim, SUCCESS)


async def test_delayed_run_goes_through_the_queue(backend: Backend, starter: Starter) -> None:
    run = await backend.run(None, after_seconds=60)
    assert await backend.status(run.run_id) == "pending"
    assert starter.claims == []


async def test_refused_run_frees_its_slot(backend: Backend, starter: Starter) -> None:
    with pytest.raises(NotFound):
        await backend.run(unknown_id())
    assert (starter.reserved, starter.claims) == (0, [])


async def test_run_of_stopping_worker_returns_to_queue(backend: Backend, starter: Starter) -> None:
    starter.starts = False
    run = await backend.run(await backend.thread())
    assert await backend.status(run.run_id) == "pending"
    assert (await backend.claim_one()).run.run_id == run.run_id


async def _quick(_: object) -> AsyncIterator[dict[str, int]]:
    yield {"n": 1}


async def test_real_worker_starts_runs_without_the_queue(database_url: str) -> None:
    async with open_backend(database_url, {"agent": _quick}) as backend, backend.worker(jobs=2) as worker:
        await until(lambda: not worker._is_behind)
        for _ in range(5):  # more than there are slots, so that each is freed
            run = await backend.run(None)
            assert await backend.events(run.run_id)
            assert await backend.runs.get(run.run_id)
        row = await backend.row(run.run_id)
        assert row is not None
        assert (row["status"], row["attempt"], row["turn"]) == ("success", 1, 0)
    assert backend.runs.starter is None


async def test_runs_start_while_the_queue_is_read(database_url: str) -> None:
    held, go_on = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        if database_url.startswith("postgres"):
            connection.execute("LOCK TABLE runs IN EXCLUSIVE MODE")
        held.set()
        go_on.wait(20)

    async with open_backend(database_url, {"agent": _quick}) as backend, backend.worker(jobs=20) as worker:
        await until(lambda: not worker._is_behind)
        async with anyio.create_task_group() as group:
            group.start_soon(backend.database.write, hold)
            await anyio.to_thread.run_sync(held.wait)
            await backend.broker.notify(QUEUE)
            await until(lambda: worker._slots.value == 20 - CLAIM_AT_ONCE)
            accepted = [worker.reserve() for _ in range(20 - CLAIM_AT_ONCE + 1)]
            go_on.set()
        assert accepted == [*[True] * (20 - CLAIM_AT_ONCE), False]
        await until(lambda: worker._slots.value == CLAIM_AT_ONCE)


async def test_waiting_runs_come_before_new_ones(database_url: str) -> None:
    go_on = anyio.Event()

    async def waiting(_: object) -> AsyncIterator[dict[str, int]]:
        await go_on.wait()
        yield {"n": 1}

    async with open_backend(database_url, {"agent": waiting}) as backend, backend.worker(jobs=1) as worker:
        await until(lambda: not worker._is_behind)
        runs = [await backend.run(None) for _ in range(2)]
        await until(lambda: worker.busy == 1 and worker._is_behind)
        worker._slots.release()  # as if a run had ended; the worker's own turn has not come
        assert worker.reserve() is False
        go_on.set()
        for run in runs:
            assert await backend.events(run.run_id)


async def test_run_that_was_just_queued_comes_first(database_url: str) -> None:
    async with open_backend(database_url, {"agent": _quick}) as backend, backend.worker(jobs=2) as worker:
        await until(lambda: not worker._is_behind)
        await backend.broker.notify(QUEUE)  # the worker's own turn has not come
        assert worker.reserve() is False
        await until(worker.reserve)
        worker.start(None)
