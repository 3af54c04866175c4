"""Tracks how far a run's checkpoints are stored, so that its graphs do not run ahead of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class StoredSteps:
    """The last stored step of each graph of a run, by the graph's checkpoint namespace.

    LangGraph stores a checkpoint while the next step works. If the database is out, a run would go on for many steps
    whose checkpoints are not stored, and its next attempt would repeat them all. So a step waits for the checkpoint
    before the last: an attempt repeats the step at work and at most one before it, whose checkpoint was on its way.
    """

    def __init__(self, hasten: Callable[[], None]) -> None:
        """`hasten` is called when a step has to wait: it begins to store what waits."""
        self._hasten = hasten
        self._stored: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._released = False

    @property
    def has_begun(self) -> bool:
        """Return whether the attempt has begun to store a checkpoint."""
        return bool(self._stored)

    def begin(self, namespace: str, step: int) -> None:
        """Note that the checkpoint of this step is being stored."""
        self._stored.setdefault(namespace, step - 1)  # the attempt has loaded the step before its first checkpoint

    def end(self, namespace: str, step: int) -> None:
        """Note that the checkpoint of this step is stored."""
        self._stored[namespace] = step
        self._wake()

    def release(self) -> None:
        """Let every step begin: no checkpoint will be stored any more."""
        self._released = True
        self._wake()

    async def wait(self, namespace: str, step: int) -> None:
        """Wait until the step may begin."""
        first = self._first.setdefault(namespace, step)
        while step > first and self._stored.get(namespace, step) < step - 2 and not self._released:
            self._hasten()
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
