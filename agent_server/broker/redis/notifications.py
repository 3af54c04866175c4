"""Notifications between processes, over Redis's pub/sub.

Notifications within a process need no Redis. A process subscribes to the channels that have local subscriptions, and to
one that is never notified, so that its connection always has a subscription.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from agent_server.broker.notifications import LocalSubscription, Notifications
from agent_server.broker.redis.outage import Outage
from agent_server.broker.redis.pipe import Pipe

PREFIX = "agent_server:notify:"
CONFIRM_SECONDS = 1.0
"""How long `listen` waits for Redis to confirm the subscription; after that, notifications may be missed."""


class _Channel:
    """A channel with subscriptions in this process, and whether Redis has confirmed it."""

    def __init__(self) -> None:
        self.listeners = 0
        self.subscribed = asyncio.Event()


class RedisNotifications:
    """The notifications of all processes."""

    def __init__(self, client: Redis, pipe: Pipe, me: str, outage: Outage) -> None:
        self._client = client
        self._pipe = pipe
        self._me = me
        self._outage = outage
        self._subscriptions = Notifications()
        self._channels: dict[str, _Channel] = {}
        self._missing: set[str] = set()
        """The channels whose notifications may have been lost with a connection."""
        self._changed = asyncio.Event()
        self._connected = False

    def notify(self, channel: str) -> None:
        """Notify all subscriptions to the channel, in every process."""
        self._subscriptions.notify(channel)
        self._pipe.send(("PUBLISH", PREFIX + channel, self._me))

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[LocalSubscription]:
        """Subscribe to the channel for the length of a `with` block."""
        state = self._channels.setdefault(channel, _Channel())
        state.listeners += 1
        self._changed.set()
        try:
            with self._subscriptions.listen(channel) as subscription:
                if self._connected and not state.subscribed.is_set():
                    await _wait_at_most(CONFIRM_SECONDS, state.subscribed)
                yield subscription
        finally:
            state.listeners -= 1
            self._changed.set()

    async def serve(self) -> None:
        """Receive notifications of other processes until the connection breaks (`RedisError`) or this is cancelled."""
        pubsub = self._client.pubsub()
        try:
            await pubsub.subscribe(PREFIX)
            self._connected = True
            async with anyio.create_task_group() as tasks:  # anyio repeats a cancellation, which redis-py needs
                tasks.start_soon(self._subscribe, pubsub)
                tasks.start_soon(self._receive, pubsub)
        except* (RedisError, OSError) as errors:
            raise errors.exceptions[0] from None
        finally:
            self._connected = False
            self._missing.update(self._channels)
            for state in self._channels.values():
                state.subscribed.clear()
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _subscribe(self, pubsub: PubSub) -> None:
        """Keep the subscriptions at Redis those of this process."""
        subscribed: set[str] = set()
        while True:
            self._changed.clear()
            wanted = {channel for channel, state in self._channels.items() if state.listeners}
            for channel in self._channels.keys() - wanted:
                del self._channels[channel]
            if left := subscribed - wanted:
                await pubsub.unsubscribe(*(PREFIX + channel for channel in left))
            if new := wanted - subscribed:
                await pubsub.subscribe(*(PREFIX + channel for channel in new))
            subscribed = wanted
            await self._changed.wait()

    async def _receive(self, pubsub: PubSub) -> None:
        while True:
            message = await pubsub.get_message(timeout=None)
            if message is None:
                continue
            channel = message["channel"].decode().removeprefix(PREFIX)
            if message["type"] == "message" and message["data"].decode() != self._me:
                self._subscriptions.notify(channel)
            elif message["type"] == "subscribe":
                self._note_subscribed(channel)

    def _note_subscribed(self, channel: str) -> None:
        if not channel:
            self._outage.end("notifications")
        elif state := self._channels.get(channel):
            state.subscribed.set()
        if channel in self._missing:
            self._missing.remove(channel)
            self._subscriptions.notify(channel)


async def _wait_at_most(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
