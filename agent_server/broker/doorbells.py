"""The doorbells of one process: who listens on which channel, and how they are rung."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Bell:
    """One listener's ear; remembers one ring."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, seconds: float) -> bool:
        """Whether there was a ring since the last wait that said so; waits up to `seconds` for one."""
        if not self._rung.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._rung.wait()
            except TimeoutError:
                return False
        self._rung.clear()
        return True


class Bells:
    """The listeners of one process, by channel."""

    def __init__(self) -> None:
        self._bells: dict[str, set[Bell]] = {}

    def ring(self, channel: str) -> None:
        """Ring everybody who listens on the channel."""
        for bell in self._bells.get(channel, ()):
            bell.ring()

    @contextmanager
    def listen(self, channel: str) -> Iterator[Bell]:
        """An ear on the channel, for the length of a `with` block."""
        bell = Bell()
        self._bells.setdefault(channel, set()).add(bell)
        try:
            yield bell
        finally:
            self._bells[channel].remove(bell)
            if not self._bells[channel]:
                del self._bells[channel]
