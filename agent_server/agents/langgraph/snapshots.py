"""Read the state of a thread without the graph's validators.

A graph with a Pydantic state validates a node's input whenever LangGraph prepares the node's task, and LangGraph
prepares tasks to build a snapshot. A state that does not validate could then not be read at all, although reading it
is how a user finds out what is wrong. A reducer may refuse a pending write in the same way. So reads use a copy of the
graph whose nodes do not validate; where a reducer still raises, they fall back to the last saved values.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.pregel import Pregel
from langgraph.pregel._algo import PregelTaskWrites, apply_writes, prepare_next_tasks
from langgraph.pregel._checkpoint import achannels_from_checkpoint
from langgraph.pregel._task_status import read_task_statuses
from langgraph.types import Interrupt, PregelTask, StateSnapshot

from agent_server.agents.checkpoints.saver import Checkpointer
from agent_server.errors import BadRequest

Graph: TypeAlias = Pregel[Any, Any, Any, Any]

log = structlog.get_logger("agent_server")

_NO_TASK = "00000000-0000-0000-0000-000000000000"
"""LangGraph's task id for the writes of an input or a command, which have no task."""
_INTERNAL_CHANNELS = ("__", "branch:to:")


def without_validators(graph: Graph) -> Graph:
    """Return a copy of the graph whose nodes accept any state."""
    nodes = {name: node.copy({"mapper": None}) if node.mapper else node for name, node in graph.nodes.items()}
    return graph.copy({"nodes": nodes})


async def read_snapshot(
    graph: Graph, checkpointer: Checkpointer, config: RunnableConfig, subgraphs: bool = False
) -> StateSnapshot:
    """Return the snapshot for `config`; its `created_at` is None where the checkpoint does not exist.

    `graph` comes from `without_validators`. Errors: `BadRequest` where the checkpoint cannot be read at all.
    """
    try:
        snapshot = await graph.aget_state(config, subgraphs=subgraphs)
    except Exception as error:  # from a reducer, or from a subgraph's validators
        return await _read_saved_snapshot(graph, checkpointer, config, error)
    return await _add_commanded_tasks(graph, checkpointer, snapshot)


async def snapshots(
    graph: Graph, checkpointer: Checkpointer, config: RunnableConfig, before: str | None, limit: int
) -> AsyncIterator[StateSnapshot]:
    """Yield the snapshots before the checkpoint `before`, newest first. For `graph` and errors see `read_snapshot`."""
    cursor: RunnableConfig | None = {"configurable": {"checkpoint_id": before}} if before else None
    found = 0
    try:
        async for snapshot in graph.aget_state_history(config, before=cursor, limit=limit):
            is_latest = found == 0 and before is None
            found += 1
            cursor = snapshot.config
            yield await _add_commanded_tasks(graph, checkpointer, snapshot) if is_latest else snapshot
        return
    except Exception as error:
        log.info("history_read_as_saved", error=str(error))
    for saved in await _list_saved(checkpointer, config, cursor, limit - found):
        yield await read_snapshot(graph, checkpointer, saved.config)


def raw_snapshot(saved: CheckpointTuple) -> StateSnapshot:
    """Return a checkpoint's values and waiting interrupts, read without a graph."""
    interrupts = _find_waiting_interrupts(saved)
    tasks = tuple(PregelTask(task_id, "", (), interrupts=several) for task_id, several in interrupts.items())
    return StateSnapshot(
        values={name: value for name, value in saved.checkpoint["channel_values"].items() if _is_public(name)},
        next=(),
        config=saved.config,
        metadata=saved.metadata,
        created_at=saved.checkpoint["ts"],
        parent_config=saved.parent_config,
        tasks=tasks,
        interrupts=tuple(one for several in interrupts.values() for one in several),
    )


async def read_raw_snapshot(checkpointer: Checkpointer, config: RunnableConfig) -> StateSnapshot | None:
    """Return the raw snapshot for `config`, or None. Errors: `BadRequest` where it cannot be read."""
    saved = await _read(checkpointer, config)
    return raw_snapshot(saved) if saved else None


async def _read_saved_snapshot(
    graph: Graph, checkpointer: Checkpointer, config: RunnableConfig, error: Exception
) -> StateSnapshot:
    """Return the snapshot as saved, without the pending writes of tasks."""
    saved = await _read(checkpointer, config)
    if saved is None:
        raise error
    log.info("state_read_as_saved", error=str(error))
    try:
        return await graph.aget_state(saved.config)
    except Exception:  # LangGraph applies the writes of a command or an input in any case
        return raw_snapshot(saved)


async def _read(checkpointer: Checkpointer, config: RunnableConfig) -> CheckpointTuple | None:
    with _explain_unreadable(config):
        return await checkpointer.aget_tuple(config)


async def _list_saved(
    checkpointer: Checkpointer, config: RunnableConfig, before: RunnableConfig | None, limit: int
) -> list[CheckpointTuple]:
    with _explain_unreadable(config):
        return [one async for one in checkpointer.alist(config, before=before, limit=limit)]


@contextmanager
def _explain_unreadable(config: RunnableConfig) -> Iterator[None]:
    """Explain why a checkpoint cannot be deserialized. Errors: `BadRequest`."""
    try:
        yield
    except (ImportError, AttributeError, TypeError, ValueError, NotImplementedError) as error:
        thread_id = config["configurable"]["thread_id"]
        raise BadRequest(
            f"The state of thread {thread_id} cannot be read: {type(error).__name__}: {error}. Its classes, or "
            "checkpointer.serde in langgraph.json, may have changed since it was saved"
        ) from error


async def _add_commanded_tasks(graph: Graph, checkpointer: Checkpointer, snapshot: StateSnapshot) -> StateSnapshot:
    """Return the snapshot with the tasks that a command's `goto` added, where they wait for a response.

    LangGraph prepares a snapshot's tasks before it applies the writes of a command, so it leaves these tasks out.
    """
    saved = await checkpointer.aget_tuple(snapshot.config) if snapshot.next else None
    if saved is None:
        return snapshot
    known = {task.id for task in snapshot.tasks}
    waiting = {task_id: several for task_id, several in _find_waiting_interrupts(saved).items() if task_id not in known}
    if not waiting:
        return snapshot
    names = await _task_names(graph, checkpointer, saved)
    added = [PregelTask(one, names.get(one, ""), (), interrupts=several) for one, several in waiting.items()]
    return snapshot._replace(
        tasks=(*snapshot.tasks, *added),
        next=(*snapshot.next, *(task.name for task in added if task.name)),
        interrupts=(*snapshot.interrupts, *(one for task in added for one in task.interrupts)),
    )


def _find_waiting_interrupts(saved: CheckpointTuple) -> dict[str, tuple[Interrupt, ...]]:
    statuses = read_task_statuses(saved.pending_writes or ())
    return {task_id: status.pending_interrupts for task_id, status in statuses.items() if status.pending_interrupts}


async def _task_names(graph: Graph, checkpointer: Checkpointer, saved: CheckpointTuple) -> dict[str, str]:
    """Return the names of the checkpoint's tasks, by id, once the writes of a command are applied."""
    checkpoint, writes = saved.checkpoint, saved.pending_writes or []
    commanded = [(channel, value) for task_id, channel, value in writes if task_id == _NO_TASK]
    step = saved.metadata.get("step", -1) + 1
    try:
        channels, managed = await achannels_from_checkpoint(
            graph.channels, checkpoint, saver=checkpointer, config=saved.config
        )
        command = PregelTaskWrites((), "__input__", commanded, [])
        apply_writes(checkpoint, channels, [command], checkpointer.get_next_version, graph.trigger_to_nodes)
        tasks = prepare_next_tasks(
            *(checkpoint, writes, graph.nodes, channels, managed, saved.config, step, step + 2), for_execution=False
        )
    except Exception as error:  # from a reducer that rejects the command's writes
        log.info("tasks_without_names", error=str(error))
        return {}
    return {task.id: task.name for task in tasks.values()}


def _is_public(channel: str) -> bool:
    return not channel.startswith(_INTERNAL_CHANNELS)
