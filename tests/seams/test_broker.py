"""Every broker's contract for the log of a run, tested through the protocol alone."""

from __future__ import annotations

import asyncio
import random

import pytest

from agent_server.broker import START, Broker, Frame, FrameId, MemoryBroker
from tests.seams.logs import PATIENCE, RUN, alive, frames, gone, only_alive, read, waiting_reader


async def test_every_subscriber_sees_every_frame_in_order(broker: Broker) -> None:
    sent = frames(range(50))
    early = [await waiting_reader(broker) for _ in range(3)]
    await broker.publish(RUN, sent[:20])
    midway = [await waiting_reader(broker) for _ in range(3)]
    for one in sent[20:]:
        await broker.publish(RUN, [one])
        await asyncio.sleep(0)
    await broker.close(RUN)
    for reader in (*early, *midway):
        assert await reader == sent
    assert await read(broker) == sent


async def test_replay_starts_after_the_given_id(broker: Broker) -> None:
    sent = frames(range(10))
    await broker.publish(RUN, sent)
    await broker.close(RUN)
    for position, one in enumerate(sent):
        assert await read(broker, after=one.id) == sent[position + 1 :]


async def test_runs_do_not_see_each_others_frames(broker: Broker) -> None:
    await broker.publish("a", frames([0, 1]))
    await broker.publish("b", frames([2]))
    await broker.close("a")
    assert await read(broker, "a") == frames([0, 1])
    assert await read(broker, "b", count=1) == frames([2])


async def test_all_ready_frames_come_in_one_chunk(broker: Broker) -> None:
    sent = frames(range(1000))
    await broker.publish(RUN, sent[:600])
    for one in sent[600:800]:
        await broker.publish(RUN, [one])
    stream = broker.subscribe(RUN)
    assert await anext(stream) == sent[:800]
    await broker.publish(RUN, sent[800:900])
    await broker.publish(RUN, sent[900:])
    assert await anext(stream) == sent[800:]


async def test_subscriber_waits_for_the_first_frame(broker: Broker) -> None:
    reader = await waiting_reader(broker)
    assert not reader.done()
    assert not await broker.holds(RUN)
    await broker.publish(RUN, frames([0]))
    assert await broker.holds(RUN)
    await broker.close(RUN)
    assert await reader == frames([0])


async def test_position_beyond_the_newest_frame_waits(broker: Broker) -> None:
    await broker.publish(RUN, frames([0, 1]))
    reader = await waiting_reader(broker, after=FrameId(1, 5))
    await broker.publish(RUN, frames([2, 3, 4]))
    await broker.publish(RUN, frames([5, 6, 7]))
    await broker.close(RUN)
    assert await reader == frames([6, 7])


async def test_log_without_earlier_attempts_begins_with_gap(broker: Broker) -> None:
    await broker.rescue(RUN, 2)
    await broker.publish(RUN, frames([0, 1], attempt=2))
    await broker.close(RUN)
    assert await read(broker, after=FrameId(2, 0)) == frames([1], attempt=2)
    for after in (START, FrameId(1, 57)):  # events of attempt 1 after it are unknown
        [lost, *rest] = await read(broker, after=after)
        assert (lost.event, after < lost.id, rest) == ("gap", True, frames([0, 1], attempt=2))
        assert await read(broker, after=lost.id) == rest


@pytest.mark.parametrize("seed", range(6))
async def test_changing_subscribers_get_each_frame_once(broker: Broker, seed: int) -> None:
    chance = random.Random(seed)
    runs = {f"run-{n}": frames(range(200)) + frames(range(200), attempt=2) for n in range(3)}

    async def dawdle() -> None:
        for _ in range(chance.choice((0, 0, 1, 2, 40))):
            await asyncio.sleep(0)

    async def publisher(run_id: str) -> None:
        rest = runs[run_id]
        while rest:
            await dawdle()
            size = chance.choice((1, 1, 1, 2, 30))
            await broker.publish(run_id, rest[:size])
            rest = rest[size:]
        await dawdle()
        await broker.close(run_id)

    async def subscriber(run_id: str) -> None:
        for _ in range(chance.randrange(8)):
            await dawdle()
        begin = chance.choice((0, 0, chance.randrange(400)))
        after = runs[run_id][begin - 1].id if begin else START
        got: list[Frame] = []
        while len(got) < 400 - begin:
            got += await read(broker, run_id, got[-1].id if got else after, count=chance.choice((1, 3, 50, 1000)))
            await dawdle()
        assert got == runs[run_id][begin:]

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        for run_id in runs:
            tasks.create_task(publisher(run_id))
            for _ in range(20):
                tasks.create_task(subscriber(run_id))


async def test_frames_of_a_stale_attempt_are_left_out(broker: Broker) -> None:
    await broker.publish(RUN, frames([0, 1]))
    await broker.publish(RUN, frames([0], attempt=2))
    await broker.publish(RUN, frames([2, 3]))
    await broker.publish(RUN, frames([0, 1], attempt=2))
    await broker.close(RUN)
    assert await read(broker) == frames([0, 1]) + frames([0, 1], attempt=2)


async def test_close_ends_subscribers_after_the_last_frame(broker: Broker) -> None:
    readers = [await waiting_reader(broker) for _ in range(3)]
    await broker.publish(RUN, frames([0]))
    await broker.publish(RUN, frames([1]))
    await broker.close(RUN)
    for reader in readers:
        assert await reader == frames([0, 1])


async def test_close_without_frames_ends_subscribers(broker: Broker) -> None:
    reader = await waiting_reader(broker)
    await broker.close(RUN)
    assert await reader == []
    assert await broker.holds(RUN)
    assert await read(broker) == []


async def test_position_beyond_a_closed_log_ends(broker: Broker) -> None:
    reader = await waiting_reader(broker, after=FrameId(9, 9))
    await broker.publish(RUN, frames([0]))
    await broker.close(RUN)
    assert await reader == []


async def test_late_subscriber_reads_a_closed_log(broker: Broker) -> None:
    await broker.publish(RUN, frames([0, 1]))
    await broker.close(RUN)
    assert [await read(broker) for _ in range(3)] == [frames([0, 1])] * 3


async def test_frames_after_close_are_left_out(broker: Broker) -> None:
    await broker.publish(RUN, frames([0]))
    await broker.close(RUN)
    await broker.publish(RUN, frames([0], attempt=2))
    await broker.close(RUN)
    assert await read(broker) == frames([0])


async def test_subscriber_that_was_cancelled_leaves_nothing_behind(broker: Broker) -> None:
    before = alive()
    tasks = [asyncio.create_task(read(broker, f"nonsense-{n % 50}")) for n in range(100)]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    del tasks, task
    await only_alive(before)
    assert not await broker.holds("nonsense-1")


async def test_subscriber_that_leaves_does_not_disturb_the_others(broker: Broker) -> None:
    leaver, stayer = await waiting_reader(broker), await waiting_reader(broker)
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    await broker.publish(RUN, frames([0]))
    await broker.close(RUN)
    assert await stayer == frames([0])


async def test_subscription_outlives_the_drop_of_its_log() -> None:
    """In one process a subscriber keeps its log alive, so an earlier result of `holds` stays true."""
    async with MemoryBroker(keep=0) as broker:
        await broker.publish(RUN, frames([0]))
        await broker.close(RUN)
        stream = broker.subscribe(RUN)
        await gone(broker, RUN)
        assert [chunk async for chunk in stream] == [frames([0])]
