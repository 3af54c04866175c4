"""An agent at work in an asyncio task of its own, which is cancelled once and then has time to clean up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

import anyio
import structlog

log = structlog.get_logger("agent_server")

T = TypeVar("T")


class AgentTask(Generic[T]):
    """Runs a coroutine, and ends it when `cancel` is called.

    It is a plain task and no anyio cancel scope, because a scope cancels every `await` in it again and again. That
    breaks off the `finally` blocks of nodes and LangGraph's own clean-up, which then leaves the tasks of nodes behind
    at work. A task that is cancelled once unwinds in order: LangGraph cancels the tasks of its nodes, waits for them,
    and writes the last checkpoint.
    """

    def __init__(self, work: Coroutine[Any, Any, T], stop_seconds: float) -> None:
        self._stop_seconds = stop_seconds
        self._cancelled = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(work)

    def cancel(self) -> None:
        """Cancel the work; further calls change nothing."""
        if not self._cancelled.done():
            self._cancelled.set_result(None)
            self._task.cancel()

    async def end(self) -> bool:
        """Wait for the work's end, once it is cancelled for `stop_seconds` at most. Returns whether it has ended."""
        try:
            await asyncio.wait((self._task, self._cancelled), return_when=asyncio.FIRST_COMPLETED)
            return await self._stopped()
        except asyncio.CancelledError:  # the server breaks down around the attempt
            self.cancel()
            with anyio.CancelScope(shield=True):
                await self._stopped()
            raise

    def result(self) -> T:
        """What the coroutine returned. Call it only after `end` has returned true."""
        return self._task.result()

    async def _stopped(self) -> bool:
        if not self._task.done():
            await asyncio.wait((self._task,), timeout=self._stop_seconds)
        if not self._task.done():
            log.warning("agent_did_not_stop", waited_seconds=self._stop_seconds)
            _LEFT_BEHIND.add(self._task)
            self._task.add_done_callback(_LEFT_BEHIND.discard)
        return self._task.done()


_LEFT_BEHIND: set[asyncio.Task[Any]] = set()
"""Tasks that did not end in time. The event loop keeps weak references only, so they could vanish in mid-work."""
