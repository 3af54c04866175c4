"""The sweeper: threads whose time is over are deleted, or cut down to their latest state."""

from __future__ import annotations

import anyio
import structlog

from agent_server.errors import AgentServerError
from agent_server.threads.states import ThreadStates

log = structlog.get_logger("agent_server")

SWEEP_SECONDS = 15.0
"""How often to look. With several processes each does; a thread that another has pruned is no news."""
AT_ONCE = 100


async def sweep_threads(states: ThreadStates, scope: anyio.CancelScope, every: float = SWEEP_SECONDS) -> None:
    """Prune expired threads, again and again, until `scope` is cancelled."""
    with scope:
        while True:
            if await _sweep(states) < AT_ONCE:
                await anyio.sleep(every)


async def _sweep(states: ThreadStates) -> int:
    try:
        count = await states.prune_expired(AT_ONCE)
    except AgentServerError as error:
        log.error("threads_not_swept", error=str(error))
        return 0
    if count:
        log.info("threads_swept", count=count)
    return count
