"""Run an agent in its own asyncio task, which is cancelled once and then has time to clean up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

import anyio
import structlog

from agent_server.runs.agent_exits import agent_context

log = structlog.get_logger("agent_server")

T = TypeVar("T")


class AgentTask(Generic[T]):
    """Runs a coroutine, and stops it when `cancel` is called.

    It is a plain task and not an anyio cancel scope, because a scope cancels every `await` in it again and again. That
    breaks off the `finally` blocks of nodes and LangGraph's own clean-up, which then leaves the tasks of nodes running.
    A task that is cancelled once unwinds in order: LangGraph cancels the tasks of its nodes, waits for them, and writes
    the last checkpoint.
    """

    def __init__(self, work: Coroutine[Any, Any, T], stop_seconds: float) -> None:
        self._stop_seconds = stop_seconds
        self._cancelled = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(work, context=agent_context())

    def cancel(self) -> None:
        """Cancel the work; further calls have no effect."""
        if not self._cancelled.done():
            self._cancelled.set_result(None)
            self._task.cancel()

    async def end(self) -> bool:
        """Wait for the end of the work, after `cancel` for at most `stop_seconds`. Return whether it has ended."""
        try:
            await asyncio.wait((self._task, self._cancelled), return_when=asyncio.FIRST_COMPLETED)
            return await self._wait_until_stopped()
        except asyncio.CancelledError:  # the server fails around the attempt
            self.cancel()
            with anyio.CancelScope(shield=True):
                await self._wait_until_stopped()
            raise

    def result(self) -> T:
        """Return the coroutine's result. Call it only after `end` has returned true."""
        return self._task.result()

    async def _wait_until_stopped(self) -> bool:
        if not self._task.done():
            await asyncio.wait((self._task,), timeout=self._stop_seconds)
        if not self._task.done():
            log.warning("agent_did_not_stop", waited_seconds=self._stop_seconds)
            _LEFT_BEHIND.add(self._task)
            self._task.add_done_callback(_LEFT_BEHIND.discard)
        return self._task.done()


_LEFT_BEHIND: set[asyncio.Task[Any]] = set()
"""Tasks that did not end in time. The event loop keeps only weak references, so without this they could be
collected."""
