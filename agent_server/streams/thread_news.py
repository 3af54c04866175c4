"""Pending news of a thread for one reader: the runs and the state updates that its stream has not sent yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from agent_server.database import Connection

NewsKind = Literal["runs", "state updates"]


class News(NamedTuple):
    """A run, or a change of the state from outside."""

    id: str
    checkpoint: str | None
    """What the state was changed to, as JSON; none for a run."""


class ThreadNews:
    """What somebody who listens to a thread has not heard of yet."""

    def __init__(
        self, thread_id: str, since: int, heard: set[str] | None = None, kinds: Sequence[NewsKind] = ("runs",)
    ) -> None:
        self.thread_gone = False
        self._thread_id = thread_id
        self._since = since
        self._heard = heard or set()
        self._sql = f"{' UNION ALL '.join(_NEWS[kind] for kind in kinds)} {_IN_ORDER}"

    def next(self, connection: Connection) -> News | None:
        """The next to hear of: runs that ended since and changes of the state in the order of their times, the run at
        work, the one that starts next. Nothing while there is none, or once the thread is gone."""
        self.thread_gone = not connection.one("SELECT 1 AS x FROM threads WHERE thread_id = :id", id=self._thread_id)
        rows = connection.all(self._sql, id=self._thread_id, since=self._since)
        self._heard &= {row["id"] for row in rows}
        unheard = next((row for row in rows if row["id"] not in self._heard), None)
        if unheard is None:  # so that the next look need not read all of these again
            self._since = max([self._since, *(row["at"] for row in rows if row["rank"] == 0)])
            return None
        return News(unheard["id"], unheard["checkpoint"])

    def hear(self, news_id: str) -> None:
        """Take it for heard."""
        self._heard.add(news_id)


_NEWS: dict[NewsKind, str] = {
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
