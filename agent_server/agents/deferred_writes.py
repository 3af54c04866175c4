"""Writes of an attempt that become durable together.

LangGraph stores a checkpoint and each task's writes one after the other, while the next step works (the durability
`async`). As units of their own they would cost a commit each. Here a commit waits a moment for the writes that follow,
and those that arrive during a commit share the next one, in order. Nothing is acknowledged earlier: a step waits for
the checkpoint before the last (`StoredSteps`), and the run's end for all writes; the waiting side begins the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Any

from msgspec import Struct

COLLECT_SECONDS = 0.005
"""How long a commit waits for more writes while nothing waits for it: quick graphs then need one commit a run."""


class Deferred(Struct):
    """A write that waits for its commit."""

    work: Any
    """What the saver writes; only its own `write` knows the type."""
    is_progress: bool
    stored: Callable[[], None] | None = None
    """Called once the write is durable."""


Write = Callable[[Sequence[Any], bool], Awaitable[None]]
"""Writes many works in order as one unit, under the lease; the flag tells whether one of them is progress."""


class DeferredWrites:
    """The writes of one attempt that wait, and the task that commits them."""

    def __init__(self, failed: Callable[[], None]) -> None:
        """`failed` is called when a write is not stored, and none after it will be."""
        self._failed = failed
        self.failure: Exception | None = None
        """Why a write was not stored; none after it is."""
        self._waiting: list[Deferred] = []
        self._write: Write | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def add(self, write: Write, one: Deferred) -> None:
        """Store it soon, after those that were added before. Errors: why an earlier one was not stored."""
        if self.failure is not None:
            raise self.failure
        self._waiting.append(one)
        if self._task is None and self._timer is None:
            self._write = write
            self._timer = asyncio.get_running_loop().call_later(COLLECT_SECONDS, self.hasten)

    def hasten(self) -> None:
        """Begin to store what waits, if anything does."""
        if self._timer is None or self._write is None:
            return
        self._timer.cancel()
        self._timer = None
        # in a context of its own: neither the agent's variables nor its traces are of the commit
        self._task = asyncio.get_running_loop().create_task(self._store(self._write), context=Context())

    async def drain(self) -> None:
        """Wait until no write waits: each is durable, or `failure` has the reason."""
        self.hasten()
        while self._task is not None:
            await asyncio.wait((self._task,))
            self.hasten()

    async def settle(self) -> None:
        """Wait until all writes are durable. Errors: why one was not stored."""
        await self.drain()
        if self.failure is not None:
            raise self.failure

    async def _store(self, write: Write) -> None:
        try:
            while self._waiting:
                units, self._waiting = self._waiting, []
                await write([one.work for one in units], any(one.is_progress for one in units))
                for one in units:
                    if one.stored is not None:
                        one.stored()
        except Exception as error:
            self.failure = error
            self._waiting.clear()
            self._failed()
        finally:
            self._task = None
