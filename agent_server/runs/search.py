"""Which runs a request is about: those of a thread, or those to cancel together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from agent_server.access.filters import Condition
from agent_server.database import Connection, Row
from agent_server.errors import Invalid, NotFound
from agent_server.runs.records import RUN_COLUMNS, run_of
from agent_server.schema import Run, RunsCancel, canonical_id

RunsByThread = dict[str, list[str]]
NewsKind = Literal["runs", "state updates"]


def runs_of_thread(connection: Connection, thread_id: str, limit: int, offset: int, status: str | None) -> list[Run]:
    """The thread's runs, the newest first; `NotFound` where there is no such thread."""
    if not connection.one("SELECT 1 AS x FROM threads WHERE thread_id = :id AND temporary = 0", id=thread_id):
        raise NotFound(f"Thread with ID {thread_id} not found")
    rows = connection.all(
        f"""SELECT {RUN_COLUMNS} FROM runs WHERE thread_id = :id AND (:status = '' OR status = :status)
        ORDER BY created_at DESC, run_id DESC LIMIT :limit OFFSET :offset""",
        id=thread_id,
        status=status or "",
        limit=limit,
        offset=offset,
    )
    return [run_of(row) for row in rows]


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


def chosen_runs(which: RunsCancel, owned: Condition | None = None) -> Callable[[Connection], RunsByThread]:
    """Finds the runs to cancel that have not ended: by thread, and the threads in one order, in which all units take
    them. With `owned`, of threads that meet it. `Invalid` where the request names neither or both of the two ways to
    choose."""
    choose = _chosen(which)
    if owned is None:
        return choose
    statement = f"SELECT 1 AS x FROM threads WHERE thread_id = :id AND {owned.sql}"

    def of_caller(connection: Connection) -> RunsByThread:
        return {
            thread_id: run_ids
            for thread_id, run_ids in choose(connection).items()
            if connection.one(statement, id=thread_id, **owned.parameters)
        }

    return of_caller


def _chosen(which: RunsCancel) -> Callable[[Connection], RunsByThread]:
    if which.status is not None:
        if which.thread_id is not None or which.run_ids is not None:
            raise Invalid("status chooses among the runs of all threads: leave thread_id and run_ids out, or status")
        statuses = ("pending", "running") if which.status == "all" else (which.status, which.status)
        return lambda connection: _by_thread(_with_status(connection, *statuses))
    if which.thread_id is None or which.run_ids is None:
        raise Invalid("Name the runs to cancel: thread_id and run_ids, or a status (pending, running or all)")
    thread_id = canonical_id(which.thread_id, "thread")
    run_ids = {canonical_id(run_id, "run") for run_id in which.run_ids}
    return lambda connection: _by_thread(
        [row for row in _with_status(connection, "pending", "running", thread_id) if row["run_id"] in run_ids]
    )


def _with_status(connection: Connection, one: str, other: str, thread_id: str = "") -> list[Row]:
    return connection.all(
        """SELECT thread_id, run_id FROM runs WHERE status IN (:one, :other)
        AND (:thread_id = '' OR thread_id = :thread_id) ORDER BY thread_id, run_id""",
        one=one,
        other=other,
        thread_id=thread_id,
    )


def _by_thread(rows: list[Row]) -> RunsByThread:
    found: RunsByThread = {}
    for row in rows:
        found.setdefault(row["thread_id"], []).append(row["run_id"])
    return found
