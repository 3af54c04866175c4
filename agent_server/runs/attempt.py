"""One attempt at a run: streams the agent, publishes every part to the run's log, mints feedback URLs in parallel.

Clients rely on the order at the end: the last events, then `feedback` (before `error`, where the run failed), then the
end of the run's row, and only then the end of the stream. So a stream that ends cleanly belongs to a run that has
ended, and no client sees a result that a crash could undo.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Literal, cast

import anyio
import structlog
from msgspec import Raw, Struct, field

from agent_server.agents import Agent, LastWrites, Lease, Outcome, is_stateful, set_lease, write_under
from agent_server.agents.node_stacks import find_threaded_nodes
from agent_server.asgi.json_codec import encode
from agent_server.broker import Broker
from agent_server.errors import LeaseLost, Unavailable
from agent_server.observability.metrics import Metrics
from agent_server.runs.agent_task import AgentTask
from agent_server.runs.feedback import FeedbackUrls, RunTokens, feedback_parts
from agent_server.runs.leases import NotStored, RollbackRequested
from agent_server.runs.queue import Runs
from agent_server.runs.records import Claim, Ending
from agent_server.runs.run_log import RunLog
from agent_server.schema import StreamPart

log = structlog.get_logger("agent_server")

StopReason = Literal["interrupt", "rollback", "lease lost", "shutdown"]


_WORKS_ON = (
    "a node that is a plain function (def) cannot be stopped: its thread works to its end, and what it writes from now "
    "on is not stored; make it async to stop it"
)


class ServerStopped(Exception):
    """A run lost its server so often that the run is the probable cause."""


class AttemptContext(Struct):
    """The dependencies and settings that all attempts share."""

    runs: Runs
    broker: Broker
    feedback: FeedbackUrls | None
    tokens: RunTokens
    feedback_on_error: bool
    mint_timeout: float
    feedback_custom_event: bool = False
    """Whether the URLs also arrive as a `custom` event, before the `feedback` one."""
    metrics: Metrics = field(default_factory=Metrics)
    stop_seconds: float = 10.0
    """How long a stopped agent may take to clean up before its run ends without it, in seconds."""
    max_rescues: int = 3
    """How many attempts in a row may lose their server without progress before the run fails."""


class Attempt:
    """One attempt at a claimed run."""

    def __init__(self, claim: Claim, agent: Agent, context: AttemptContext) -> None:
        self.claim = claim
        self.run = claim.run
        self._agent = agent
        self._context = context
        self.lease = self._lease_until(claim.leased_until, context.runs.note_progress if claim.rescues else None)
        self.lease.flush_events = context.broker.flush
        self._task: AgentTask[Ending | None] | None = None
        self._stop_reason: StopReason | None = None
        self._server_stops = False
        self.has_written_end = False
        """Whether this attempt has ended the run or returned it to the queue."""
        self._last_writes: LastWrites | None = None
        """Stores what an agent that has succeeded wrote last, with the run's end."""
        self._log = RunLog(claim, context.broker)
        self._has_published = False
        self._began = time.perf_counter()
        self._urls: dict[str, str] | None = None
        self._minted = asyncio.Event()

    def _lease_until(self, until: float, note_progress: Callable[[Claim], Awaitable[None]] | None = None) -> Lease:
        claim, runs = self.claim, self._context.runs
        return Lease(
            claim.run.run_id,
            claim.lease_token,
            until,
            renew=partial(runs.renew_one, claim),
            lost=partial(self.stop, "lease lost"),
            progressed=partial(note_progress, claim) if note_progress else None,
        )

    def stop(self, reason: StopReason) -> None:
        """Cancel the agent; the first reason determines how the run ends."""
        self._server_stops |= reason == "shutdown"
        if reason == "lease lost":
            self.lease.revoke()
        if self._stop_reason is None:
            self._stop_reason = reason
            if self._task is not None:
                self._name_threaded_nodes()
                self._task.cancel()

    def _name_threaded_nodes(self) -> None:
        for one in find_threaded_nodes():
            if one.run_id == self.run.run_id:
                log.info("node_works_on", graph_id=self.run.graph_id, node=one.node, meaning=_WORKS_ON)

    async def work(self) -> None:
        """Run the agent until it ends or is stopped, and write the outcome."""
        try:
            if self.claim.cancel:
                self.stop(self.claim.cancel)
            if self.run.kwargs.feedback_keys and self._context.feedback is not None:
                async with asyncio.TaskGroup() as beside:
                    minting = beside.create_task(self._mint(self._context.feedback, self.run.kwargs.feedback_keys))
                    await self._run_to_end()
                    minting.cancel()
            else:
                await self._run_to_end()
        except* LeaseLost:
            log.warning("lease_lost")
        finally:
            self._context.metrics.observe_attempt(self.run.graph_id, time.perf_counter() - self._began)

    async def _run_to_end(self) -> None:
        if self.claim.rescues:
            await self._context.broker.rescue(self.run.run_id, self.run.attempt)
        await self._publish_metadata()
        await self._end(await self._run_agent())

    async def _publish_metadata(self) -> None:
        token = self._context.tokens.make(self.run.run_id, self.claim.project)
        about = {"run_id": self.run.run_id, "attempt": self.run.attempt}
        await self._log.publish(StreamPart("metadata", {**about, "feedback_token": token} if token else about))

    async def _run_agent(self) -> Ending | None:
        """Run the agent and wait for it. Return the run's ending, or None where the agent was stopped."""
        if self.claim.rescues >= self._context.max_rescues:
            return _build_failure(
                ServerStopped("The server stopped in the middle of this run too often; it is not tried again")
            )
        if self._stop_reason is not None:
            return None
        self._task = AgentTask(self._agent_ending(), self._context.stop_seconds)
        if has_ended := await self._task.end():
            await self.lease.drain()  # what the agent has written, before the lease is closed
        if self._stop_reason is None:
            self.lease.close()
        else:
            self.lease.revoke()
        await self.lease.drain()
        return self._task.result() if has_ended else None

    async def _agent_ending(self) -> Ending | None:
        """Run the agent, inside its task. Return its ending, or None where it was stopped."""
        set_lease(self.lease)
        try:
            ending = _build_success(await self._outcome())
            self._last_writes = await self.lease.take_deferred()
            return ending
        except asyncio.CancelledError as error:
            # After `stop`, this is the server's own cancellation. Before that, the agent has cancelled itself, or
            # awaited something that another part of it cancelled: a mistake in the agent, so its run fails. The error
            # must not leave this task, because the task's cancellation would look like the server's.
            return _handle_failure(error) if self._stop_reason is None else None
        except LeaseLost:
            return None
        except (Exception, SystemExit) as error:
            # A SystemExit is an agent's `sys.exit()`. asyncio raises one that leaves a task out of the event loop
            # itself, which would end the server and all other runs with it.
            return _handle_failure(error)

    async def _outcome(self) -> Outcome:
        outcome = Outcome(None)
        stream = cast(AsyncGenerator[StreamPart | Outcome, None], self._agent.stream(self.run))
        async with aclosing(stream):
            async for part in stream:
                if isinstance(part, Outcome):
                    outcome = part
                else:
                    self._count_first_event()
                    self.lease.check_open()
                    await self._log.publish(part)
        return outcome

    async def _end(self, ending: Ending | None) -> None:
        if self._stop_reason is not None and not self._outran_stop(ending):
            await self._finish_stopped(self._stop_reason)
        elif ending is not None:
            if ending.status == "error":
                ending.values = await self._values_now()
            await self._publish_last(ending)
            await self._finish(ending)

    def _outran_stop(self, ending: Ending | None) -> bool:
        """Return whether the run succeeded although it was stopped: its work is done, and only a rollback undoes it."""
        return ending is not None and ending.status == "success" and self._stop_reason != "rollback"

    async def _publish_last(self, ending: Ending) -> None:
        failed = ending.status == "error"
        if not failed or self._context.feedback_on_error:
            await self._publish_feedback()
        if failed:
            await self._log.publish(StreamPart("error", Raw(ending.error)))

    async def _finish(self, ending: Ending) -> None:
        ending.last_event = self._log.last_event(ending)
        while True:
            try:
                await self._context.runs.finish(self.claim, ending, self._last_writes)
                break
            except RollbackRequested:
                await self._finish_stopped("rollback")
                return
            except NotStored as error:
                ending = await self._fail_at_end(error.reason)
            except Unavailable as error:  # retry until the database returns, the lease is lost, or the server stops
                log.error("run_not_finished_yet", error=str(error))
                if self._server_stops:
                    raise
                await anyio.sleep(1)
        self.has_written_end = True
        self._context.metrics.count_ended_run(ending.status)
        await self._log.write_end(ending)
        await self._context.broker.close(self.run.run_id)
        log.info("run_finished", status=ending.status)

    async def _fail_at_end(self, error: Exception) -> Ending:
        """Return the ending of a run whose last writes cannot be stored, after its `error` event."""
        self._last_writes = None
        failure = _handle_failure(error)
        failure.values = await self._values_now()
        await self._log.publish(StreamPart("error", Raw(failure.error)))
        failure.last_event = self._log.last_event(failure)
        return failure

    async def _finish_stopped(self, reason: StopReason) -> None:
        log.info("run_stopped", reason=reason)
        if reason == "interrupt":
            values = await self._values_now()
            await self._finish(Ending("interrupted", "interrupted", values, output=values))
        elif reason == "rollback":
            await self._roll_back()
        elif reason == "shutdown":
            await self._context.runs.release(self.claim)
            self.has_written_end = True

    async def _roll_back(self) -> None:
        if not self.run.kwargs.temporary and is_stateful(self._agent):
            confirmed_first = self._lease_until(0)  # the agent's own lease may be closed
            with write_under(confirmed_first):
                await self._agent.forget_run(self.run.thread_id, self.run.run_id)
        await self._context.runs.discard(self.claim, await self._values_now())
        self.has_written_end = True
        self._context.metrics.count_ended_run("rollback")
        await self._log.write_rollback()
        await self._context.broker.close(self.run.run_id)

    async def _values_now(self) -> bytes | None:
        """Return the thread's values as JSON after an agent was stopped or failed; None where it keeps no state.

        Reading state runs users' code (validators, reducers, factories), on which the run's end must not depend: where
        it raises, or takes too long, the thread keeps the values in its row.
        """
        if self.run.kwargs.temporary or not is_stateful(self._agent):
            return None
        try:
            async with asyncio.timeout(self._context.stop_seconds):
                state = await self._agent.state(self.run.thread_id, None, False, self.run.graph_setup())
            return encode(state["values"]) if state.get("checkpoint") else None
        except (Exception, SystemExit) as error:
            log.warning("state_not_read", error=type(error).__name__, exc_info=error)
            return None

    def _count_first_event(self) -> None:
        if not self._has_published and self.claim.waited is not None:
            seconds = self.claim.waited + time.perf_counter() - self._began
            self._has_published = True
            self._context.metrics.observe_first_event(self.run.graph_id, seconds)

    async def _publish_feedback(self) -> None:
        if not self.run.kwargs.feedback_keys or self._context.feedback is None:
            return
        if not self._minted.is_set():
            await self._wait_for_urls()
        if self._urls is not None:
            modes = self.run.kwargs.stream_mode
            for part in feedback_parts(self.run.run_id, self._urls, modes, self._context.feedback_custom_event):
                await self._log.publish(part)

    async def _wait_for_urls(self) -> None:
        with anyio.move_on_after(self._context.mint_timeout) as waiting:
            await self._minted.wait()
        if waiting.cancelled_caught:
            log.warning("feedback_urls_late", waited_seconds=self._context.mint_timeout)

    async def _mint(self, feedback: FeedbackUrls, keys: list[str]) -> None:
        try:
            claim = self.claim
            self._urls = await feedback.urls_for_run(claim.reference, keys, claim.base_url, claim.project)
        except Exception as error:
            log.warning("feedback_urls_not_minted", error=type(error).__name__, exc_info=error)
        finally:
            self._minted.set()


_MESSAGES: dict[type[BaseException], str] = {
    asyncio.CancelledError: "Something that the agent waited for was cancelled, although the run was not",
}
"""The messages of exceptions that usually have none."""


def _handle_failure(error: BaseException) -> Ending:
    log.info("run_failed", error=type(error).__name__, exc_info=error)
    return _build_failure(error)


def _build_failure(error: BaseException) -> Ending:
    """Return the ending of a run that raised, with the error in the official server's wording."""
    shown = {"error": type(error).__name__, "message": str(error) or _MESSAGES.get(type(error), "")}
    return Ending("error", "error", error=encode(shown))


def _build_success(outcome: Outcome) -> Ending:
    values = encode(outcome.values)
    waiting_for = [
        {"value": interrupt["value"], "id": interrupt["id"], "response_schema": None}
        for task in outcome.interrupts.values()
        for interrupt in task
    ]
    return Ending(
        status="success",
        thread_status="interrupted" if outcome.interrupted else "idle",
        values=values,
        output=_add_interrupts(outcome.values, waiting_for) if waiting_for else values,
        interrupts=encode(outcome.interrupts),
    )


def _add_interrupts(values: Any, waiting_for: list[dict[str, Any]]) -> bytes:
    """Return the official server's output of an interrupted run: its values and its interrupts."""
    return encode({**(values if isinstance(values, dict) else {"__value__": values}), "__interrupt__": waiting_for})
