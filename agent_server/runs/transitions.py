"""The statements that claim, cancel and end runs, inside the transactions of `queue.py` and `leases.py`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agent_server.database import Connection, Row
from agent_server.errors import ThreadBusy
from agent_server.runs.records import Claim, Ending
from agent_server.runs.webhook_outbox import ENDED_COLUMNS, mend_webhook_times, put_webhook_unstarted
from agent_server.schema import CancelAction, RunCreate


def lock_thread_if_there(connection: Connection, thread_id: str) -> None:
    """Lock the thread's row for the rest of the transaction. A missing row is no error."""
    connection.execute("UPDATE threads SET updated_at = now_us() WHERE thread_id = :id", id=thread_id)


def drop_temporary(connection: Connection, thread_id: str) -> bool:
    """Delete the thread if it is temporary, with its only run; return whether it was."""
    return bool(connection.execute("DELETE FROM threads WHERE thread_id = :id AND temporary = 1", id=thread_id))


def write_thread_state(connection: Connection, thread_id: str, ending: Ending) -> bool:
    """Write the state and status that a run left on its thread. Return whether another run keeps it `busy`."""
    left = connection.one(
        _SETTLE.format(state=_STATE, status=":status"),
        values=as_text(ending.values),
        interrupts=ending.interrupts.decode(),
        error=ending.error.decode(),
        status=ending.thread_status,
        id=thread_id,
    )
    return left is not None and left["status"] == "busy"


def settle_thread_without_run(connection: Connection, thread_id: str) -> None:
    """Restore the thread's status after pending runs were cancelled."""
    before = """CASE WHEN status <> 'busy' THEN status WHEN interrupts <> '{}' THEN 'interrupted'
        WHEN error <> 'null' THEN 'error' ELSE 'idle' END"""
    connection.one(_SETTLE.format(state="", status=before), id=thread_id)


_STATE = """state = COALESCE(:values, state), interrupts = :interrupts, error = :error, state_updated_at = now_us(),"""
_SETTLE = """
    UPDATE threads SET {state} status = CASE WHEN EXISTS (
        SELECT 1 FROM runs WHERE thread_id = :id
        AND (status = 'running' OR (status = 'pending' AND start_at <= now_us()))
    ) THEN 'busy' ELSE {status} END WHERE thread_id = :id RETURNING status"""


def as_text(json: bytes | None) -> str | None:
    """Return JSON as rows store it."""
    return None if json is None else json.decode()


Cancelled = dict[str, bool]
"""Cancelled runs: true where the run has ended (it was pending), false where a worker must stop it."""

HELD = "run_id = :run_id AND lease_token = :lease_token AND status = 'running'"


def build_held_parameters(claim: Claim) -> dict[str, str]:
    """Return the parameters of `HELD`."""
    return {"run_id": claim.run.run_id, "lease_token": claim.lease_token}


# Both lock the thread's row with the run's, and skip locked rows: otherwise two claims of many runs that want each
# other's threads would wait for each other, until PostgreSQL breaks the deadlock after a second.
_NEXT_PENDING = """
    SELECT next.run_id FROM runs AS next JOIN threads ON threads.thread_id = next.thread_id
    WHERE next.status = 'pending' AND next.start_at <= now_us()
    AND NOT EXISTS (SELECT 1 FROM runs AS other WHERE other.thread_id = next.thread_id AND other.status = 'running')
    ORDER BY next.start_at, next.run_id LIMIT 1"""

_EXPIRED = """
    SELECT run_id FROM runs WHERE status = 'running' AND lease_until < now_us() ORDER BY lease_until LIMIT :limit"""

_THIS_EXPIRED = """
    SELECT next.run_id FROM runs AS next JOIN threads ON threads.thread_id = next.thread_id
    WHERE next.status = 'running' AND next.lease_until < now_us() AND next.run_id = :run_id"""

_CLAIM = """
    UPDATE runs SET status = 'running', lease_token = :token, lease_until = now_us() + :lease, attempt = attempt + 1,
        rescues = rescues + :rescue, updated_at = now_us(),
        turn = (SELECT turns FROM threads WHERE threads.thread_id = runs.thread_id)
    WHERE run_id = ({next} {skip_locked}) RETURNING *"""


def claim_next(connection: Connection, token: str, lease: int, at_work: Collection[str] | None = ()) -> Row | None:
    """Claim the next run, or return None: first a run whose lease has expired, then a pending one.

    `at_work` has the ids of this process's own runs. A set clock or a blocked event loop may expire their leases, but
    their worker is alive. None claims no run whose lease has expired.
    """
    row = None if at_work is None else _claim_expired(connection, token, lease, at_work)
    row = row or _claim(connection, _NEXT_PENDING, token=token, lease=lease, rescue=0)
    if row is not None:
        taken = "UPDATE threads SET status = 'busy', turns = turns + 1 WHERE thread_id = :id"
        connection.execute(taken, id=row["thread_id"])
    return row


def _claim_expired(connection: Connection, token: str, lease: int, at_work: Collection[str]) -> Row | None:
    for expired in connection.all(_EXPIRED, limit=len(at_work) + 1):
        run_id = expired["run_id"]
        if run_id not in at_work and (
            row := _claim(connection, _THIS_EXPIRED, token=token, lease=lease, rescue=1, run_id=run_id)
        ):
            return row
    return None


def _claim(connection: Connection, select: str, **parameters: object) -> Row | None:
    return connection.one(_CLAIM.format(next=select, skip_locked=connection.skip_locked), **parameters)


def mend_times(connection: Connection, lease: int) -> None:
    """Correct times that lie in the future because the clock was set back.

    No run is created in the future, so the newest such run gives the least step that the clock was set back. All
    pending runs move back by it: they keep their order, and delayed ones their delay.
    """
    row = connection.one(
        "SELECT MAX(created_at) - now_us() AS ahead FROM runs WHERE status = 'pending' AND start_at > now_us()"
    )
    if row and (ahead := row["ahead"] or 0) > 0:
        connection.execute(
            """UPDATE runs SET start_at = start_at - :ahead, created_at = created_at - :ahead
            WHERE status = 'pending' AND created_at > now_us()""",
            ahead=ahead,
        )
    connection.execute(
        "UPDATE runs SET lease_until = now_us() + :lease WHERE status = 'running' AND lease_until > now_us() + :lease",
        lease=lease,
    )
    mend_webhook_times(connection)


def make_way(connection: Connection, thread_id: str, body: RunCreate) -> Cancelled:
    """Apply the new run's multitask strategy to the thread's other runs."""
    strategy = body.multitask_strategy or "enqueue"
    if strategy == "enqueue":
        return {}
    others = connection.all(
        "SELECT run_id FROM runs WHERE thread_id = :id AND status IN ('pending', 'running') ORDER BY run_id",
        id=thread_id,
    )
    if others and strategy == "reject":
        raise ThreadBusy(
            "Thread is already running a task. Wait for it to finish or choose a different multitask strategy."
        )
    action: CancelAction = "rollback" if strategy == "rollback" else "interrupt"
    return _cancel(connection, [other["run_id"] for other in others], action)


_CANCEL_PENDING = {
    "interrupt": f"""UPDATE runs SET status = 'interrupted', updated_at = now_us()
        WHERE run_id = :id AND status = 'pending' RETURNING {ENDED_COLUMNS}""",
    "rollback": f"""DELETE FROM runs WHERE run_id = :id AND status = 'pending'
        RETURNING {ENDED_COLUMNS}""",
}


def _cancel(connection: Connection, run_ids: Sequence[str], action: CancelAction) -> Cancelled:
    """Cancel the active ones of the runs. The caller holds the lock on their thread's row."""
    cancelled: Cancelled = {}
    for run_id in run_ids:
        if ended := connection.one(_CANCEL_PENDING[action], id=run_id):
            put_webhook_unstarted(connection, ended, "rollback" if action == "rollback" else "interrupted")
            cancelled[run_id] = True
        elif connection.execute(
            "UPDATE runs SET cancel = :action WHERE run_id = :id AND status = 'running'", id=run_id, action=action
        ):
            cancelled[run_id] = False
    return cancelled


def cancel_on_thread(connection: Connection, thread_id: str, run_ids: Sequence[str], action: CancelAction) -> Cancelled:
    """Cancel the active ones of the runs, and write the resulting status of the thread."""
    lock_thread_if_there(connection, thread_id)
    cancelled = _cancel(connection, run_ids, action)
    if cancelled and not (all(cancelled.values()) and drop_temporary(connection, thread_id)):
        settle_thread_without_run(connection, thread_id)
    return cancelled
