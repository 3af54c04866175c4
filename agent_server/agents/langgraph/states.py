"""The states of a thread that a LangGraph graph keeps: read, told of one by one, and changed from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeAlias

import msgspec
from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.types import StateSnapshot
from langgraph.types import StateUpdate as GraphUpdate

from agent_server.agents.checkpoints.saver import Checkpointer
from agent_server.agents.langgraph.command import command_of
from agent_server.agents.langgraph.thread_state import thread_state
from agent_server.agents.protocol import HistoryQuery
from agent_server.database.containment import json_contains
from agent_server.errors import AgentServerError, BadRequest, NotFound
from agent_server.json_codec import encode
from agent_server.schema import JsonObject, StateUpdate

Graph: TypeAlias = Pregel[Any, Any, Any, Any]

PAGE = 100
"""How many states are read at once while most of them may not be wanted."""


def thread_config(thread_id: str, checkpoint: JsonObject | None) -> RunnableConfig:
    """The config that names a thread's state: at `checkpoint`, or the latest."""
    given = checkpoint or {}
    named = {key: given[key] for key in ("checkpoint_id", "checkpoint_map") if given.get(key)}
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": given.get("checkpoint_ns") or "", **named}}


async def state_at(graph: Graph, checkpointer: Checkpointer, config: RunnableConfig, subgraphs: bool) -> dict[str, Any]:
    """The thread's state. `NotFound` where `config` names a checkpoint that is not there."""
    try:
        snapshot = await graph.aget_state(config, subgraphs=subgraphs)
    except Exception:  # from a reducer that does not take what a task has written
        if (last := await checkpointer.aget_tuple(config)) is None:
            raise
        snapshot = await graph.aget_state(last.config)  # as it was saved, without the tasks' writes
    _check_found(snapshot, config)
    return thread_state(snapshot)


async def states(graph: Graph, config: RunnableConfig, query: HistoryQuery) -> list[dict[str, Any]]:
    """The thread's states that fit `query`, the newest first."""
    found: list[dict[str, Any]] = []
    wanted = msgspec.json.encode(query.metadata).decode() if query.metadata else None
    async for snapshot in _pages(graph, config, query):
        if wanted is None or json_contains(encode(snapshot.metadata or {}).decode(), wanted):
            found.append(thread_state(snapshot))
        if len(found) == query.limit:
            break
    return found


async def _pages(graph: Graph, config: RunnableConfig, query: HistoryQuery) -> AsyncIterator[StateSnapshot]:
    size = PAGE if query.metadata else query.limit
    before = query.before
    while True:
        cursor: RunnableConfig | None = {"configurable": {"checkpoint_id": before}} if before else None
        page = [one async for one in graph.aget_state_history(config, before=cursor, limit=size)]
        for snapshot in page:
            yield snapshot
        if len(page) < size:
            return
        before = page[-1].config["configurable"]["checkpoint_id"]


async def updated(
    graph: Graph, checkpointer: Checkpointer, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]
) -> dict[str, Any]:
    """The checkpoint that the updates led to, in the SDK's shape. For errors see `StatefulAgent.update_state`."""
    if "checkpoint_id" in config["configurable"]:
        _check_found(await graph.aget_state(config), config)
    before = await checkpointer.aget_tuple(config)
    try:
        made = await graph.abulk_update_state(config, [[_update(one) for one in step] for step in supersteps])
    except AgentServerError:
        raise
    except Exception as error:  # LangGraph's own refusals, and whatever a graph's reducers raise
        if before is not None:  # it writes before it tries: what it wrote would be in the way of all that follows
            kept = {(task_id, channel) for task_id, channel, _ in before.pending_writes or ()}
            await checkpointer.forget_writes(before.config, kept)
        raise BadRequest(_first_line(error)) from error
    return {name: value for name, value in made["configurable"].items() if name in _SHOWN}


_SHOWN = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map")


def _update(update: StateUpdate) -> GraphUpdate:
    values: Any = update.values if update.command is None else command_of(update.command)
    return GraphUpdate(values, update.as_node)


def _first_line(error: Exception) -> str:
    """What was wrong with an update, without the pointer into LangGraph's documentation."""
    lines = [line for line in str(error).splitlines() if line and not line.startswith("For troubleshooting")]
    text = lines[0] if lines else type(error).__name__
    known = type(error).__module__.startswith("langgraph.") or isinstance(error, ValueError)
    return text if known else f"The graph does not take these values: {type(error).__name__}: {text}"


def _check_found(snapshot: StateSnapshot, config: RunnableConfig) -> None:
    named = config["configurable"].get("checkpoint_id")
    if named and snapshot.created_at is None:
        raise NotFound(f"Checkpoint {named} not found on thread {config['configurable']['thread_id']}")
