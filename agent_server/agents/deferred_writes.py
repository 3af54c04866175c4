"""Writes of an attempt that become durable together.

LangGraph stores a checkpoint and each task's writes one after the other, while the next step works (the durability
`async`). As units of their own they would cost a commit each. Here a commit waits a moment for the writes that follow,
and those that arrive during a commit share the next one, in order. Nothing is acknowledged earlier: a step waits for
the checkpoint before the last (`StoredSteps`), and the waiting side begins the commit. What still waits when the agent
has succeeded is stored by the transaction that ends the run (`LastWrites`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from functools import partial
from typing import Any, Protocol

from msgspec import Struct

from agent_server.database import Connection

COLLECT_SECONDS = 0.1
"""How long a commit waits for more writes while nothing waits for it: quick graphs need no commit but their end's."""


class Deferred(Struct):
    """A write that waits for its commit."""

    work: Any
    """What the saver writes; only the saver knows the type."""
    is_progress: bool
    stored: Callable[[], None] | None = None
    """Called once the write is durable."""


class Saver(Protocol):
    """Where the writes of an attempt are stored: a checkpoint saver on the database of runs."""

    async def store(self, works: Sequence[Any]) -> None:
        """Store the works in order, as one unit, under the current lease."""

    def store_within(self, connection: Connection, works: Sequence[Any]) -> None:
        """Store the works in order, in a transaction that checks the lease itself."""


Write = Callable[[Callable[[], Awaitable[None]], bool], Awaitable[None]]
"""Calls a function that writes, under the lease; the flag says whether it writes progress."""
LastWrites = Callable[[Connection], None]
"""Stores the last writes of an attempt, in the transaction that ends its run."""


class DeferredWrites:
    """The writes of one attempt that wait, and the task that commits them."""

    def __init__(self, write: Write, failed: Callable[[], None]) -> None:
        """`failed` is called when a write is not stored, and none after it will be."""
        self._write = write
        self._failed = failed
        self.failure: Exception | None = None
        """Why a write was not stored; none after it is."""
        self._waiting: list[Deferred] = []
        self._saver: Saver | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def has_progress(self) -> bool:
        """Return whether a write that waits has the result of a step."""
        return any(one.is_progress for one in self._waiting)

    def add(self, saver: Saver, one: Deferred) -> None:
        """Store it soon, after those that were added before. Errors: why an earlier one was not stored."""
        if self.failure is not None:
            raise self.failure
        self._waiting.append(one)
        if self._task is None and self._timer is None:
            self._saver = saver
            self._timer = asyncio.get_running_loop().call_later(COLLECT_SECONDS, self.hasten)

    def hasten(self) -> None:
        """Begin to store what waits, if anything does."""
        if self._timer is None or self._saver is None:
            return
        self._stop_timer()
        # in a context of its own: neither the agent's variables nor its traces are of the commit
        self._task = asyncio.get_running_loop().create_task(self._store(self._saver), context=Context())

    async def take(self) -> LastWrites | None:
        """Return what stores the writes that wait, instead of this object; None if all are durable.

        Errors: why one was not stored.
        """
        if self._task is not None:  # it stores the others, too
            await self.drain()
        if self.failure is not None:
            raise self.failure
        if self._saver is None or not self._waiting:
            return None
        self._stop_timer()
        works, self._waiting = [one.work for one in self._waiting], []
        return partial(self._saver.store_within, works=works)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

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

    async def _store(self, saver: Saver) -> None:
        try:
            while self._waiting:
                has_progress = self.has_progress
                units, self._waiting = self._waiting, []
                await self._write(partial(saver.store, [one.work for one in units]), has_progress)
                for one in units:
                    if one.stored is not None:
                        one.stored()
        except Exception as error:
            self.failure = error
            self._waiting.clear()
            self._failed()
        finally:
            self._task = None
