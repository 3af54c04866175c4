"""The agent seam: what the worker knows of an agent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeGuard, runtime_checkable

from msgspec import Struct

from agent_server.schema import RunKwargs, StreamPart


class AgentRun(Struct):
    """One attempt at a run, as an agent sees it."""

    run_id: str
    thread_id: str
    assistant_id: str
    graph_id: str
    attempt: int
    """1 for the first; more when a crash or a restart interrupted the run before. A stateful agent goes on from its
    last checkpoint then, any other starts again."""
    kwargs: RunKwargs
    metadata: dict[str, Any]


class Outcome(Struct):
    """What a run came to."""

    values: Any
    """The agent's final values, anything that `encode` takes; without `__interrupt__`."""
    interrupted: bool = False
    """Whether the agent stopped to wait for somebody, rather than because it was done."""
    interrupts: dict[str, list[Any]] = {}
    """What it waits for: `{task_id: [{"id": …, "value": …}]}`; empty where it stopped at a breakpoint."""


@runtime_checkable
class Agent(Protocol):
    """Something that runs."""

    def stream(self, run: AgentRun) -> AsyncIterator[StreamPart | Outcome]:
        """The run's events as they happen, for the stream modes that `run.kwargs` asks for; last, its `Outcome`.

        Closing the iterator stops the work. An exception is the run's failure; its type and text are shown to clients.
        """


@runtime_checkable
class StatefulAgent(Agent, Protocol):
    """An agent that keeps the state of a thread, step by step."""

    async def state(self, thread_id: str, checkpoint: dict[str, Any] | None, subgraphs: bool) -> dict[str, Any]:
        """The thread's `ThreadState` in the SDK's shape, at `checkpoint` or now."""

    async def forget_run(self, thread_id: str, run_id: str) -> None:
        """Delete the checkpoints that the run made, as if it had not been."""

    async def forget_thread(self, thread_id: str) -> None:
        """Delete all that is kept of the thread."""


def is_stateful(agent: Agent) -> TypeGuard[StatefulAgent]:
    """Whether the agent keeps the state of threads."""
    return hasattr(agent, "forget_thread")
