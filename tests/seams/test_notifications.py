"""Every broker's contract for notifications."""

from __future__ import annotations

import asyncio

from agent_server.broker import Broker
from tests.seams.logs import PATIENCE, alive, only_alive


async def test_every_subscription_to_the_channel_is_notified(broker: Broker) -> None:
    async with broker.listen("a") as one, broker.listen("a") as other, broker.listen("b") as elsewhere:
        waits = [asyncio.create_task(subscription.wait(PATIENCE)) for subscription in (one, other)]
        await asyncio.sleep(0)
        await broker.notify("a")
        assert await asyncio.gather(*waits) == [True, True]
        assert not await elsewhere.wait(0.02)


async def test_notification_between_two_waits_is_not_lost(broker: Broker) -> None:
    async with broker.listen("a") as subscription:
        await broker.notify("a")
        assert await subscription.wait(PATIENCE)
        await broker.notify("a")
        assert await subscription.wait(PATIENCE)


async def test_several_notifications_count_as_one(broker: Broker) -> None:
    async with broker.listen("a") as subscription:
        for _ in range(10):
            await broker.notify("a")
        assert await subscription.wait(PATIENCE)
        assert not await subscription.wait(0.02)


async def test_wait_without_notification_returns_false(broker: Broker) -> None:
    async with broker.listen("a") as subscription:
        assert not await subscription.wait(0)
        assert not await subscription.wait(0.01)


async def test_earlier_notification_is_not_received(broker: Broker) -> None:
    await broker.notify("a")
    async with broker.listen("a") as subscription:
        assert not await subscription.wait(0.02)


async def test_cancelled_wait_loses_no_notification(broker: Broker) -> None:
    async with broker.listen("a") as subscription:
        wait = asyncio.create_task(subscription.wait(PATIENCE))
        await asyncio.sleep(0.01)
        await broker.notify("a")
        wait.cancel()
        [woken] = await asyncio.gather(wait, return_exceptions=True)
        assert woken is True or await subscription.wait(PATIENCE)


async def test_ended_subscription_leaves_nothing_behind(broker: Broker) -> None:
    before = alive()
    for number in range(50):
        async with broker.listen(f"run:{number}"), broker.listen("queue"):
            pass
    await only_alive(before)
    await broker.notify("queue")
