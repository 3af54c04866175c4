"""The sweeper: deletes expired threads, or reduces them to their latest state."""

from __future__ import annotations

import anyio
import structlog

from agent_server.config import ThreadTtlDefaults
from agent_server.errors import AgentServerError
from agent_server.threads.states import ThreadStates

log = structlog.get_logger("agent_server")


async def sweep_threads(states: ThreadStates, scope: anyio.CancelScope, settings: ThreadTtlDefaults) -> None:
    """Prune expired threads periodically until `scope` is cancelled.

    Every process does so; threads that another process has pruned are skipped silently.
    """
    with scope:
        while True:
            if await _sweep(states, settings.sweep_limit) < settings.sweep_limit:
                await anyio.sleep(settings.sweep_interval_minutes * 60)


async def _sweep(states: ThreadStates, limit: int) -> int:
    try:
        count = await states.prune_expired(limit)
    except AgentServerError as error:
        log.error("threads_not_swept", error=str(error))
        return 0
    if count:
        log.info("threads_swept", count=count)
    return count
