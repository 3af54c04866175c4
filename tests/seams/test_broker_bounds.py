"""What every broker keeps, for how long, and what late subscribers receive."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import suppress

import pytest

from agent_server.asgi.sse import frame, frame_data
from agent_server.broker import START, Frame, FrameId, SlowSubscriber
from agent_server.schema import StreamPart
from tests.seams.logs import PATIENCE, RUN, OpenBroker, alive, frames, gone, read


async def test_slow_subscriber_is_dropped_and_resumes_after_gap(open_broker: OpenBroker) -> None:
    broker = await open_broker(max_bytes=10_000)
    sent = frames(range(100), size=1000)
    await broker.publish(RUN, sent[:2])
    slow = broker.subscribe(RUN)
    assert await anext(slow) == sent[:2]
    await broker.publish(RUN, sent[2:])
    with pytest.raises(SlowSubscriber):
        await anext(slow)
    await broker.close(RUN)
    gap, *rest = await read(broker, after=sent[1].id)
    assert gap.event == "gap"
    assert rest == sent[-len(rest) :]


async def test_slow_subscriber_delays_no_others(open_broker: OpenBroker) -> None:
    broker = await open_broker(max_bytes=10_000)
    sent = frames(range(100), size=1000)
    await broker.publish(RUN, sent[:1])
    slow, quick = broker.subscribe(RUN), broker.subscribe(RUN)
    assert await anext(slow) == await anext(quick)
    for one in sent[1:]:
        await broker.publish(RUN, [one])
        assert await anext(quick) == [one]
    with pytest.raises(SlowSubscriber):
        await anext(slow)


async def test_trimmed_position_gets_a_gap_first(open_broker: OpenBroker) -> None:
    broker = await open_broker(max_bytes=10_000)
    sent = frames(range(100), size=1000)
    await broker.publish(RUN, sent)
    await broker.close(RUN)
    gap, first, *_ = await read(broker, after=FrameId(1, 3))
    expected = {"last_event_id": "1-3", "next_event_id": str(first.id)}
    assert gap.data == frame(StreamPart("gap", expected), str(gap.id))
    assert json.loads(frame_data((await read(broker))[0].data))["last_event_id"] == str(START)


async def test_resuming_after_a_gap_goes_on_without_another(open_broker: OpenBroker) -> None:
    broker = await open_broker(max_bytes=10_000)
    await broker.publish(RUN, frames(range(100), size=1000))
    await broker.publish(RUN, frames(range(3), attempt=2, size=1000))
    await broker.close(RUN)
    gap, *rest = await read(broker, after=FrameId(1, 3))
    assert FrameId(1, 3) < gap.id < rest[0].id
    assert await read(broker, after=FrameId.parse(str(gap.id))) == rest


async def test_newest_frame_is_kept_however_large(open_broker: OpenBroker) -> None:
    broker = await open_broker(max_bytes=1000, max_total_bytes=2000)
    [large] = frames([1], size=100_000)
    await broker.publish(RUN, [*frames([0]), large])
    assert (await read(broker, count=2))[1] == large


async def test_log_keeps_no_more_than_its_bound(open_broker: OpenBroker) -> None:
    broker = await open_broker(max_bytes=10_000)
    before = alive(Frame)
    for number in range(1000):
        await broker.publish(RUN, frames([number], size=1000))
    assert alive(Frame) - before <= 10
    stored = (await read(broker, count=2))[1:]
    assert stored == frames(range(1000 - len(stored), 1000), size=1000)


async def test_all_logs_together_stay_within_their_bound(open_broker: OpenBroker) -> None:
    broker = await open_broker(max_total_bytes=100_000)
    before = alive(Frame)
    for number in range(100):
        for run in range(20):
            await broker.publish(f"run-{run}", frames([number], size=1000))
    assert alive(Frame) - before <= 100
    for run in range(20):
        assert (await read(broker, f"run-{run}", count=2))[-1:] == frames([99], size=1000)


async def test_logs_that_are_closed_longest_go_first(open_broker: OpenBroker) -> None:
    broker = await open_broker(max_total_bytes=100_000)
    await broker.publish("open", frames(range(10), size=1000))
    for run in range(20):
        await broker.publish(f"run-{run}", frames(range(10), size=1000))
        await broker.close(f"run-{run}")
    held = [run for run in range(20) if await broker.holds(f"run-{run}")]
    assert held
    assert held == list(range(20 - len(held), 20))
    assert len(held) < 10
    assert await read(broker, "open", count=10) == frames(range(10), size=1000)


@pytest.mark.parametrize("seed", range(6))
async def test_reader_that_loses_frames_gets_a_gap(open_broker: OpenBroker, seed: int) -> None:
    broker = await open_broker(max_bytes=10_000)
    chance = random.Random(seed)
    sent = frames(range(300), size=500)

    async def publisher() -> None:
        for begin in range(0, 300, 3):
            await broker.publish(RUN, sent[begin : begin + 3])
            for _ in range(chance.choice((0, 0, 1, 5))):
                await asyncio.sleep(0)
        await broker.close(RUN)

    async def subscriber(laziness: int) -> None:
        seen, due = START, 0
        while due < len(sent):
            with suppress(SlowSubscriber):
                async for chunk in broker.subscribe(RUN, seen):
                    for one in chunk:
                        if one.event == "gap":
                            gap = json.loads(frame_data(one.data))
                            assert gap["last_event_id"] == str(seen)
                            assert FrameId.parse(gap["next_event_id"]) > sent[due].id
                            due = FrameId.parse(gap["next_event_id"]).number
                        else:
                            assert one == sent[due]
                            due += 1
                        seen = one.id
                    for _ in range(chance.randrange(laziness)):
                        await asyncio.sleep(0)

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        tasks.create_task(publisher())
        for laziness in (1, 2, 10, 100):
            for _ in range(4):
                tasks.create_task(subscriber(laziness))


async def test_closed_log_is_gone_after_its_time(open_broker: OpenBroker) -> None:
    broker = await open_broker(keep=0.02)
    before = alive(Frame)
    await broker.publish("open", frames([0]))
    for run_id in ("a", "b"):
        await broker.publish(run_id, frames([0]))
        await broker.close(run_id)
    await gone(broker, "a")
    await broker.publish("c", frames([0]))
    await broker.close("c")
    await gone(broker, "b")
    await gone(broker, "c")
    assert await broker.holds("open")
    assert alive(Frame) - before <= 1
