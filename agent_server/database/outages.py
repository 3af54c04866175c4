"""The log of a database's outages: each cause once, and the recovery."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from agent_server.errors import Unavailable

log = structlog.get_logger("agent_server")

MOST_CAUSES = 20
"""Causes that are logged in one outage at most."""


class Outages:
    """Logs what keeps one database from answering, once for each cause until it answers again."""

    def __init__(self, database: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._causes: set[str] = set()
        self._since = 0.0

    def note(self, error: BaseException | None) -> None:
        """Take note of how a unit of work ended; other errors than `Unavailable` say that the database answers."""
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
