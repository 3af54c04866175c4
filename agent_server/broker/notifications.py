"""Notifications within one process: subscriptions by channel."""

from __future__ import annotations

import asyncio


class LocalSubscription:
    """A subscription to one channel for the length of a `with` block; it remembers one notification.

    A class with slots, because each open stream has one: a generator with `contextmanager` takes five times its memory.
    """

    __slots__ = ("_by_channel", "_channel", "_notified", "_waiting")

    def __init__(self, by_channel: ByChannel, channel: str) -> None:
        self._by_channel = by_channel
        self._channel = channel
        self._notified = False
        self._waiting: asyncio.Future[None] | None = None
        """What the subscriber waits for: there is one, so an event with a queue of waiters would waste memory."""

    def __enter__(self) -> LocalSubscription:
        self._by_channel[self._channel] = (*self._by_channel.get(self._channel, ()), self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        rest = tuple(one for one in self._by_channel[self._channel] if one is not self)
        if rest:
            self._by_channel[self._channel] = rest
        else:
            del self._by_channel[self._channel]

    async def __aenter__(self) -> LocalSubscription:
        return self.__enter__()

    async def __aexit__(self, *exc_info: object) -> None:
        self.__exit__()

    @property
    def is_notified(self) -> bool:
        """Whether a notification came that no wait has returned."""
        return self._notified

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


ByChannel = dict[str, tuple[LocalSubscription, ...]]
"""A channel has one subscription as a rule, for which a set would take four times the memory of a tuple."""


class Notifications:
    """The subscriptions of one process, by channel."""

    def __init__(self) -> None:
        self._by_channel: ByChannel = {}

    def notify(self, channel: str) -> None:
        """Notify every subscription to the channel."""
        for subscription in self._by_channel.get(channel, ()):
            subscription.notify()

    def listen(self, channel: str) -> LocalSubscription:
        """Return a subscription to the channel: enter it with `with` or `async with`."""
        return LocalSubscription(self._by_channel, channel)
