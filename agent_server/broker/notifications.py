"""Notifications within one process: subscriptions by channel."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class LocalSubscription:
    """A subscription to one channel; it remembers one notification."""

    __slots__ = ("_notified", "_waiting")

    def __init__(self) -> None:
        self._notified = False
        self._waiting: asyncio.Future[None] | None = None
        """What the subscriber waits for: there is one, so an event with a queue of waiters would waste memory."""

    def notify(self) -> None:
        """Wake the subscriber, now or at its next wait."""
        self._notified = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait(self, seconds: float | None = None) -> bool:
        """Return whether a notification came since the last wait that returned True; wait up to `seconds` for one."""
        if not self._notified:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                if seconds is None:
                    await self._waiting
                else:
                    async with asyncio.timeout(seconds):
                        await self._waiting
            except TimeoutError:
                return False
            finally:
                self._waiting = None
        self._notified = False
        return True


class Notifications:
    """The subscriptions of one process, by channel."""

    def __init__(self) -> None:
        self._by_channel: dict[str, set[LocalSubscription]] = {}

    def notify(self, channel: str) -> None:
        """Notify every subscription to the channel."""
        for subscription in self._by_channel.get(channel, ()):
            subscription.notify()

    @contextmanager
    def listen(self, channel: str) -> Iterator[LocalSubscription]:
        """Subscribe to the channel for the length of a `with` block."""
        subscription = LocalSubscription()
        self._by_channel.setdefault(channel, set()).add(subscription)
        try:
            yield subscription
        finally:
            self._by_channel[channel].remove(subscription)
            if not self._by_channel[channel]:
                del self._by_channel[channel]
