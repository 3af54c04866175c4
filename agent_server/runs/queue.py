"""The queue of runs. All changes of a run's status are here, in `leases.py`, or in the statements of `transitions.py`.

States and transitions
----------------------

    from      | by        | to           | when
    --------- | --------- | ------------ | -----------------------------------------------------------------
    (none)    | create    | pending      | a client asked for it; acknowledged once this is durable
    (none)    | create    | running      | the same, where this process has a free worker and the thread is free
    pending   | claim     | running      | a worker takes it: the oldest that may start, on a thread that runs none
    pending   | cancel    | interrupted  | a client, or a newer run with the strategy `interrupt`
    pending   | cancel    | (deleted)    | the same with `rollback`
    running   | finish    | success      | the agent ended, or waits for input (the thread's status tells which)
    running   | finish    | error        | the agent raised, or the run lost its server too often
    running   | finish    | interrupted  | it was cancelled
    running   | discard   | (deleted)    | it was cancelled with `rollback`
    running   | release   | pending      | its server stops in good order; another takes it up from its checkpoint
    running   | claim     | running      | its lease ran out (a crash): the next attempt, from its checkpoint

success, error and interrupted are final; so is timeout, which the API has and no run reaches here. A client may delete
a run or its thread in any state: `streams/deletion.py` first cancels a running run and waits for its end.

Rules
-----

1. A thread has at most one running run: a partial unique index on `thread_id` of running runs decides between two
   claims that race for one thread, whatever either of them has read.
2. Every transition is one compare-and-set. A claim writes a fresh lease token; finish, release, discard and every
   checkpoint of the run name it, and change nothing where the run has another token (`LeaseLost`): then another worker
   has the run, and the agent stops without ending the run. A worker never claims a run that it is executing.
3. A transaction locks the thread's row before it decides anything that depends on the thread's other runs, so on
   PostgreSQL, too, no other process changes them meanwhile. (SQLite has one writer.)
4. Cancelling a running run only writes the request (`cancel`) and notifies; the worker that holds the lease acts on it.
   Until then the run may finish, except where a rollback is requested (`RollbackRequested`): then it is discarded.
5. The row is the truth; a notification is only a hint to look. A lost notification costs a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import anyio
from msgspec import structs
from uuid_utils import uuid4, uuid7

from agent_server.access.ownership import Condition
from agent_server.agents import boot_seconds
from agent_server.assistants.assistants import Assistants
from agent_server.broker import Broker
from agent_server.config.webhooks import WebhookPolicy
from agent_server.database import Connection, Database, Row
from agent_server.errors import Conflict, NotFound
from agent_server.observability.metrics import Metrics
from agent_server.runs.creation import InsertedRun, NewRun, insert_on_thread, insert_with_thread
from agent_server.runs.leases import CANCELS, QUEUE, RunLeases
from agent_server.runs.reader import RunReader
from agent_server.runs.records import LATEST, Claim, NewLease, RunChoice, RunOrigin, read_claim, read_run
from agent_server.runs.selection import choose_runs
from agent_server.runs.transitions import Cancelled, cancel_on_thread, lock_thread_if_there, make_way
from agent_server.runs.webhook_outbox import WEBHOOKS
from agent_server.runs.webhook_targets import check_targets
from agent_server.schema import CancelAction, Run, RunCreate, RunsCancel, RunStatus, canonical_id
from agent_server.threads.schema import Ttl
from agent_server.threads.state_updates import thread_channel
from agent_server.threads.threads import insert_thread, save_run_config, touch_thread

FINAL: frozenset[RunStatus] = frozenset({"success", "error", "interrupted", "timeout"})

Begun = tuple[Run, Cancelled]
Inserted = tuple[InsertedRun, Cancelled]


class RunStarter(Protocol):
    """A worker that starts runs that its own process creates, without their way through the queue."""

    lease_seconds: float

    def reserve(self) -> bool:
        """Reserve a slot for one run; return False where none is free, or runs may be waiting in the queue."""

    def start(self, claim: Claim | None) -> bool:
        """Start the claimed run in a reserved slot and return whether that worked; without a claim, free the slot."""


class Runs(RunReader, RunLeases):
    """The table of runs, which is the queue: the clients' operations, with the reads and those of the workers."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        assistants: Assistants,
        webhooks: WebhookPolicy | None = None,
        metrics: Metrics | None = None,
        thread_ttl: Ttl | None = None,
    ) -> None:
        RunReader.__init__(self, database)
        RunLeases.__init__(self, database, broker)
        self._assistants = assistants
        self._webhooks = webhooks or WebhookPolicy()
        self._metrics = metrics or Metrics()
        self._thread_ttl = thread_ttl
        self.starter: RunStarter | None = None
        """This process's worker, which takes new runs while it has nothing else to claim."""

    async def create(
        self,
        body: RunCreate,
        thread_id: str | None,
        origin: RunOrigin,
        owned: Condition | None = None,
        choice: RunChoice = LATEST,
    ) -> Run:
        """Create a pending run and return it, durable; without `thread_id`, on a new temporary thread.

        Errors: `NotFound` for an unknown thread or assistant, `Invalid` for a malformed id, `BadRequest` for `context`
        beside `config.configurable`, `ThreadBusy` where the strategy is `reject` and the thread has another active run.
        """

        def work(choice: RunChoice) -> Callable[[Connection], Inserted]:
            return lambda connection: self._insert(connection, body, thread_id, origin, owned, choice)

        starter = self.starter
        if starter is not None and not body.after_seconds and starter.reserve():
            (row, _), overtaken = await self._create_running(starter, choice, work)
        else:
            (row, _), overtaken = await self._database.write(work(choice))
        await self._announce_created(row, overtaken)
        run = read_run(row)
        run.status = "pending"  # as it was created
        return run

    async def _create_running(
        self, starter: RunStarter, choice: RunChoice, work: Callable[[RunChoice], Callable[[Connection], Inserted]]
    ) -> Inserted:
        """Create a run that the worker starts in its reserved slot, or a pending one where its thread is not free."""
        lease = NewLease(uuid4().hex, starter.lease_seconds)
        until = boot_seconds() + lease.seconds
        claim = None
        try:
            with anyio.CancelScope(shield=True):  # a claim without an attempt blocks its run until the lease expires
                try:
                    inserted, overtaken = await self._database.write(work(structs.replace(choice, lease=lease)))
                except Conflict:  # another process runs the thread, or the run's id is taken, which shows again
                    inserted, overtaken = await self._database.write(work(choice))
            if inserted.row["status"] == "running":
                claim = read_claim(inserted.row, lease.token, lease.seconds, until)
                claim.run.on_new_thread = inserted.on_new_thread
        finally:
            started = starter.start(claim)
        if claim is not None and not started:  # the worker has been stopped meanwhile
            await self.release(claim)
        return inserted, overtaken

    async def _announce_created(self, row: Row, overtaken: Cancelled) -> None:
        if row["status"] == "pending":
            await self._broker.notify(QUEUE)
        await self._broker.notify(thread_channel(row["thread_id"]))
        await self._notify_cancelled(overtaken)

    async def create_many(self, bodies: Sequence[RunCreate], origin: RunOrigin) -> list[Run]:
        """Create pending runs, each on a temporary thread: all or none. Errors as for `create`."""
        runs = await self._database.write(lambda c: [self.insert(c, body, None, origin)[0] for body in bodies])
        await self.announce({})
        return runs

    def insert(
        self,
        connection: Connection,
        body: RunCreate,
        thread_id: str | None,
        origin: RunOrigin,
        owned: Condition | None = None,
        choice: RunChoice = LATEST,
    ) -> Begun:
        """Insert a run as `create` does, inside a transaction; `announce` the cancelled runs once it is durable.

        A thread that does not meet `owned` counts as missing.
        """
        inserted, overtaken = self._insert(connection, body, thread_id, origin, owned, choice)
        return read_run(inserted.row), overtaken

    def _insert(
        self,
        connection: Connection,
        body: RunCreate,
        thread_id: str | None,
        origin: RunOrigin,
        owned: Condition | None,
        choice: RunChoice,
    ) -> Inserted:
        on_thread = canonical_id(thread_id, "thread") if thread_id else str(uuid7())
        temporary = thread_id is None and body.on_completion != "keep"
        ttl = None if temporary else self._thread_ttl
        assistant = self._assistants.resolve(connection, body.assistant_id, choice.assistant_version)
        if self._webhooks.disabled:
            body = structs.replace(body, webhook=None)
            choice = structs.replace(choice, webhook_targets={})
        if body.webhook is not None:
            self._webhooks.check(body.webhook)
        check_targets(self._webhooks, choice.webhook_targets)
        new = NewRun(body, assistant, on_thread, temporary, origin, choice)
        if thread_id is None:
            return insert_with_thread(connection, new, ttl), {}
        if body.if_not_exists == "create":
            insert_thread(connection, on_thread, body.metadata or {}, ttl=ttl)
        thread = touch_thread(connection, on_thread)
        if owned is not None and not owned.is_met(connection, "threads", "thread_id", on_thread):
            raise NotFound(f"Thread with ID {on_thread} not found")
        overtaken = make_way(connection, on_thread, body)
        return insert_on_thread(connection, new, thread), overtaken

    async def announce(self, overtaken: Cancelled, thread_id: str | None = None) -> None:
        """Notify workers and streams of a new run (on this thread), and of the runs that it cancelled."""
        await self._broker.notify(QUEUE)
        if thread_id is not None:
            await self._broker.notify(thread_channel(thread_id))
        await self._notify_cancelled(overtaken)

    async def cancel(self, run_id: str, thread_id: str | None, action: CancelAction) -> None:
        """Cancel the run: a pending run ends at once, a running one as soon as its worker has stopped it.

        Errors: `NotFound` for an unknown run, `Conflict` for one that has ended.
        """
        record = await self.get(run_id, thread_id)
        key = record.run.run_id

        def work(connection: Connection) -> Cancelled:
            cancelled = cancel_on_thread(connection, record.run.thread_id, [key], action)
            if not cancelled:
                raise Conflict(f"Run {key} has already ended; only a pending or a running run can be cancelled")
            return cancelled

        await self._notify_cancelled(await self._database.write(work))

    async def cancel_many(self, which: RunsCancel, action: CancelAction, owned: Condition | None = None) -> list[str]:
        """Cancel all runs that match `which`, in one transaction. Return the ids of those that a worker must stop.

        With `owned`, only runs on threads that meet it. Errors: `NotFound` where none of them is active.
        """
        chosen = choose_runs(which, owned)

        def work(connection: Connection) -> Cancelled:
            cancelled: Cancelled = {}
            for thread_id, run_ids in chosen(connection).items():
                cancelled |= cancel_on_thread(connection, thread_id, run_ids, action)
            if not cancelled:
                raise NotFound("No matching runs to cancel: only pending and running runs can be cancelled")
            return cancelled

        cancelled = await self._database.write(work)
        await self._notify_cancelled(cancelled)
        return [run_id for run_id, ended in cancelled.items() if not ended]

    async def _notify_cancelled(self, cancelled: Cancelled) -> None:
        """Notify the workers of running runs to stop, and close the streams of runs that had not started."""
        for run_id, ended in cancelled.items():
            if ended:
                self._metrics.count_ended_run("interrupted")
                await self._broker.notify(WEBHOOKS)
                await self._broker.close(run_id)
        if not all(cancelled.values()):
            await self._broker.notify(CANCELS)

    async def delete(self, run_id: str, thread_id: str | None) -> None:
        """Delete a run that has ended. Errors: `Conflict` for an active run, `NotFound` for an unknown one."""
        record = await self.get(run_id, thread_id)
        key = record.run.run_id

        def work(connection: Connection) -> None:
            lock_thread_if_there(connection, record.run.thread_id)
            save_run_config(connection, record.run.thread_id, key)
            if not connection.execute(
                "DELETE FROM runs WHERE run_id = :id AND status NOT IN ('pending', 'running')", id=key
            ):
                raise Conflict(f"Run {key} has not ended yet; cancel it first, or wait for its end")

        await self._database.write(work)
