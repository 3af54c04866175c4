"""Log once when Redis fails, and once when it works again."""

from __future__ import annotations

import structlog

log = structlog.get_logger("agent_server")


class Outage:
    """The failed connections to Redis. The first failure logs a warning, the end of the last one an info line."""

    def __init__(self) -> None:
        self._out: set[str] = set()

    def begin(self, connection: str, error: Exception) -> None:
        """Record that this connection failed."""
        if not self._out:
            log.warning(
                "redis_out_of_order",
                connection=connection,
                error=f"{type(error).__name__}: {error}",
                meanwhile="runs continue; live streams stop, and end from the rows of their runs",
            )
        self._out.add(connection)

    def end(self, connection: str) -> None:
        """Record that this connection works."""
        if connection in self._out:
            self._out.remove(connection)
            if not self._out:
                log.info("redis_works_again")
