"""The leases by which workers hold runs: from the claim to the end of the attempt.

`queue.py` has the states of a run and the rules. Every statement here names the lease (rule 2), except those that mend
leases after a set clock or a crash.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from uuid_utils import uuid4

from agent_server.agents import LastWrites, boot_seconds
from agent_server.broker import Broker
from agent_server.database import Connection, Database
from agent_server.errors import AgentServerError, Conflict, LeaseLost
from agent_server.runs.records import Claim, Ending, read_claim
from agent_server.runs.transitions import (
    HELD,
    as_text,
    build_held_parameters,
    claim_next,
    drop_temporary,
    lock_thread_if_there,
    mend_times,
    write_thread_state,
)
from agent_server.runs.webhook_outbox import ENDED_COLUMNS, WEBHOOKS, get_ended_row, put_targets, put_webhook
from agent_server.schema import CancelAction

QUEUE = "runs"
"""The channel that signals that a run may be claimed."""
CANCELS = "cancels"
"""The channel that signals that a running run is to be cancelled."""


class RollbackRequested(Exception):
    """The run is to be rolled back, so it cannot end otherwise; its worker has not been notified yet."""


class NotStored(Exception):
    """The last checkpoints of a run cannot be stored, for `reason`, so it cannot end with success."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


class RunLeases:
    """The workers' operations on the table of runs."""

    def __init__(self, database: Database, broker: Broker) -> None:
        self._database = database
        self._broker = broker

    async def claim(self, at_most: int, lease_seconds: float, at_work: Collection[str] | None = ()) -> list[Claim]:
        """Claim the next runs, at most `at_most`, each under a fresh lease; their status becomes running.

        `at_work` has the ids of the caller's own runs, which are never claimed again; None claims no run whose lease
        has expired.
        """
        tokens = [uuid4().hex for _ in range(at_most)]
        lease = int(lease_seconds * 1_000_000)

        def work(connection: Connection) -> list[Claim]:
            until = boot_seconds() + lease_seconds
            claims = []
            for token in tokens:
                if (row := claim_next(connection, token, lease, at_work)) is None:
                    break
                claims.append(read_claim(row, token, lease_seconds, until))
            return claims

        while True:
            try:
                return await self._database.write(work)
            except Conflict:  # rule 1: another worker has just started a run on one of the threads
                continue

    async def renew(self, claims: Sequence[Claim], lease_seconds: float) -> dict[str, CancelAction | None]:
        """Extend the leases. Return the runs whose leases are held, each with its requested cancel action or None."""
        lease = int(lease_seconds * 1_000_000)

        def work(connection: Connection) -> dict[str, CancelAction | None]:
            statement = f"UPDATE runs SET lease_until = now_us() + :lease WHERE {HELD} RETURNING cancel"
            renewed = (
                (claim, connection.one(statement, lease=lease, **build_held_parameters(claim))) for claim in claims
            )
            return {claim.run.run_id: row["cancel"] for claim, row in renewed if row}

        return await self._database.write(work)

    async def renew_one(self, claim: Claim) -> float:
        """Extend the lease and return its end, in `boot_seconds`. Errors: `LeaseLost`."""
        now = boot_seconds()
        if not await self.renew([claim], claim.lease_seconds):
            raise LeaseLost(f"Run {claim.run.run_id} has another worker")
        return now + claim.lease_seconds

    async def abandon(self, claims: Sequence[Claim]) -> None:
        """End the leases of failed attempts, so that the runs can be claimed again."""

        def work(connection: Connection) -> None:
            for claim in claims:
                connection.execute(f"UPDATE runs SET lease_until = 0 WHERE {HELD}", **build_held_parameters(claim))

        await self._database.write(work)

    async def note_progress(self, claim: Claim) -> None:
        """Reset the run's count of rescues to zero."""
        statement = f"UPDATE runs SET rescues = 0 WHERE {HELD}"
        await self._database.write(lambda c: c.execute(statement, **build_held_parameters(claim)))

    async def cancel_wishes(self) -> dict[str, tuple[int, CancelAction]]:
        """Return the running runs of all workers that are to be cancelled, each with its attempt and action."""
        statement = "SELECT run_id, attempt, cancel FROM runs WHERE status = 'running' AND cancel IS NOT NULL"
        rows = await self._database.read(lambda connection: connection.all(statement))
        return {row["run_id"]: (row["attempt"], row["cancel"]) for row in rows}

    async def finish(self, claim: Claim, ending: Ending, last_writes: LastWrites | None = None) -> None:
        """Write the run's ending to the run and its thread, durably, with the agent's last writes.

        Errors: `LeaseLost`, `RollbackRequested`, `NotStored`.
        """
        notified: list[bool] = []

        def work(connection: Connection) -> bool:
            run = claim.run
            lock = drop_temporary if run.kwargs.temporary else lock_thread_if_there
            lock(connection, run.thread_id)
            put_webhook(connection, claim, ending)
            ended = connection.one(
                f"""UPDATE runs SET status = :status, output = :output, error = :error, updated_at = now_us(),
                    last_event = :last_event, lease_token = NULL, lease_until = NULL WHERE {HELD}
                RETURNING webhook_targets, cancel""",
                status=ending.status,
                output=as_text(ending.output),
                error=as_text(ending.error),
                last_event=ending.last_event,
                **build_held_parameters(claim),
            )
            if ended is None:
                raise LeaseLost(f"Run {run.run_id} has another worker")
            if ended["cancel"] == "rollback":
                raise RollbackRequested
            if last_writes is not None:
                _store_last(connection, last_writes)
            # not decided in the statement: SQLite 3.40 returns 1 for NULL IS NOT NULL there, where the table is STRICT
            if ended["webhook_targets"]:
                put_targets(connection, get_ended_row(connection, run.run_id), ending)
            notified.append(bool(run.kwargs.webhook or ended["webhook_targets"]))
            return not run.kwargs.temporary and write_thread_state(connection, run.thread_id, ending)

        if await self._database.write(work):
            await self._broker.notify(QUEUE)
        if any(notified):
            await self._broker.notify(WEBHOOKS)

    async def release(self, claim: Claim) -> None:
        """Return the run to the queue; it resumes from its last checkpoint."""
        await self._database.write(
            lambda c: c.execute(
                f"UPDATE runs SET status = 'pending', lease_token = NULL, lease_until = NULL WHERE {HELD}",
                **build_held_parameters(claim),
            )
        )
        await self._broker.notify(QUEUE)

    async def discard(self, claim: Claim, values: bytes | None) -> None:
        """Delete a run that was rolled back. Its thread gets `values`, or keeps its values from before the run.

        Errors: `LeaseLost` where another worker has the run.
        """

        def work(connection: Connection) -> None:
            lock_thread_if_there(connection, claim.run.thread_id)
            ending = Ending("interrupted", "idle", values)
            put_webhook(connection, claim, ending, "rollback")
            deleted = connection.one(
                f"DELETE FROM runs WHERE {HELD} RETURNING {ENDED_COLUMNS}", **build_held_parameters(claim)
            )
            if deleted is None:
                raise LeaseLost(f"Run {claim.run.run_id} has another worker")
            put_targets(connection, deleted, ending, "rollback")
            if not drop_temporary(connection, claim.run.thread_id):
                write_thread_state(connection, claim.run.thread_id, ending)

        await self._database.write(work)
        await self._broker.notify(QUEUE)

    async def mend_times(self, lease_seconds: float) -> None:
        """Correct times that lie in the future because the clock was set back: they delay runs and webhooks."""
        await self._database.write(lambda c: mend_times(c, int(lease_seconds * 1_000_000)))

    async def expire_leases(self) -> int:
        """Expire all leases now and return their number: for a start at which no other process can hold one."""
        return await self._database.write(
            lambda c: c.execute("UPDATE runs SET lease_until = 0 WHERE status = 'running'")
        )


def _store_last(connection: Connection, last_writes: LastWrites) -> None:
    """Store the last writes of a run that ends. Errors: `NotStored`, and `Unavailable` as for any statement."""
    try:
        last_writes(connection)
    except AgentServerError:
        raise
    except Exception as error:
        raise NotStored(error) from error
