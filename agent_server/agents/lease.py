"""The lease under which an attempt's agent writes: a write after the lease was lost changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import structlog

from agent_server.agents.deferred_writes import DeferredWrites, LastWrites
from agent_server.agents.stored_steps import StoredSteps
from agent_server.errors import AgentServerError, LeaseLost, Unavailable

log = structlog.get_logger("agent_server")

T = TypeVar("T")

RETRY_SECONDS = 0.5
"""How long a write waits before it retries a database that did not respond."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS has no CLOCK_BOOTTIME; there MONOTONIC is one


def boot_seconds() -> float:
    """Return the seconds since the machine booted, by a clock that cannot be set and that runs during sleep."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """An attempt's right to write its run's checkpoints, as the saver sees it.

    On PostgreSQL the saver reads the run's row in the transaction that writes, so the database decides. On SQLite,
    which one process has locked, `until` decides, by this process's clock, and after it the run's row (`renew`). Either
    way, a closed lease permits no writes.
    """

    def __init__(
        self,
        run_id: str,
        token: str,
        until: float,
        renew: Callable[[], Awaitable[float]],
        lost: Callable[[], None],
        progressed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`renew` returns the new `until`, in `boot_seconds`. Its errors: `LeaseLost`.

        `lost` is called when a write finds the lease lost; `progressed` once, after the first write of a step's result.
        """
        self.run_id = run_id
        self.token = token
        self.until = until
        self.steps = StoredSteps(self._hasten_writes)
        self.deferred: DeferredWrites | None = None
        """Writes that share commits, where the run's durability permits that."""
        self.empty_thread: str | None = None
        """The run's thread, if it is known that nothing was stored of it before the run."""
        self.flush_events: Callable[[], Awaitable[None]] | None = None
        """Waits until the events published so far are in their log; else a resumed run would never send them."""
        self._renew = renew
        self._lost = lost
        self._progressed = progressed
        self._closed = self._revoked = False
        self._writes = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def close(self) -> None:
        """Refuse all further writes of checkpoints."""
        self._closed = True
        self.steps.release()

    def revoke(self) -> None:
        """Refuse all further writes, including those to the store: the attempt was stopped, or its lease is lost."""
        self._revoked = True
        self.close()

    async def check_store(self) -> None:
        """Check that the agent may still write to the store. Errors: `LeaseLost`.

        It may after its run has ended by itself: agents update their memory in the background.
        """
        if self._revoked:
            raise LeaseLost(f"Run {self.run_id} was stopped; what it writes now is not stored")
        if not self._closed:
            await self.confirm()

    def defer_writes(self) -> None:
        """Let writes return before they are durable; `settle` waits for them."""
        self.deferred = self.deferred or DeferredWrites(self._write_deferred, failed=self.steps.release)

    async def _write_deferred(self, store: Callable[[], Awaitable[None]], is_progress: bool) -> None:
        with write_under(self):
            await self.write(store, is_progress=is_progress)

    def _hasten_writes(self) -> None:
        if self.deferred is not None:
            self.deferred.hasten()

    async def settle(self) -> None:
        """Wait until the deferred writes are durable. Errors: why one was not stored, such as `LeaseLost`."""
        if self.deferred is not None:
            await self.deferred.settle()

    async def take_deferred(self) -> LastWrites | None:
        """Return what stores the deferred writes that wait, in the transaction that ends the run; None if none waits.

        Errors: why one was not stored, such as `LeaseLost`.
        """
        if self.deferred is None:
            return None
        if self.deferred.has_progress and self.flush_events is not None:
            await self.flush_events()
        return await self.deferred.take()  # the last await: a cancellation before it leaves the writes where they are

    async def drain(self) -> None:
        """Wait for the writes that began before: each is durable, or refused."""
        if self.deferred is not None:
            await self.deferred.drain()
        await self._idle.wait()

    def check_open(self) -> None:
        """Check that the lease is open. Errors: `LeaseLost`."""
        if self._closed:
            raise LeaseLost(f"The lease on run {self.run_id} is over")

    def check(self) -> None:
        """Check that the lease is open and has not expired. Errors: `LeaseLost`. Any thread may call this."""
        self.check_open()
        if boot_seconds() > self.until:
            raise LeaseLost(f"The lease on run {self.run_id} is over")

    async def write(self, work: Callable[[], Awaitable[T]], *, is_progress: bool = False) -> T:
        """Return the result of `work()`, retried while the database does not respond and the lease is open.

        Errors: `LeaseLost`.
        """
        self._writes += 1
        self._idle.clear()
        try:
            if is_progress and self.flush_events is not None:
                await self.flush_events()
            written = await self._insist(work)
        except LeaseLost:
            if not self._closed:
                self.revoke()
                self._lost()
            raise
        finally:
            self._writes -= 1
            if not self._writes:
                self._idle.set()
        if is_progress:
            await self._note_progress()
        return written

    async def confirm(self) -> None:
        """Renew the lease if it has expired: it is not lost if no other worker has claimed the run since.

        It may have expired because the process was frozen, the machine slept, or a node blocked the event loop.
        Errors: `LeaseLost`.
        """
        self.check_open()
        if boot_seconds() > self.until:
            await self.write(self._extend)

    async def _extend(self) -> None:
        self.until = await self._renew()

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        is_logged = False
        while True:
            self.check_open()
            try:
                return await work()
            except Unavailable as error:
                if not is_logged:
                    log.warning("checkpoint_not_stored_yet", run_id=self.run_id, error=str(error))
                is_logged = True
                await asyncio.sleep(RETRY_SECONDS)

    async def _note_progress(self) -> None:
        if self._progressed is None:
            return
        progressed, self._progressed = self._progressed, None
        try:
            await progressed()
        except AgentServerError:  # the next write detects it
            self._progressed = progressed


_CURRENT: ContextVar[Lease | None] = ContextVar("lease", default=None)


def current_lease() -> Lease | None:
    """Return the lease of the attempt that this task works for; None outside of attempts."""
    return _CURRENT.get()


def set_lease(lease: Lease) -> None:
    """Write under this lease from now on, in this task and in those that it starts."""
    _CURRENT.set(lease)


@contextmanager
def write_under(lease: Lease) -> Iterator[None]:
    """Write under this lease inside of the block."""
    token = _CURRENT.set(lease)
    try:
        yield
    finally:
        _CURRENT.reset(token)


async def work_under_lease(work: Callable[[], Awaitable[T]], *, is_progress: bool = False) -> T:
    """Return the result of `work()`, under the current lease if there is one."""
    lease = current_lease()
    return await (work() if lease is None else lease.write(work, is_progress=is_progress))
