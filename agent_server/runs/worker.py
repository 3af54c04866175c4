"""The worker: claims runs, executes them, and renews their leases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from contextvars import Context, copy_context

import anyio
import structlog

from agent_server.agents import Agent, AgentRun, Outcome, boot_seconds
from agent_server.broker import Subscription
from agent_server.errors import AgentServerError
from agent_server.observability.failures import FailureLog
from agent_server.runs.attempt import Attempt, AttemptContext
from agent_server.runs.clock_watch import ClockWatch
from agent_server.runs.leases import CANCELS, QUEUE
from agent_server.runs.records import Claim
from agent_server.schema import CancelAction, StreamPart

log = structlog.get_logger("agent_server")

CLAIM_AT_ONCE = 16
LOOK_SECONDS = 1.0
"""How often an idle worker polls the queue, in seconds: for delayed runs, expired leases and lost notifications."""


class Worker:
    """Claims runs from the queue and executes up to `jobs` of them concurrently."""

    def __init__(
        self, agents: Mapping[str, Agent], context: AttemptContext, jobs: int = 100, lease_seconds: float = 30.0
    ) -> None:
        self._agents = agents
        self._context = context
        self.lease_seconds = lease_seconds
        self.jobs = jobs
        self.at_work: dict[str, Attempt] = {}
        """The active attempts, by run id."""
        self._broken: dict[str, tuple[float, Claim]] = {}
        """Claims of attempts that ended without ending their runs, and when their leases end."""
        self._clock = ClockWatch(context.runs, lease_seconds)
        self._taking: anyio.CancelScope | None = None
        self._patience: anyio.CancelScope | None = None
        """How long active runs may continue after the worker has stopped claiming runs."""
        self._claiming = FailureLog("queue_unreachable")
        self._renewing = FailureLog("leases_not_renewed")
        self._idle = anyio.Event()
        self._drained = anyio.Event()
        self._slots = anyio.Semaphore(jobs)
        self._attempts: asyncio.TaskGroup | None = None
        """Where attempts run, while this worker takes runs. anyio's groups take ten times as long to start a task."""
        self._context_of_attempts = Context()
        self._queue: Subscription | None = None
        self._is_behind = True
        """Whether runs may be waiting in the queue: it had one for every slot, or there is no slot."""

    @property
    def busy(self) -> int:
        """Return the number of active runs."""
        return len(self.at_work)

    async def serve(self) -> None:
        """Work until `stop` is called; then return the active runs to the queue."""
        self._context_of_attempts = copy_context()
        async with anyio.create_task_group() as beside:
            # Runs until all attempts have ended: while stopped agents clean up, their leases must not expire.
            beside.start_soon(self._renew_and_cancel)
            async with asyncio.TaskGroup() as self._attempts:
                with anyio.CancelScope() as self._taking:
                    await self._claim_runs()
                await self._let_attempts_end()
                for attempt in self.at_work.values():
                    attempt.stop("shutdown")
            beside.cancel_scope.cancel()

    def stop(self) -> None:
        """Claim no more runs, and stop the active ones: another worker resumes them from their checkpoints."""
        if self._patience is not None:
            self._patience.cancel()
        if self._taking is not None:
            self._taking.cancel()

    async def drain(self, seconds: float) -> None:
        """Claim no more runs, and return once the active ones have ended; after `seconds`, interrupt the rest."""
        if self._taking is None:
            return
        self._patience = anyio.CancelScope(deadline=anyio.current_time() + seconds)
        self._taking.cancel()
        await self._drained.wait()

    async def _let_attempts_end(self) -> None:
        """Return once no attempt is active, after the time that `drain` allows, or at once after `stop`."""
        self._idle = anyio.Event()
        if self.at_work and self._patience is not None:
            with self._patience:
                await self._idle.wait()
        self._drained.set()

    async def _claim_runs(self) -> None:
        runs = self._context.runs
        async with self._context.broker.listen(QUEUE) as queue:
            self._queue, runs.starter = queue, self
            try:
                while True:
                    taken = await self._take_slots()
                    claims: list[Claim] = []
                    try:
                        await self._abandon_broken()
                        claims = await self._claim_next(taken)
                        for claim in claims:
                            self._begin(claim)
                    finally:
                        for _ in range(taken - len(claims)):
                            self._slots.release()
                    self._is_behind = len(claims) == taken
                    if not self._is_behind:
                        await queue.wait(LOOK_SECONDS)
            finally:
                runs.starter = None
                self._is_behind = True

    async def _take_slots(self) -> int:
        """Take the slots for the next claims, once there is one; return their number.

        Other slots stay free for the runs that this process creates meanwhile.
        """
        self._is_behind |= not self._slots.value
        await self._slots.acquire()
        taken = 1
        while taken < CLAIM_AT_ONCE and self._slots.value:
            self._slots.acquire_nowait()
            taken += 1
        return taken

    def reserve(self) -> bool:
        """Reserve a slot for a run that this process is about to create; return whether one is free.

        While runs may be waiting in the queue, none is: they come first.
        """
        may_wait = self._is_behind or self._queue is None or self._queue.is_notified
        is_free = not may_wait and self._slots.value > 0
        if is_free:
            self._slots.acquire_nowait()
        return is_free

    def start(self, claim: Claim | None) -> bool:
        """Start the claimed run in a slot that was reserved; free the slot where the worker stops, or without a claim.

        Return whether the run was started.
        """
        if claim is not None and self._context.runs.starter is self:
            # in the worker's context, as if claimed from the queue, not in that of the request
            self._context_of_attempts.run(self._begin, claim)
            return True
        self._slots.release()
        return False

    def _begin(self, claim: Claim) -> None:
        """Start an attempt at this claim, registered for `stop` and the next claim before it begins."""
        assert self._attempts is not None
        self._attempts.create_task(self._work_on(self._register(claim)))

    def _register(self, claim: Claim) -> Attempt:
        if claim.waited is not None:
            self._context.metrics.observe_wait(claim.waited)
        agent = self._agents.get(claim.run.graph_id) or _NoAgent()
        attempt = self.at_work[claim.run.run_id] = Attempt(claim, agent, self._context)
        return attempt

    async def _claim_next(self, at_most: int) -> list[Claim]:
        claims: list[Claim] = []
        at_work = self.at_work if await self._clock.look() else None
        try:
            with anyio.CancelScope(shield=True):  # a claim without an attempt blocks its run until the lease expires
                claims = await self._context.runs.claim(at_most, self.lease_seconds, at_work)
            self._claiming.record_success()
        except AgentServerError as error:
            self._claiming.record_failure(error)
            await anyio.sleep(LOOK_SECONDS)
        return claims

    async def _work_on(self, attempt: Attempt) -> None:
        run = attempt.run
        structlog.contextvars.bind_contextvars(  # for the rest of this task, which is the attempt's own
            run_id=run.run_id, thread_id=run.thread_id, graph_id=run.graph_id, attempt=run.attempt
        )
        try:
            await attempt.work()
        except Exception:
            log.exception("attempt_broke_off")
        finally:
            if not attempt.has_written_end:
                self._broken[run.run_id] = (boot_seconds() + self.lease_seconds, attempt.claim)
            self.at_work.pop(run.run_id, None)
            if not self.at_work:
                self._idle.set()
            self._slots.release()

    async def _abandon_broken(self) -> None:
        """End the leases of failed attempts after one lease duration: the runs may be claimed again.

        Leases expire by themselves, except where the clock was set back.
        """
        due = [claim for at, claim in self._broken.values() if at <= boot_seconds()]
        if due:
            with suppress(AgentServerError):  # the next pass tries again
                await self._context.runs.abandon(due)
                for claim in due:
                    del self._broken[claim.run.run_id]

    async def _renew_and_cancel(self) -> None:
        """Renew the leases of active runs, and stop cancelled runs as soon as a notification arrives."""
        async with self._context.broker.listen(CANCELS) as subscription:
            while True:
                renew_at = anyio.current_time() + self.lease_seconds / 3
                while await subscription.wait(max(0.0, renew_at - anyio.current_time())):
                    await self._stop_cancelled()
                    if anyio.current_time() >= renew_at:
                        break
                await self._renew_leases()

    async def _stop_cancelled(self) -> None:
        with suppress(AgentServerError):  # renewing the leases also finds cancelled runs
            for run_id, (attempt_number, wish) in (await self._context.runs.cancel_wishes()).items():
                attempt = self.at_work.get(run_id)
                if attempt and attempt.run.attempt == attempt_number:
                    attempt.stop(wish)

    async def _renew_leases(self) -> None:
        attempts = list(self.at_work.values())
        until = boot_seconds() + self.lease_seconds
        kept = await self._renew(attempts) if attempts else {}
        for attempt in attempts:
            if attempt.run.run_id not in kept:
                attempt.stop("lease lost")
                continue
            attempt.lease.until = max(attempt.lease.until, until)
            if wish := kept[attempt.run.run_id]:
                attempt.stop(wish)

    async def _renew(self, attempts: list[Attempt]) -> dict[str, CancelAction | None]:
        """Renew the leases. Return the runs whose leases are held, each with its requested cancel action or None.

        Returns none where the database does not respond until the leases may have expired: then another worker may have
        the runs, so their agents must stop.
        """
        claims = [attempt.claim for attempt in attempts]
        give_up_at = anyio.current_time() + self.lease_seconds / 3
        while anyio.current_time() < give_up_at:
            try:
                renewed = await self._context.runs.renew(claims, self.lease_seconds)
                self._renewing.record_success()
                return renewed
            except AgentServerError as error:
                self._renewing.record_failure(error)
                await anyio.sleep(LOOK_SECONDS)
        return {}


class GraphNotFound(Exception):
    """The server had the run's graph when the run was created, but no longer has it."""


class _NoAgent:
    """Replaces a removed agent: every run of it fails."""

    async def stream(self, run: AgentRun) -> AsyncIterator[StreamPart | Outcome]:
        raise GraphNotFound(f"This server has no graph {run.graph_id!r} any more")
        yield  # makes this a generator
