"""Whether Redis answers, said once when it changes."""

from __future__ import annotations

import structlog

log = structlog.get_logger("agent_server")


class Outage:
    """What is out of order, of the connections that share it. One warning begins it, one line ends it."""

    def __init__(self) -> None:
        self._out: set[str] = set()

    def begin(self, connection: str, error: Exception) -> None:
        """This connection has failed."""
        if not self._out:
            log.warning(
                "redis_out_of_order",
                connection=connection,
                error=f"{type(error).__name__}: {error}",
                meanwhile="runs go on; their live streams stand still, and end from their rows",
            )
        self._out.add(connection)

    def end(self, connection: str) -> None:
        """This connection works."""
        if connection in self._out:
            self._out.remove(connection)
            if not self._out:
                log.info("redis_works_again")
