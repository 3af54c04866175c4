"""What every broker promises of its doorbells."""

from __future__ import annotations

import asyncio

from agent_server.broker import Broker
from tests.seams.logs import PATIENCE, alive, only_alive


async def test_ring_is_heard_by_everybody_on_the_channel(broker: Broker) -> None:
    async with broker.listen("a") as one, broker.listen("a") as other, broker.listen("b") as elsewhere:
        waits = [asyncio.create_task(bell.wait(PATIENCE)) for bell in (one, other)]
        await asyncio.sleep(0)
        await broker.notify("a")
        assert await asyncio.gather(*waits) == [True, True]
        assert not await elsewhere.wait(0.02)


async def test_ring_between_two_waits_is_not_lost(broker: Broker) -> None:
    async with broker.listen("a") as bell:
        await broker.notify("a")
        assert await bell.wait(PATIENCE)
        await broker.notify("a")
        assert await bell.wait(PATIENCE)


async def test_rings_add_up_to_one(broker: Broker) -> None:
    async with broker.listen("a") as bell:
        for _ in range(10):
            await broker.notify("a")
        assert await bell.wait(PATIENCE)
        assert not await bell.wait(0.02)


async def test_wait_without_a_ring_says_so(broker: Broker) -> None:
    async with broker.listen("a") as bell:
        assert not await bell.wait(0)
        assert not await bell.wait(0.01)


async def test_ring_before_listening_is_not_heard(broker: Broker) -> None:
    await broker.notify("a")
    async with broker.listen("a") as bell:
        assert not await bell.wait(0.02)


async def test_wait_that_was_cancelled_loses_no_ring(broker: Broker) -> None:
    async with broker.listen("a") as bell:
        wait = asyncio.create_task(bell.wait(PATIENCE))
        await asyncio.sleep(0.01)
        await broker.notify("a")
        wait.cancel()
        [heard] = await asyncio.gather(wait, return_exceptions=True)
        assert heard is True or await bell.wait(PATIENCE)


async def test_listener_that_left_leaves_nothing_behind(broker: Broker) -> None:
    before = alive()
    for number in range(50):
        async with broker.listen(f"run:{number}"), broker.listen("queue"):
            pass
    await only_alive(before)
    await broker.notify("queue")
