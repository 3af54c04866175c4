"""One attempt at a run: the agent streams, every part goes to the run's log, the feedback URLs are made beside it.

The order at the end is what clients rely on: the last events, then `feedback` (before `error`, where the run failed),
then the run's row is finished, and only then is the stream closed. So a stream that ends cleanly is always one of a run
that has ended, and nobody sees a result that a crash could take back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal, cast

import anyio
import structlog
from msgspec import Raw, Struct, field

from agent_server.agents import Agent, Outcome, is_stateful
from agent_server.broker import Broker
from agent_server.errors import Unavailable
from agent_server.json_codec import encode
from agent_server.observability.metrics import Metrics
from agent_server.runs.feedback import FeedbackUrls, feedback_of_project, feedback_token
from agent_server.runs.queue import LeaseLost, Runs
from agent_server.runs.records import Claim, Ending
from agent_server.runs.run_log import RunLog
from agent_server.schema import StreamPart

log = structlog.get_logger("agent_server")

StopReason = Literal["interrupt", "rollback", "lease lost", "shutdown"]


class ServerStopped(Exception):
    """A run lost its server so often that it is thought to be the cause."""


class AttemptContext(Struct):
    """What attempts need of the house."""

    runs: Runs
    broker: Broker
    feedback: FeedbackUrls | None
    feedback_on_error: bool
    mint_timeout: float
    feedback_custom_event: bool = False
    """Whether the URLs also come as a `custom` event, before the `feedback` one."""
    metrics: Metrics = field(default_factory=Metrics)


class Attempt:
    """One claim being worked on."""

    def __init__(self, claim: Claim, agent: Agent, context: AttemptContext) -> None:
        self.claim = claim
        self.run = claim.run
        self._agent = agent
        self._context = context
        self._scope = anyio.CancelScope()
        self._stop_reason: StopReason | None = None
        self._log = RunLog(claim, context.broker)
        self._has_spoken = False
        self._began = time.perf_counter()
        self._urls: dict[str, str] | None = None
        self._minted = anyio.Event()

    def stop(self, reason: StopReason) -> None:
        """Make the agent stop; the first reason counts."""
        if self._stop_reason is None:
            self._stop_reason = reason
            self._scope.cancel()

    async def work(self) -> None:
        """Run the agent to its end, or to its being stopped, and write down which."""
        try:
            if self.claim.cancel:
                self.stop(self.claim.cancel)
            async with anyio.create_task_group() as beside:
                feedback = feedback_of_project(self._context.feedback, self.claim.project)
                if self.run.kwargs.feedback_keys and feedback is not None:
                    beside.start_soon(self._mint, feedback, self.run.kwargs.feedback_keys)
                ending = await self._run_agent()
                await self._end(ending)
                beside.cancel_scope.cancel()
        except* LeaseLost:
            log.warning("lease_lost")
        finally:
            self._context.metrics.run_worked(self.run.graph_id, time.perf_counter() - self._began)

    async def _run_agent(self) -> Ending | None:
        """How the agent ended; nothing where it was stopped."""
        token = feedback_token(self._context.feedback, self.run.run_id, self.claim.project)
        about = {"run_id": self.run.run_id, "attempt": self.run.attempt}
        await self._log.publish(StreamPart("metadata", {**about, "feedback_token": token} if token else about))
        if self.claim.exhausted:
            return _failure(
                ServerStopped("The server stopped in the middle of this run too often; it is not tried again")
            )
        outcome = Outcome(None)
        try:
            with self._scope:
                stream = cast(AsyncGenerator[StreamPart | Outcome, None], self._agent.stream(self.run))
                async with aclosing(stream):
                    async for part in stream:
                        if isinstance(part, Outcome):
                            outcome = part
                        else:
                            self._count_first_event()
                            await self._log.publish(part)
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and _cancelled():
                raise
            log.info("run_failed", error=type(error).__name__, exc_info=error)
            return _failure(error, await self._values_now())
        return None if self._scope.cancelled_caught else _success(outcome)

    async def _end(self, ending: Ending | None) -> None:
        if self._stop_reason is not None and (ending is None or ending.status != "success"):
            await self._stopped(self._stop_reason)
        elif ending is not None:
            await self._publish_last(ending)
            await self._finish(ending)

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
                await self._context.runs.finish(self.claim, ending)
                break
            except Unavailable as error:  # until the database returns, the lease is lost, or the server stops
                log.error("run_not_finished_yet", error=str(error))
                if self._stop_reason == "shutdown":
                    raise
                await anyio.sleep(1)
        self._context.metrics.run_ended(ending.status)
        await self._log.tell_end(ending)
        await self._context.broker.close(self.run.run_id)
        log.info("run_finished", status=ending.status)

    async def _stopped(self, reason: StopReason) -> None:
        log.info("run_stopped", reason=reason)
        if reason == "interrupt":
            values = await self._values_now()
            await self._finish(Ending("interrupted", "interrupted", values, output=values))
        elif reason == "rollback":
            await self._roll_back()
        elif reason == "shutdown":
            await self._context.runs.release(self.claim)

    async def _roll_back(self) -> None:
        if not self.run.kwargs.temporary and is_stateful(self._agent):
            await self._agent.forget_run(self.run.thread_id, self.run.run_id)
        await self._context.runs.discard(self.claim, await self._values_now() or b"null")
        self._context.metrics.run_ended("rollback")
        await self._log.tell_rollback()
        await self._context.broker.close(self.run.run_id)

    async def _values_now(self) -> bytes | None:
        """The thread's values after an agent was stopped on its way, where it keeps any."""
        if self.run.kwargs.temporary or not is_stateful(self._agent):
            return None
        state = await self._agent.state(self.run.thread_id, None, False)
        return encode(state["values"]) if state.get("checkpoint") else None

    def _count_first_event(self) -> None:
        if not self._has_spoken and self.claim.waited is not None:
            seconds = self.claim.waited + time.perf_counter() - self._began
            self._has_spoken = True
            self._context.metrics.run_spoke(self.run.graph_id, seconds)

    async def _publish_feedback(self) -> None:
        if not self.run.kwargs.feedback_keys or self._context.feedback is None:
            return
        with anyio.move_on_after(self._context.mint_timeout) as waiting:
            await self._minted.wait()
        if waiting.cancelled_caught:
            log.warning("feedback_urls_late", waited_seconds=self._context.mint_timeout)
        if self._urls is not None:
            if self._context.feedback_custom_event:
                await self._log.publish(StreamPart("custom", {"feedback": self._urls}))
            await self._log.publish(StreamPart("feedback", self._urls))

    async def _mint(self, feedback: FeedbackUrls, keys: list[str]) -> None:
        try:
            self._urls = await feedback.urls_for_run(self.run.run_id, keys, self.claim.base_url)
        except Exception as error:
            log.warning("feedback_urls_not_minted", error=type(error).__name__, exc_info=error)
        finally:
            self._minted.set()


_UNSAID: dict[type[BaseException], str] = {
    asyncio.CancelledError: "Something that the agent waited for was cancelled, though nobody cancelled the run",
}
"""What exceptions mean that mostly come without a text."""


def _cancelled() -> bool:
    """Whether it is us whom somebody cancels, rather than something that the agent waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _failure(error: BaseException, values: bytes | None = None) -> Ending:
    """What clients see of an exception, in the official server's words; the thread has the values it had got to."""
    shown = {"error": type(error).__name__, "message": str(error) or _UNSAID.get(type(error), "")}
    return Ending("error", "error", values, error=encode(shown))


def _success(outcome: Outcome) -> Ending:
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
        output=_with_interrupts(outcome.values, waiting_for) if waiting_for else values,
        interrupts=encode(outcome.interrupts),
    )


def _with_interrupts(values: Any, waiting_for: list[dict[str, Any]]) -> bytes:
    """The official server's answer of a run that waits for somebody: its values, and what it waits for."""
    return encode({**(values if isinstance(values, dict) else {"__value__": values}), "__interrupt__": waiting_for})
