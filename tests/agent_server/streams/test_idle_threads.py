"""Waiting thread and event streams share one poll of the database, which also finds changes without a notification."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from agent_server.broker.notifications import LocalSubscription, Notifications
from agent_server.runs.events.schema import EventStreamRequest
from agent_server.streams.event_streams import EventStreams
from agent_server.streams.idle_threads import AT_ONCE, FULL_POLL_EVERY, IdleThreads
from agent_server.threads.schema import ThreadCreate
from agent_server.threads.state_updates import thread_channel
from agent_server.threads.states import ThreadStates
from tests.agent_server.backend import Backend, open_backend, unknown_id, until


@pytest.fixture
async def backend(database_url: str) -> AsyncIterator[Backend]:
    async with open_backend(database_url) as backend:
        yield backend


class Counted(IdleThreads):
    """Count the reads of the database; each may cover many threads."""

    reads = 0

    def __init__(self, backend: Backend, are_changes_notified: bool = False) -> None:
        super().__init__(backend.database, are_changes_notified)
        read = backend.database.read

        async def counting(work):  # type: ignore[no-untyped-def]
            Counted.reads += 1
            return await read(work)

        self._database = type("Reads", (), {"read": staticmethod(counting), "dialect": backend.database.dialect})()  # type: ignore[assignment]
        self._looking = anyio.CancelScope()  # the tests poll themselves


async def woken(backend: Backend, idle: IdleThreads, thread_ids: list[str], change) -> set[str]:  # type: ignore[no-untyped-def]
    """Return the threads whose streams one poll wakes after the change."""
    found: set[str] = set()

    async def wait(thread_id: str) -> None:
        async with backend.broker.listen("no channel of this thread") as notifications:
            await idle.wait(thread_id, notifications)
        found.add(thread_id)

    async with anyio.create_task_group() as group:
        for thread_id in thread_ids:
            group.start_soon(wait, thread_id)
        await anyio.wait_all_tasks_blocked()
        await idle.look()
        await anyio.wait_all_tasks_blocked()
        found.clear()
        for thread_id in thread_ids:  # the first poll reaches back before the threads were created
            if not idle._for_news.get(thread_id):
                group.start_soon(wait, thread_id)
        await change()
        await anyio.wait_all_tasks_blocked()
        await idle.look()
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    return found


async def test_new_run_wakes_its_thread_only(backend: Backend) -> None:
    first, second = await backend.thread(), await backend.thread()
    assert await woken(backend, Counted(backend), [first, second], lambda: backend.run(first)) == {first}


async def test_deleted_thread_wakes_its_stream(backend: Backend) -> None:
    first, second = await backend.thread(), await backend.thread()
    delete = lambda: backend.database.write(  # noqa: E731
        lambda c: c.execute("DELETE FROM threads WHERE thread_id = :id", id=first)
    )
    assert await woken(backend, Counted(backend), [first, second], delete) == {first}


async def test_many_streams_cost_one_read(backend: Backend) -> None:
    idle = Counted(backend)
    thread_id = await backend.thread()
    Counted.reads = 0
    for _ in range(100):
        idle._for_news[thread_id].append(Notifications().listen("a"))
    await idle.look()
    assert Counted.reads == 1
    for _ in range(AT_ONCE):
        idle._for_news[unknown_id()].append(Notifications().listen("a"))
    await idle.look()
    assert Counted.reads == 3


async def test_idle_event_streams_share_polls(backend: Backend) -> None:
    idle, streams = event_streams(backend)
    there, missing = [await backend.thread() for _ in range(20)], [unknown_id() for _ in range(20)]
    ended: list[str] = []

    async def follow(thread_id: str) -> None:
        async for _ in await streams.follow(thread_id, EventStreamRequest(channels=["lifecycle"])):
            pass
        ended.append(thread_id)

    async with anyio.create_task_group() as group:
        for thread_id in (*there, *missing):
            group.start_soon(follow, thread_id)
        await until(lambda: len(idle._for_news) == len(idle._for_creation) == 20)
        await idle.look()
        Counted.reads = 0
        await idle.look()
        assert Counted.reads == 2
        await backend.database.write(lambda c: c.execute("DELETE FROM threads WHERE thread_id = :id", id=there[0]))
        await idle.look()
        await until(lambda: ended == there[:1])
        group.cancel_scope.cancel()


async def test_created_thread_wakes_its_event_stream(backend: Backend) -> None:
    idle, _ = event_streams(backend)
    first, second = unknown_id(), unknown_id()
    woken: list[str] = []

    async def wait(thread_id: str) -> None:
        async with backend.broker.listen("no channel of this thread") as notifications:
            await idle.wait_for_creation(thread_id, notifications)
        woken.append(thread_id)

    async with anyio.create_task_group() as group:
        group.start_soon(wait, first)
        group.start_soon(wait, second)
        await anyio.wait_all_tasks_blocked()
        await idle.look()
        await backend.threads.create(ThreadCreate(thread_id=first))
        await idle.look()
        await anyio.wait_all_tasks_blocked()
        assert woken == [first]
        group.cancel_scope.cancel()


async def test_notified_streams_are_polled_for_starts_only(backend: Backend) -> None:
    idle, thread_id = Counted(backend, are_changes_notified=True), await backend.thread()
    waiting = idle._for_news[thread_id] = [Notifications().listen("a")]
    await backend.run(thread_id)
    run = await backend.claim_one()
    for poll in range(1, FULL_POLL_EVERY + 1):
        await idle.poll()
        assert waiting[0].is_notified == (poll == FULL_POLL_EVERY), run


async def test_short_run_between_polls_wakes_its_thread(backend: Backend) -> None:
    idle, others = Counted(backend, are_changes_notified=True), await backend.thread()
    thread_id, later = await backend.thread(), await backend.thread()
    waiting = {one: Notifications().listen("a") for one in (thread_id, later, others)}
    idle._for_news.update({one: [subscription] for one, subscription in waiting.items()})
    run = await backend.run(thread_id, after_seconds=1)
    await backend.run(later, after_seconds=60)
    assert await woken_by_poll(idle, waiting) == {thread_id}
    await backend.database.write(
        lambda c: c.execute("UPDATE runs SET status = 'success' WHERE run_id = :id", id=run.run_id)
    )
    assert await woken_by_poll(idle, waiting) == {thread_id}
    assert await woken_by_poll(idle, waiting) == set()


async def woken_by_poll(idle: IdleThreads, waiting: dict[str, LocalSubscription]) -> set[str]:
    """Return the threads that a poll wakes, and forget that it did."""
    await idle.poll()
    found = {thread_id for thread_id, subscription in waiting.items() if subscription.is_notified}
    for thread_id in found:
        await waiting[thread_id].wait()
    return found


async def test_deletion_of_a_thread_notifies_its_streams(backend: Backend) -> None:
    thread_id = await backend.thread()
    async with backend.broker.listen(thread_channel(thread_id)) as notifications:
        await ThreadStates(backend.threads, backend.agents, backend.broker).delete(thread_id)
        assert notifications.is_notified


def event_streams(backend: Backend) -> tuple[Counted, EventStreams]:
    idle = Counted(backend)
    return idle, EventStreams(backend.database, backend.threads, backend.runs, backend.broker, idle=idle)
