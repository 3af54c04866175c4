"""Check every database and Redis for `GET /ok?check_db=1`, concurrently and in bounded time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import anyio

Check = Callable[[], Awaitable[None]]
"""Checks a service; raises an error that states why it cannot be used."""
CHECK_SECONDS = 4.0
"""Seconds that one service may take; orchestrators give up after a few seconds, too."""


class HealthChecks:
    """The checks of all services, by name."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks

    async def problems(self) -> dict[str, str]:
        """Return the problem of each service that cannot be used; empty if all work."""
        found: dict[str, str] = {}

        async def run(name: str, check: Check) -> None:
            try:
                with anyio.fail_after(CHECK_SECONDS):
                    await check()
            except TimeoutError:
                found[name] = f"it does not respond within {CHECK_SECONDS:g} s"
            except Exception as error:
                found[name] = str(error) or type(error).__name__

        async with anyio.create_task_group() as group:
            for name, check in self._checks.items():
                group.start_soon(run, name, check)
        return {name: found[name] for name in self._checks if name in found}
