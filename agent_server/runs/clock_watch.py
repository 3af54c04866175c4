"""Detect changes of the database's clock, and prevent them from starting runs twice or never."""

from __future__ import annotations

import structlog

from agent_server.agents import boot_seconds
from agent_server.errors import AgentServerError
from agent_server.runs.queue import Runs

log = structlog.get_logger("agent_server")

LOOK_SECONDS = 1.0
TOLERANCE_SECONDS = 0.5
"""Smaller steps are harmless, and cannot be distinguished from a slow response."""


class ClockWatch:
    """Compares the database's clock with the monotonic clock.

    A step forward makes every lease look expired while its worker is alive: workers get one lease duration to renew. A
    step back puts the times of pending runs and webhooks into the future: they are corrected.
    """

    def __init__(self, runs: Runs, lease_seconds: float) -> None:
        self._runs = runs
        self._lease_seconds = lease_seconds
        self._look_at = 0.0
        self._trust_from = 0.0
        self._offset: tuple[float, float] | None = None
        """Lower and upper bound of the database clock's lead over the local clock, in seconds."""

    async def look(self) -> bool:
        """Compare the clocks, at most once a second. Return whether expired leases can be trusted to be expired.

        Between two comparisons they cannot, because the clock may have changed since the last.
        """
        if boot_seconds() < self._look_at:
            return False
        try:
            await self._compare()
        except AgentServerError as error:
            log.debug("clock_not_compared", error=str(error))  # the next claim logs it
            return False
        return boot_seconds() >= self._trust_from

    async def _compare(self) -> None:
        before = boot_seconds()
        now = await self._runs.read_clock()
        after = boot_seconds()
        step = self._step(now - after, now - before)
        if step:
            log.warning("clock_was_set", seconds=round(step, 1))
        if step < 0 or self._offset is None:  # a step may have happened before this process began
            await self._runs.mend_times(self._lease_seconds)
        if step > 0:
            self._trust_from = after + self._lease_seconds
        self._offset = (now - after, now - before)
        self._look_at = after + LOOK_SECONDS

    def _step(self, low: float, high: float) -> float:
        """Return the seconds by which the database's clock was set since the last comparison; 0 where it was not."""
        if self._offset is None:
            return 0.0
        back, forward = high - self._offset[0], low - self._offset[1]
        if back < -TOLERANCE_SECONDS:
            return back
        return forward if forward > TOLERANCE_SECONDS else 0.0
