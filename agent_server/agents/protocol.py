"""The agent seam: what the worker, and the rooms of threads and assistants, know of an agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol, TypeGuard, runtime_checkable

from msgspec import Struct

from agent_server.schema import JsonObject, RunKwargs, StateUpdate, StreamPart


class GraphSetup(Struct):
    """What a graph is made with, where it is made to read or update a thread: as for the run whose state that is."""

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
    """1 for the first; more when a crash or a restart interrupted the run before. A stateful agent goes on from its
    last checkpoint then, any other starts again."""
    kwargs: RunKwargs
    metadata: dict[str, Any]
    caller: JsonObject | None = None
    """For whom the run is: the user that the application's `auth` said it is, with their `identity`."""

    def graph_setup(self) -> GraphSetup:
        """Return what the run's graph is made with."""
        return GraphSetup(self.graph_id, self.assistant_id, self.kwargs.config, self.kwargs.context)


class Outcome(Struct):
    """What a run came to."""

    values: Any
    """The agent's final values, anything that `encode` takes; without `__interrupt__`."""
    interrupted: bool = False
    """Whether the agent stopped to wait for somebody, rather than because it was done."""
    interrupts: dict[str, list[Any]] = {}
    """What it waits for: `{task_id: [{"id": …, "value": …}]}`; empty where it stopped at a breakpoint."""


class HistoryQuery(Struct):
    """Which of a thread's states to tell of."""

    limit: int
    checkpoint: JsonObject | None = None
    """`{"checkpoint_ns": …}` of the subgraph whose states are wanted; without it the thread's own. One with a
    `checkpoint_id` wants that state alone."""
    before: str | None = None
    """Only states before the checkpoint with this id."""
    metadata: JsonObject | None = None
    """Only states whose metadata have these members."""


@runtime_checkable
class Agent(Protocol):
    """Something that runs."""

    def stream(self, run: AgentRun) -> AsyncIterator[StreamPart | Outcome]:
        """The run's events as they happen, for the stream modes that `run.kwargs` asks for; last, its `Outcome`.

        Closing the iterator stops the work. An exception is the run's failure; its type and text are shown to clients.
        """


@runtime_checkable
class StatefulAgent(Agent, Protocol):
    """An agent that keeps the state of a thread, step by step.

    A `checkpoint` is the SDK's: `{"checkpoint_id", "checkpoint_ns", "checkpoint_map"}`, each of which may be missing:
    without an id the latest, without a namespace that of the thread itself rather than of a subgraph.

    A `setup` is the one that the thread's graph is made with; without it a factory gets no config.
    """

    async def state(
        self, thread_id: str, checkpoint: JsonObject | None, subgraphs: bool, setup: GraphSetup | None = None
    ) -> dict[str, Any]:
        """Return the thread's `ThreadState` in the SDK's shape, at `checkpoint` or now; empty where none was saved.

        Errors: `NotFound` where the thread has no such checkpoint, or the agent no such subgraph; `BadRequest` where
        the state cannot be read.
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
        """Apply the updates from `checkpoint` on and return the checkpoint that they led to.

        The updates of one superstep count as parallel.

        Errors: `NotFound` as for `state`, `BadRequest` where the agent does not take an update.
        """

    async def copy_thread(self, source_id: str, target_id: str) -> None:
        """Keep of the thread `target_id`, of which nothing is kept yet, all that is kept of `source_id`."""

    async def keep_latest(self, thread_id: str) -> None:
        """Delete the thread's past and keep its state. Errors: `Invalid` where the state cannot do without its past."""

    async def storage(self, thread_id: str) -> dict[str, Any]:
        """The bytes that the thread takes, in the sections of the official server's `ThreadStorage`."""

    async def forget_run(self, thread_id: str, run_id: str) -> None:
        """Delete the checkpoints that the run made, as if it had not been."""

    async def forget_thread(self, thread_id: str) -> None:
        """Delete all that is kept of the thread."""

    async def graph(self, config: JsonObject, xray: int | bool) -> dict[str, Any]:
        """The agent's nodes and edges; with `xray` those of subgraphs too, down to that depth."""

    async def schemas(self, config: JsonObject) -> dict[str, Any]:
        """The SDK's `GraphSchema`, without `graph_id`."""

    async def subgraphs(self, config: JsonObject, namespace: str | None, recurse: bool) -> dict[str, Any]:
        """The schemas of the agent's subgraphs by namespace, or of that one only; with `recurse` of theirs too."""


def is_stateful(agent: Agent) -> TypeGuard[StatefulAgent]:
    """Whether the agent keeps the state of threads."""
    return hasattr(agent, "forget_thread")
