"""Pending updates of a thread for one reader: the runs and state updates that its stream has not sent yet."""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import cache
from typing import Literal, NamedTuple

from agent_server.database import Connection

UpdateKind = Literal["runs", "state updates"]


class ThreadUpdate(NamedTuple):
    """A run, or a state update from outside."""

    id: str
    checkpoint: str | None
    """The checkpoint of a state update, as JSON; None for a run."""


_NONE: frozenset[str] = frozenset()
"""Shared by all readers: each further empty set would take 216 bytes."""


class ThreadUpdates:
    """The updates that one reader of a thread has not received."""

    def __init__(
        self, thread_id: str, since: int, received: set[str] | None = None, kinds: Sequence[UpdateKind] = ("runs",)
    ) -> None:
        self.is_deleted = False
        self._thread_id = thread_id
        self._since = since
        self._received: Set[str] = received or _NONE
        self._sql = _build_sql(tuple(kinds))

    def find_next(self, connection: Connection) -> ThreadUpdate | None:
        """Return the next pending update, or None; `is_deleted` is whether the thread was deleted.

        The order is: ended runs and state updates by time, the running run, the run that starts next.
        """
        self.is_deleted = not connection.one("SELECT 1 AS x FROM threads WHERE thread_id = :id", id=self._thread_id)
        rows = connection.all(self._sql, id=self._thread_id, since=self._since)
        self._received = self._received & {row["id"] for row in rows} or _NONE
        unsent = next((row for row in rows if row["id"] not in self._received), None)
        if unsent is None:  # so that the next query skips these rows
            self._since = max([self._since, *(row["at"] for row in rows if row["rank"] == 0)])
            return None
        return ThreadUpdate(unsent["id"], unsent["checkpoint"])

    def mark_received(self, update_id: str) -> None:
        """Mark the update as received."""
        self._received = self._received | {update_id}


_UPDATES: dict[UpdateKind, str] = {
    "runs": """
        SELECT run_id AS id, updated_at AS at, CASE status WHEN 'running' THEN 1 WHEN 'pending' THEN 2 ELSE 0 END
            AS rank, CASE WHEN status = 'pending' THEN start_at ELSE updated_at END AS place, NULL AS checkpoint
        FROM runs WHERE thread_id = :id AND (
            status = 'running' OR (status = 'pending' AND start_at <= now_us())
            OR (status NOT IN ('pending', 'running') AND attempt > 0 AND updated_at >= :since)
        )""",
    "state updates": """
        SELECT update_id AS id, made_at AS at, 0 AS rank, made_at AS place, checkpoint
        FROM state_updates WHERE thread_id = :id AND made_at >= :since""",
}
_IN_ORDER = "ORDER BY rank, place, id"


@cache
def _build_sql(kinds: tuple[UpdateKind, ...]) -> str:
    return f"{' UNION ALL '.join(_UPDATES[kind] for kind in kinds)} {_IN_ORDER}"
