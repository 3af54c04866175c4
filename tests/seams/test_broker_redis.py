"""The broker over Redis beyond the common contract: several processes, and a Redis that is lost."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis import Redis
from structlog.testing import capture_logs

from agent_server.broker import LogLost, SlowSubscriber
from agent_server.broker.redis import RedisBroker
from agent_server.broker.redis.entries import key
from agent_server.broker.redis.pipe import MAX_BYTES_UNDER_WAY
from agent_server.config import ConfigError
from tests.seams.logs import PATIENCE, RUN, frames, read, waiting_reader
from tests.seams.redis_process import RedisProcess

Two = tuple[RedisBroker, RedisBroker]


@pytest.fixture
async def two(redis_url: str) -> AsyncIterator[Two]:
    """Open the brokers of two processes."""
    async with RedisBroker(redis_url) as one, RedisBroker(redis_url) as other:
        yield one, other


@pytest.fixture
def own_redis() -> Iterator[RedisProcess]:
    """Start a Redis that the test may stop."""
    with tempfile.TemporaryDirectory(prefix="redis-") as directory, RedisProcess(Path(directory)) as server:
        yield server


async def test_frames_reach_another_process_as_they_come(two: Two) -> None:
    one, other = two
    reader = await waiting_reader(other)
    stream = other.subscribe(RUN)
    for frame in frames(range(20)):
        await one.publish(RUN, [frame])
        assert await anext(stream) == [frame]
    await one.close(RUN)
    assert await reader == frames(range(20))
    assert await read(other, after=frames([9])[0].id) == frames(range(10, 20))


async def test_frames_that_are_ready_share_entries(two: Two, redis_url: str) -> None:
    one, other = two
    sent = [*frames(range(100)), *frames(range(100), attempt=2), *frames(range(100, 103), attempt=2, size=20_000)]
    for frame in sent:
        await one.publish(RUN, [frame])
    await one.close(RUN)
    assert await read(one) == sent
    with Redis.from_url(redis_url) as redis:
        assert redis.xlen(key(RUN)) <= 8
    for place in range(0, len(sent), 7):  # most within an entry
        assert await read(other, after=sent[place].id) == sent[place + 1 :]


async def test_lost_lease_prevents_writes_after_the_next_attempt(two: Two) -> None:
    one, other = two
    await one.publish(RUN, frames([0, 1]))
    assert await read(other, count=2) == frames([0, 1])
    await other.publish(RUN, frames([0], attempt=2))
    assert await read(one, count=3) == frames([0, 1]) + frames([0], attempt=2)
    await one.publish(RUN, frames([2, 3]))
    await other.publish(RUN, frames([1], attempt=2))
    await other.close(RUN)
    expected = frames([0, 1]) + frames([0, 1], attempt=2)
    assert await read(one) == await read(other) == expected


async def test_log_is_closed_for_all_processes(two: Two) -> None:
    one, other = two
    reader = await waiting_reader(one)
    await one.publish(RUN, frames([0]))
    assert await read(other, count=1) == frames([0])
    await other.close(RUN)
    assert await reader == frames([0])
    await one.publish(RUN, frames([1]))
    await one.close(RUN)
    assert await read(other) == frames([0])


async def test_remote_next_attempt_reports_the_cut(redis_url: str) -> None:
    async with RedisBroker(redis_url, max_bytes=10_000) as one, RedisBroker(redis_url, max_bytes=10_000) as other:
        await one.publish(RUN, frames(range(100), size=1000))
        assert (await read(one, count=2))[0].event == "gap"
        await other.publish(RUN, frames(range(100), attempt=2, size=1000))
        await other.close(RUN)
        gap, first, *_ = await read(one, after=frames([99])[0].id)
        assert gap.event == "gap"
        assert first.id.attempt == 2


async def test_notification_reaches_other_processes(two: Two) -> None:
    one, other = two
    async with one.listen("a") as here, other.listen("a") as there, other.listen("b") as elsewhere:
        await one.notify("a")
        assert await there.wait(PATIENCE)
        assert await here.wait(PATIENCE)
        await other.notify("a")
        assert await here.wait(PATIENCE)
        assert not await elsewhere.wait(0)


async def test_channel_works_again_after_it_was_left(two: Two) -> None:
    one, other = two
    for _ in range(20):
        async with other.listen("a") as notifications:
            await one.notify("a")
            assert await notifications.wait(PATIENCE)
        await asyncio.sleep(0)


async def test_any_number_of_readers_needs_three_connections(redis_server: RedisProcess, redis_url: str) -> None:
    async with RedisBroker(redis_url) as broker:
        readers = [asyncio.create_task(read(broker, f"run-{n % 50}")) for n in range(200)]
        for number in range(50):
            await broker.publish(f"run-{number}", frames([number]))
        with redis_server.client() as client:
            assert len(client.client_list()) <= 3 + 1  # and the test's own
        for number in range(50):
            await broker.close(f"run-{number}")
        assert await asyncio.gather(*readers) == [frames([n % 50]) for n in range(200)]


async def test_everything_in_redis_has_an_end(redis_server: RedisProcess, redis_url: str) -> None:
    async with RedisBroker(redis_url, keep=60) as broker:
        reader = asyncio.create_task(read(broker, "closed"))
        await broker.publish("open", frames([0]))
        await broker.publish("closed", frames([0]))
        await broker.close("closed")
        await reader
        with redis_server.client() as client:
            left = {key.decode(): client.ttl(key) for key in client.scan_iter()}
    assert all(seconds > 0 for seconds in left.values()), left
    assert left["agent_server:run:closed"] <= 60


async def test_reader_learns_of_frames_that_redis_forgot(redis_server: RedisProcess, two: Two) -> None:
    one, other = two
    await one.publish(RUN, frames([0, 1]))
    assert await read(one, count=2) == frames([0, 1])
    stream = other.subscribe(RUN)
    assert await anext(stream) == frames([0, 1])  # a page; the reader learns of the next frame only with its next read
    await one.publish(RUN, frames([2]))
    assert await read(one, count=3) == frames([0, 1, 2])
    redis_server.empty()
    await one.publish(RUN, frames([3]))
    with pytest.raises(SlowSubscriber):
        await anext(stream)
    gap, *rest = await read(other, after=frames([1])[0].id, count=2)
    assert gap.event == "gap"
    assert rest == frames([3])


async def test_reader_learns_that_the_end_is_lost(redis_server: RedisProcess, two: Two) -> None:
    one, other = two
    await one.publish(RUN, frames([0, 1]))
    assert await read(one, count=2) == frames([0, 1])
    redis_server.empty()
    await one.close(RUN)
    with pytest.raises(LogLost):
        await read(other)


async def test_outage_of_redis_fails_nothing_and_logs_once(own_redis: RedisProcess) -> None:
    async with RedisBroker(own_redis.url) as broker:
        with capture_logs() as logged:
            own_redis.stop()
            async with asyncio.timeout(PATIENCE):
                while not any(one["event"] == "redis_out_of_order" for one in logged):
                    await broker.publish(RUN, frames([0]))
                    await asyncio.sleep(0.02)
                for number in range(1, 50):
                    await broker.publish(RUN, frames([number], size=MAX_BYTES_UNDER_WAY // 10))
                await broker.close(RUN)
                assert not await broker.holds(RUN)
                async with broker.listen("a") as notifications:
                    await broker.notify("a")
                    assert await notifications.wait(0)
        assert [one["log_level"] for one in logged if one["log_level"] != "info"] == ["warning"]


async def test_broker_works_again_once_redis_does(own_redis: RedisProcess) -> None:
    async with RedisBroker(own_redis.url) as one, RedisBroker(own_redis.url) as other:
        reader = asyncio.create_task(read(other, "later"))
        async with other.listen("a") as notifications:
            own_redis.stop()
            own_redis.start()
            async with asyncio.timeout(PATIENCE):
                while not await notifications.wait(0.1):
                    await one.notify("a")
                while not await other.holds("later"):
                    await one.publish("later", frames([0]))
                    await asyncio.sleep(0.1)
            await one.close("later")
            assert await reader == frames([0])


async def test_publishing_does_not_wait_for_redis(own_redis: RedisProcess) -> None:
    async with RedisBroker(own_redis.url) as broker:
        reader = await waiting_reader(broker)
        await broker.publish(RUN, frames([0]))
        assert await read(broker, count=1) == frames([0])
        own_redis.freeze()
        try:
            for number in range(1, 100):
                await broker.publish(RUN, frames([number]))
            await broker.close(RUN)
        finally:
            own_redis.thaw()
        assert await reader == frames(range(100))


async def test_server_starts_without_redis_and_connects_later(own_redis: RedisProcess) -> None:
    own_redis.stop()
    with capture_logs() as logged:
        async with RedisBroker(own_redis.url) as broker:
            own_redis.start()
            async with asyncio.timeout(PATIENCE):
                while not await broker.holds(RUN):
                    await broker.publish(RUN, frames([0]))
                    await asyncio.sleep(0.05)
    assert [one["event"] for one in logged] == ["redis_out_of_order", "redis_works_again"]


async def test_start_fails_where_redis_rejects_the_password(own_redis: RedisProcess) -> None:
    with own_redis.client() as client:
        client.config_set("requirepass", "right")
    with capture_logs() as logged, pytest.raises(ConfigError, match="Redis rejects the connection") as caught:
        async with RedisBroker(own_redis.url.replace("unix://", "unix://:hush@")):
            pass
    assert "hush" not in str(caught.value) + str(logged)
