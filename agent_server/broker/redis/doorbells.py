"""Doorbells that are heard in every process: the rings of one go to the others over Redis's pub/sub.

Rings within a process need no Redis. A process subscribes to the channels that somebody in it listens on, and to one
that nobody rings, so that there is always something to be subscribed to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from agent_server.broker.doorbells import Bell, Bells
from agent_server.broker.redis.outage import Outage
from agent_server.broker.redis.pipe import Pipe

PREFIX = "agent_server:bell:"
PATIENCE_SECONDS = 1.0
"""How long a listener waits to be subscribed; later it may miss a ring, and has to look for itself."""


class _Ear:
    """That somebody in this process listens on a channel, and whether Redis knows of it."""

    def __init__(self) -> None:
        self.listeners = 0
        self.subscribed = asyncio.Event()


class Rings:
    """The doorbells of all processes."""

    def __init__(self, client: Redis, pipe: Pipe, me: str, outage: Outage) -> None:
        self._client = client
        self._pipe = pipe
        self._me = me
        self._outage = outage
        self._bells = Bells()
        self._ears: dict[str, _Ear] = {}
        self._missing: set[str] = set()
        """The channels on which rings may have been lost with a connection."""
        self._changed = asyncio.Event()
        self._connected = False

    def ring(self, channel: str) -> None:
        """Ring everybody who listens on the channel, in whatever process."""
        self._bells.ring(channel)
        self._pipe.send(("PUBLISH", PREFIX + channel, self._me))

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[Bell]:
        """An ear on the channel, for the length of a `with` block."""
        ear = self._ears.setdefault(channel, _Ear())
        ear.listeners += 1
        self._changed.set()
        try:
            with self._bells.listen(channel) as bell:
                if self._connected and not ear.subscribed.is_set():
                    await _at_most(PATIENCE_SECONDS, ear.subscribed)
                yield bell
        finally:
            ear.listeners -= 1
            self._changed.set()

    async def serve(self) -> None:
        """Hear the rings of other processes, until the connection breaks (`RedisError`) or this is cancelled."""
        pubsub = self._client.pubsub()
        try:
            await pubsub.subscribe(PREFIX)
            self._connected = True
            async with anyio.create_task_group() as tasks:  # which cancels as often as redis-py needs it
                tasks.start_soon(self._subscribe, pubsub)
                tasks.start_soon(self._hear, pubsub)
        except* (RedisError, OSError) as errors:
            raise errors.exceptions[0] from None
        finally:
            self._connected = False
            self._missing.update(self._ears)
            for ear in self._ears.values():
                ear.subscribed.clear()
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _subscribe(self, pubsub: PubSub) -> None:
        """Keep Redis told of which channels somebody listens on."""
        told: set[str] = set()
        while True:
            self._changed.clear()
            wanted = {channel for channel, ear in self._ears.items() if ear.listeners}
            for channel in self._ears.keys() - wanted:
                del self._ears[channel]
            if left := told - wanted:
                await pubsub.unsubscribe(*(PREFIX + channel for channel in left))
            if new := wanted - told:
                await pubsub.subscribe(*(PREFIX + channel for channel in new))
            told = wanted
            await self._changed.wait()

    async def _hear(self, pubsub: PubSub) -> None:
        while True:
            message = await pubsub.get_message(timeout=None)
            if message is None:
                continue
            channel = message["channel"].decode().removeprefix(PREFIX)
            if message["type"] == "message" and message["data"].decode() != self._me:
                self._bells.ring(channel)
            elif message["type"] == "subscribe":
                self._subscribed(channel)

    def _subscribed(self, channel: str) -> None:
        if not channel:
            self._outage.end("doorbells")
        elif ear := self._ears.get(channel):
            ear.subscribed.set()
        if channel in self._missing:
            self._missing.remove(channel)
            self._bells.ring(channel)


async def _at_most(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
