"""Log that a recurring task fails: once until it works again, however often it is tried meanwhile."""

from __future__ import annotations

import structlog

log = structlog.get_logger("agent_server")


class FailureLog:
    """The failures of one task, under one event name."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._failing = False

    def record_failure(self, error: Exception) -> None:
        """Record a failure; the first one since the task last worked is logged as an error."""
        level = log.debug if self._failing else log.error
        level(self._event, error=str(error))
        self._failing = True

    def record_success(self) -> None:
        """Record that the task works."""
        self._failing = False
