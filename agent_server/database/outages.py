"""Log a database's outages: each cause once, and the recovery."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from agent_server.errors import Unavailable

log = structlog.get_logger("agent_server")

MOST_CAUSES = 20
"""The maximum number of causes logged in one outage."""


class Outages:
    """Logs the errors of a database that does not respond, each cause once until it responds again."""

    def __init__(self, database: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._causes: set[str] = set()
        self._since = 0.0

    def note(self, error: BaseException | None) -> None:
        """Record the result of a unit of work; errors other than `Unavailable` show that the database responds."""
        if not isinstance(error, Unavailable):
            if self._causes:
                self._causes.clear()
                log.warning(
                    "database_answers_again", database=self._database, seconds=round(self._clock() - self._since, 1)
                )
            return
        if not self._causes:
            self._since = self._clock()
        cause = str(error)
        if cause not in self._causes and len(self._causes) < MOST_CAUSES:
            self._causes.add(cause)
            log.error("database_unavailable", database=self._database, cause=cause)
