"""LangGraph graphs as agents (extra `langgraph`; plain agents import none of this).

What a graph's `astream` yields is nearly the wire format; this module names the events as the official server does
(langgraph-api 0.16.7), accumulates `messages`, and determines the run's outcome.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, contextmanager
from typing import Any, TypeAlias, cast

import structlog
from langchain_core.messages import BaseMessage, BaseMessageChunk, message_chunk_to_message
from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore
from langgraph.types import Interrupt, StateSnapshot
from langgraph_sdk.runtime import AccessContext
from msgspec import Raw

from agent_server.agents.checkpoints.saver import Checkpointer
from agent_server.agents.langgraph.checkpoint_parts import checkpoint_part, debug_part
from agent_server.agents.langgraph.config import (
    assistant_config,
    build_latest_config,
    reader_config,
    run_config,
    run_input,
    thread_config,
)
from agent_server.agents.langgraph.context import select_context
from agent_server.agents.langgraph.events import INTERRUPT, Chunk, event_chunks, shorten_messages
from agent_server.agents.langgraph.runtime import Runtime, build_runtime
from agent_server.agents.langgraph.schemas import draw_graph, schemas
from agent_server.agents.langgraph.snapshots import Graph, read_snapshot, without_validators
from agent_server.agents.langgraph.states import raw_state, read_state, states, update_states
from agent_server.agents.langgraph.step_gate import StepGate
from agent_server.agents.langgraph.thread_state import interrupt_dict
from agent_server.agents.lease import current_lease
from agent_server.agents.protocol import AgentRun, GraphSetup, HistoryQuery, Outcome
from agent_server.asgi.json_codec import encode
from agent_server.errors import AgentServerError, BadRequest, Invalid
from agent_server.schema import JsonObject, StateUpdate, StreamPart

log = structlog.get_logger("agent_server")

_HIDDEN = "langsmith:hidden"
"""The tag of runnables that traces and the stream mode `events` hide."""

GraphFactory: TypeAlias = Callable[[RunnableConfig, Runtime], AbstractAsyncContextManager[Graph]]


class LangGraphAgent:
    """A `StatefulAgent` over a compiled graph, or over a factory that builds one for every run.

    Runs on a thread save their state with `checkpointer`, instead of the graph's own. Runs without a thread save none:
    an `interrupt()` ends them, and after a crash they restart.
    """

    def __init__(self, graph: Graph | GraphFactory, checkpointer: Checkpointer, store: BaseStore | None = None) -> None:
        self._checkpointer = checkpointer
        self._shared = {"store": store} if store else {}
        self._factory = None if isinstance(graph, Pregel) else graph
        if isinstance(graph, Pregel):
            self._stateful = graph.copy({"checkpointer": checkpointer, **self._shared})
            self._stateless = graph.copy({"checkpointer": None, **self._shared})
            self._readable = without_validators(self._stateful)

    async def stream(self, run: AgentRun) -> AsyncGenerator[StreamPart | Outcome, None]:
        config = run_config(run)
        async with self._open(config, "threads.create_run", run) as graph:
            given = run_input(run, graph)
            if run.attempt > 1 and graph.checkpointer and (past := await _find_left_off(graph, run)):
                if await _is_over(graph, run, past):
                    for part in _last_parts(run, past):
                        yield part
                    return
                given = None
                config["configurable"].pop("checkpoint_id", None)
            if lease := current_lease():
                config["callbacks"] = [StepGate(lease)]
                lease.empty_thread = run.thread_id if run.on_new_thread else None
                if run.kwargs.durability == "async":
                    lease.defer_writes()
            parts = _Parts(run)
            async with aclosing(_chunks(graph, given, config, run)) as chunks:
                async for chunk in chunks:
                    for part in parts.convert(*chunk):
                        yield part
            yield await _outcome(graph, run, parts)

    async def state(
        self, thread_id: str, checkpoint: JsonObject | None, subgraphs: bool, setup: GraphSetup | None = None
    ) -> dict[str, Any]:
        config = thread_config(thread_id, checkpoint, setup)
        try:
            async with self._open_to_read(config, "threads.read") as graph:
                return await read_state(graph, self._checkpointer, config, subgraphs)
        except AgentServerError:
            raise
        except (Exception, SystemExit) as error:  # from the graph's factory
            log.warning("state_read_without_graph", thread_id=thread_id, exc_info=error)
            if (state := await raw_state(self._checkpointer, config)) is None:
                raise BadRequest(_describe_unmade(error)) from error
            return state

    async def history(
        self, thread_id: str, query: HistoryQuery, setup: GraphSetup | None = None
    ) -> list[dict[str, Any]]:
        config = thread_config(thread_id, query.checkpoint, setup)
        with _explain_unmade():
            async with self._open_to_read(config, "threads.read") as graph:
                return await states(graph, self._checkpointer, config, query)

    async def update_state(
        self,
        thread_id: str,
        supersteps: Sequence[Sequence[StateUpdate]],
        checkpoint: JsonObject | None,
        setup: GraphSetup | None = None,
    ) -> dict[str, Any]:
        config = thread_config(thread_id, checkpoint, setup)
        with _explain_unmade():
            async with self._open_to_read(config, "threads.update") as graph:
                return await update_states(graph, self._checkpointer, config, supersteps)

    async def copy_thread(self, source_id: str, target_id: str) -> None:
        await self._checkpointer.acopy_thread(source_id, target_id)

    async def keep_latest(self, thread_id: str) -> None:
        try:
            await self._checkpointer.aprune([thread_id], strategy="keep_latest")
        except NotImplementedError as error:
            raise Invalid(f"Thread {thread_id} cannot do without its past: {error}") from None

    async def storage(self, thread_id: str) -> dict[str, Any]:
        return (await self._checkpointer.storage(thread_id)).sections()

    async def forget_run(self, thread_id: str, run_id: str) -> None:
        await self._checkpointer.forget_run(thread_id, run_id)

    async def forget_thread(self, thread_id: str) -> None:
        await self._checkpointer.adelete_thread(thread_id)

    async def graph(self, config: JsonObject, xray: int | bool) -> dict[str, Any]:
        with _explain_unmade():
            async with self._open(assistant_config(config), "assistants.read") as graph:
                return await draw_graph(graph, xray)

    async def schemas(self, config: JsonObject) -> dict[str, Any]:
        with _explain_unmade():
            async with self._open(assistant_config(config), "assistants.read") as graph:
                return schemas(graph)

    async def subgraphs(self, config: JsonObject, namespace: str | None, recurse: bool) -> dict[str, Any]:
        with _explain_unmade():
            async with self._open(assistant_config(config), "assistants.read") as graph:
                found = graph.get_subgraphs(namespace=namespace, recurse=recurse)
                return {name: schemas(subgraph) for name, subgraph in found}

    @asynccontextmanager
    async def _open(
        self, config: RunnableConfig, access: AccessContext, run: AgentRun | None = None
    ) -> AsyncIterator[Graph]:
        stateful = run is None or not run.kwargs.temporary
        if self._factory is None:
            yield self._stateful if stateful else self._stateless
        else:
            given = config if run else reader_config(config)
            async with self._factory(given, build_runtime(access, self._shared.get("store"), run)) as graph:
                yield graph.copy({"checkpointer": self._checkpointer if stateful else None, **self._shared})

    @asynccontextmanager
    async def _open_to_read(self, config: RunnableConfig, access: AccessContext) -> AsyncIterator[Graph]:
        """Open the graph for reading or updating a state that its validators may reject."""
        if self._factory is None:
            yield self._readable
        else:
            async with self._open(config, access) as graph:
                yield without_validators(graph)


@contextmanager
def _explain_unmade() -> Iterator[None]:
    """Convert exceptions of a graph's factory into an error that states them. Errors: `BadRequest`."""
    try:
        yield
    except AgentServerError:
        raise
    except (Exception, SystemExit) as error:
        raise BadRequest(_describe_unmade(error)) from error


def _describe_unmade(error: BaseException) -> str:
    return f"The graph cannot be made or read: {type(error).__name__}: {error}"


class _Parts:
    """Converts a run's stream into stream parts, and records what its outcome needs."""

    def __init__(self, run: AgentRun) -> None:
        self.values: Any = None
        self.interrupts: tuple[Interrupt, ...] = ()
        self._modes = frozenset(run.kwargs.stream_mode)
        self._event_streaming = run.kwargs.event_streaming
        self._messages: dict[str | None, BaseMessage] = {}
        self._metadata: dict[str, Any] = {}
        self._encoded_metadata = Raw()

    def convert(self, namespace: tuple[str, ...], mode: str, data: Any) -> list[StreamPart]:
        """Return the parts of one chunk; none where the run did not request its mode."""
        if mode == "values" and not namespace:
            self._remember(data)
        suffix = "".join(f"|{part}" for part in namespace)
        if mode == "messages":
            return self._message(suffix, *data)
        if mode.partition(":")[0] not in self._modes:
            return []
        if mode == "checkpoints" and not self._event_streaming:
            data = checkpoint_part(data)
        elif mode == "debug":
            data = debug_part(data)
        return [StreamPart(mode + suffix, shorten_messages(data) if self._event_streaming else data)]

    def _remember(self, values: Any) -> None:
        if isinstance(values, dict) and INTERRUPT in values:
            self.interrupts += tuple(values[INTERRUPT])
            values = {key: value for key, value in values.items() if key != INTERRUPT}
        self.values = values

    def _message(self, suffix: str, message: BaseMessage, metadata: dict[str, Any]) -> list[StreamPart]:
        parts = []
        if "messages-tuple" in self._modes:
            known = metadata if self._event_streaming else self._encode_metadata(metadata)
            parts.append(StreamPart("messages" + suffix, [message, known]))
        if "messages" in self._modes:
            if message.id not in self._messages:
                parts.append(StreamPart("messages/metadata", {message.id: {"metadata": metadata}}))
            parts.append(self._accumulate(message))
        return parts

    def _encode_metadata(self, metadata: dict[str, Any]) -> Raw:
        """Return the metadata as JSON; all tokens of a model's call come with one object, which is encoded once."""
        if metadata is not self._metadata:
            self._metadata, self._encoded_metadata = metadata, Raw(encode(metadata))
        return self._encoded_metadata

    def _accumulate(self, message: BaseMessage) -> StreamPart:
        so_far = self._messages.get(message.id)
        if not isinstance(message, BaseMessageChunk):
            self._messages[message.id] = message
            return StreamPart("messages/complete", [message])
        whole = so_far + message if isinstance(so_far, BaseMessageChunk) else message
        self._messages[message.id] = whole
        return StreamPart("messages/partial", [message_chunk_to_message(whole)])


async def _chunks(graph: Graph, given: Any, config: RunnableConfig, run: AgentRun) -> AsyncGenerator[Chunk, None]:
    kwargs = run.kwargs
    options: dict[str, Any] = {
        "context": select_context(graph.context_schema, kwargs.context),
        "interrupt_before": kwargs.interrupt_before,
        "interrupt_after": kwargs.interrupt_after,
    }
    if graph.checkpointer:
        options["durability"] = kwargs.durability
    if kwargs.event_streaming:
        async with aclosing(event_chunks(graph, given, config, options)) as chunks:
            async for chunk in chunks:
                yield chunk
        return
    options |= {"stream_mode": _graph_modes(kwargs.stream_mode), "subgraphs": kwargs.subgraphs}
    if "events" not in kwargs.stream_mode:
        async for chunk in graph.astream(given, config, **options):
            yield chunk if kwargs.subgraphs else ((), *chunk)
        return
    async for event in graph.astream_events(given, config, version="v2", **options):
        if event["event"] == "on_chain_stream" and event["run_id"] == run.run_id:
            chunk = event["data"]["chunk"]
            yield chunk if kwargs.subgraphs else ((), *chunk)
        elif _HIDDEN not in event.get("tags", ()):
            yield (), "events", event


def _graph_modes(modes: list[Any]) -> list[str]:
    """Return the graph's modes for a run's modes. They always include values: the last are the run's outcome."""
    requested = {
        "messages" if mode == "messages-tuple" else mode for mode in modes if mode not in ("events", "lifecycle")
    }
    return sorted(requested | {"values"})


async def _find_left_off(graph: Graph, run: AgentRun) -> StateSnapshot | None:
    """Return the thread's state as an earlier attempt at this run left it; None where none had begun.

    The first checkpoint of a run (source "input") already contains the input, and the first one after it the command's
    effects; so a last checkpoint of this run means that neither must be given again.
    """
    state = await _snapshot(graph, build_latest_config(run))
    return state if state.metadata and state.metadata.get("run_id") == run.run_id else None


async def _is_over(graph: Graph, run: AgentRun, state: StateSnapshot) -> bool:
    """Return whether an earlier attempt ended, or reached an interrupt, but could not record it.

    A task that has written leaves `next`, although no checkpoint may contain its writes yet: so the tasks decide.
    """
    waits = any(task.interrupts for task in state.tasks)
    if not state.tasks or (waits and all(task.interrupts or task.result for task in state.tasks)):
        return True
    if _includes_any(state.next, run.kwargs.interrupt_before or graph.interrupt_before_nodes):
        return True
    after = run.kwargs.interrupt_after or graph.interrupt_after_nodes
    if not after or state.parent_config is None:
        return False
    before = await _snapshot(graph, state.parent_config)
    return _includes_any(before.next, after)


async def _snapshot(graph: Graph, config: RunnableConfig) -> StateSnapshot:
    """Return the snapshot for `config`, without the graph's validators, on which a run's end must not depend."""
    return await read_snapshot(without_validators(graph), cast(Checkpointer, graph.checkpointer), config)


def _includes_any(nodes: tuple[str, ...], chosen: Any) -> bool:
    return any(node != "__start__" and (chosen == "*" or node in chosen) for node in nodes)


def _last_parts(run: AgentRun, state: StateSnapshot) -> list[StreamPart | Outcome]:
    outcome = _build_outcome(state)
    parts: list[StreamPart | Outcome] = []
    if "values" in run.kwargs.stream_mode:
        waits = {INTERRUPT: state.interrupts} if state.interrupts and isinstance(state.values, dict) else {}
        parts.append(StreamPart("values", {**state.values, **waits} if waits else state.values))
    return [*parts, outcome]


async def _outcome(graph: Graph, run: AgentRun, parts: _Parts) -> Outcome:
    """Return the outcome of the run. Reads the thread's state only where the run may have stopped before its end."""
    if not graph.checkpointer:
        waits = {pending.id: [interrupt_dict(pending)] for pending in parts.interrupts}
        return Outcome(parts.values, interrupted=bool(waits), interrupts=waits)
    kwargs = run.kwargs
    breakpoints = (
        kwargs.interrupt_before or kwargs.interrupt_after or graph.interrupt_before_nodes or graph.interrupt_after_nodes
    )
    if parts.interrupts or breakpoints or parts.values is None:
        return _build_outcome(await _snapshot(graph, build_latest_config(run)))
    return Outcome(parts.values)


def _build_outcome(state: StateSnapshot) -> Outcome:
    waits = {
        task.id: [interrupt_dict(pending) for pending in task.interrupts] for task in state.tasks if task.interrupts
    }
    return Outcome(state.values, interrupted=bool(state.next), interrupts=waits)
