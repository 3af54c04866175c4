"""The agent interface: what the worker and the services of threads and assistants know of an agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol, TypeGuard, runtime_checkable

from msgspec import Struct

from agent_server.schema import JsonObject, RunKwargs, StateUpdate, StreamPart


class GraphSetup(Struct):
    """The arguments of a graph's factory for reading or updating a thread: those of the run that made its state."""

    graph_id: str | None = None
    assistant_id: str | None = None
    config: JsonObject = {}
    context: JsonObject | None = None


class AgentRun(Struct):
    """One attempt at a run, as an agent sees it."""

    run_id: str
    thread_id: str
    assistant_id: str
    graph_id: str
    attempt: int
    """1 for the first; more after a crash or a restart interrupted the run. A stateful agent then resumes from its last
    checkpoint, any other restarts."""
    kwargs: RunKwargs
    metadata: dict[str, Any]
    caller: JsonObject | None = None
    """The user of the run as the application's `auth` returned it, with its `identity`."""
    on_new_thread: bool = False
    """Whether it is known that nothing was stored of the thread before this run; then its state need not be read."""

    def graph_setup(self) -> GraphSetup:
        """Return the arguments of the factory for the run's graph."""
        return GraphSetup(self.graph_id, self.assistant_id, self.kwargs.config, self.kwargs.context)


class Outcome(Struct):
    """The result of a run."""

    values: Any
    """The agent's final values, anything that `encode` takes; without `__interrupt__`."""
    interrupted: bool = False
    """Whether the agent stopped to wait for input, rather than because it was done."""
    interrupts: dict[str, list[Any]] = {}
    """The open interrupts: `{task_id: [{"id": …, "value": …}]}`; empty if it stopped at a breakpoint."""


class HistoryQuery(Struct):
    """Selects states of a thread."""

    limit: int
    checkpoint: JsonObject | None = None
    """`{"checkpoint_ns": …}` of the subgraph whose states to return; without it the thread's own. With a
    `checkpoint_id`, only that state."""
    before: str | None = None
    """Only states before the checkpoint with this id."""
    metadata: JsonObject | None = None
    """Only states whose metadata have these members."""


@runtime_checkable
class Agent(Protocol):
    """An agent that can be run."""

    def stream(self, run: AgentRun) -> AsyncIterator[StreamPart | Outcome]:
        """Yield the run's events as they happen, for the stream modes in `run.kwargs`; last, its `Outcome`.

        Closing the iterator stops the work. An exception fails the run; clients see its type and text.
        """


@runtime_checkable
class StatefulAgent(Agent, Protocol):
    """An agent that stores the state of a thread, step by step.

    A `checkpoint` is the SDK's: `{"checkpoint_id", "checkpoint_ns", "checkpoint_map"}`, each optional: without an id
    the latest, without a namespace that of the thread itself rather than of a subgraph.

    `setup` has the arguments for the thread's graph; without it a factory gets no config.
    """

    async def state(
        self, thread_id: str, checkpoint: JsonObject | None, subgraphs: bool, setup: GraphSetup | None = None
    ) -> dict[str, Any]:
        """Return the thread's `ThreadState` in the SDK's shape, at `checkpoint` or the latest; empty if none exists.

        Errors: `NotFound` if the thread has no such checkpoint, or the agent no such subgraph; `BadRequest` if the
        state cannot be read.
        """

    async def history(
        self, thread_id: str, query: HistoryQuery, setup: GraphSetup | None = None
    ) -> list[dict[str, Any]]:
        """Return the thread's states, newest first. Errors: as for `state`."""

    async def update_state(
        self,
        thread_id: str,
        supersteps: Sequence[Sequence[StateUpdate]],
        checkpoint: JsonObject | None,
        setup: GraphSetup | None = None,
    ) -> dict[str, Any]:
        """Apply the updates to `checkpoint` and return the resulting checkpoint.

        The updates of one superstep count as parallel.

        Errors: `NotFound` as for `state`, `BadRequest` if the agent refuses an update.
        """

    async def copy_thread(self, source_id: str, target_id: str) -> None:
        """Copy everything stored of `source_id` to the thread `target_id`, which has nothing stored yet."""

    async def keep_latest(self, thread_id: str) -> None:
        """Delete the thread's history and keep its state. Errors: `Invalid` if the state depends on the history."""

    async def storage(self, thread_id: str) -> dict[str, Any]:
        """Return the thread's size in bytes, in the sections of the official server's `ThreadStorage`."""

    async def forget_run(self, thread_id: str, run_id: str) -> None:
        """Delete the checkpoints of the run, as if it had never happened."""

    async def forget_thread(self, thread_id: str) -> None:
        """Delete everything stored of the thread."""

    async def graph(self, config: JsonObject, xray: int | bool) -> dict[str, Any]:
        """Return the agent's nodes and edges; with `xray` those of subgraphs too, down to that depth."""

    async def schemas(self, config: JsonObject) -> dict[str, Any]:
        """Return the SDK's `GraphSchema`, without `graph_id`."""

    async def subgraphs(self, config: JsonObject, namespace: str | None, recurse: bool) -> dict[str, Any]:
        """Return the schemas of the agent's subgraphs, or of this one, by namespace; `recurse` adds nested ones."""


def is_stateful(agent: Agent) -> TypeGuard[StatefulAgent]:
    """Return whether the agent stores the state of threads."""
    return hasattr(agent, "forget_thread")
