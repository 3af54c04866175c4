"""Read, list and update the states of a thread of a LangGraph graph."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot
from langgraph.types import StateUpdate as GraphUpdate

from agent_server.agents.checkpoints.saver import Checkpointer
from agent_server.agents.langgraph.command import build_command
from agent_server.agents.langgraph.snapshots import Graph, read_raw_snapshot, read_snapshot, snapshots
from agent_server.agents.langgraph.thread_state import thread_state
from agent_server.agents.protocol import HistoryQuery
from agent_server.asgi.json_codec import encode
from agent_server.database.containment import json_contains
from agent_server.errors import AgentServerError, BadRequest, NotFound
from agent_server.schema import StateUpdate

PAGE = 100
"""Page size while a metadata filter may reject most states."""


async def read_state(
    graph: Graph, checkpointer: Checkpointer, config: RunnableConfig, subgraphs: bool
) -> dict[str, Any]:
    """Return the thread's state. Errors: `NotFound` where `config` has an unknown checkpoint."""
    snapshot = await read_snapshot(graph, checkpointer, config, subgraphs)
    _check_found(snapshot, config)
    return thread_state(snapshot)


async def raw_state(checkpointer: Checkpointer, config: RunnableConfig) -> dict[str, Any] | None:
    """Return the thread's state as saved, without a graph; None where there is none."""
    snapshot = await read_raw_snapshot(checkpointer, config)
    return thread_state(snapshot) if snapshot else None


async def states(
    graph: Graph, checkpointer: Checkpointer, config: RunnableConfig, query: HistoryQuery
) -> list[dict[str, Any]]:
    """Return the thread's states that match `query`, newest first."""
    found: list[dict[str, Any]] = []
    wanted = msgspec.json.encode(query.metadata).decode() if query.metadata else None
    async for snapshot in _pages(graph, checkpointer, config, query):
        if wanted is None or json_contains(encode(snapshot.metadata or {}).decode(), wanted):
            found.append(thread_state(snapshot))
        if len(found) == query.limit:
            break
    return found


async def _pages(
    graph: Graph, checkpointer: Checkpointer, config: RunnableConfig, query: HistoryQuery
) -> AsyncIterator[StateSnapshot]:
    size = PAGE if query.metadata else query.limit
    before = query.before
    while True:
        page = [one async for one in snapshots(graph, checkpointer, config, before, size)]
        for snapshot in page:
            yield snapshot
        if len(page) < size:
            return
        before = page[-1].config["configurable"]["checkpoint_id"]


async def update_states(
    graph: Graph, checkpointer: Checkpointer, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]
) -> dict[str, Any]:
    """Apply the updates; return the new checkpoint in the SDK's shape. Errors: as `StatefulAgent.update_state`."""
    if "checkpoint_id" in config["configurable"]:
        _check_found(await read_snapshot(graph, checkpointer, config), config)
    before = await checkpointer.aget_tuple(config)
    try:
        made = await graph.abulk_update_state(config, [[_update(one, graph) for one in step] for step in supersteps])
    except AgentServerError:
        raise
    except Exception as error:  # LangGraph's own errors, and those of the graph's reducers
        if before is not None:  # LangGraph saves the writes before it applies them: they would block later updates
            kept = {(task_id, channel) for task_id, channel, _ in before.pending_writes or ()}
            await checkpointer.forget_writes(before.config, kept)
        raise BadRequest(_reason(error)) from error
    return {name: value for name, value in made["configurable"].items() if name in _SHOWN}


_SHOWN = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map")


def _update(update: StateUpdate, graph: Graph) -> GraphUpdate:
    values: Any = update.values if update.command is None else build_command(update.command, graph)
    return GraphUpdate(values, update.as_node)


def _reason(error: Exception) -> str:
    """Return why an update failed, without the links to LangGraph's and Pydantic's documentation."""
    lines = [line for line in str(error).splitlines() if line and not line.strip().startswith(_LINKS)]
    text = "\n".join(lines) or type(error).__name__
    known = type(error).__module__.startswith("langgraph.") or isinstance(error, ValueError)
    return text if known else f"The graph does not take these values: {type(error).__name__}: {text}"


_LINKS = ("For troubleshooting", "For further information")


def _check_found(snapshot: StateSnapshot, config: RunnableConfig) -> None:
    named = config["configurable"].get("checkpoint_id")
    if named and snapshot.created_at is None:
        raise NotFound(f"Checkpoint {named} not found on thread {config['configurable']['thread_id']}")
