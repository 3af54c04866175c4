"""A LangGraph snapshot as the SDK's `ThreadState`.

Shapes were looked up in `langgraph_sdk.schema` 0.4.14 and by asking the official server (langgraph-api 0.16.7).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.types import Interrupt, PregelTask, StateSnapshot


def thread_state(snapshot: StateSnapshot) -> dict[str, Any]:
    """The snapshot in the SDK's shape; where the thread has no checkpoint, all is empty or null."""
    checkpoint = checkpoint_of(snapshot.config)
    parent = checkpoint_of(snapshot.parent_config)
    return {
        "values": snapshot.values,
        "next": list(snapshot.next),
        "tasks": [_task(task) for task in snapshot.tasks],
        "metadata": None if snapshot.metadata is None else _metadata(snapshot),
        "created_at": snapshot.created_at,
        "checkpoint": checkpoint,
        "parent_checkpoint": parent,
        "interrupts": [interrupt_dict(pending) for pending in snapshot.interrupts],
        "checkpoint_id": checkpoint and checkpoint["checkpoint_id"],
        "parent_checkpoint_id": parent and parent["checkpoint_id"],
    }


def shown_config(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The config of a checkpoint as clients see it: all but for whom its run is."""
    return None if config is None else {**config, "configurable": _shown(config.get("configurable", {}))}


def _metadata(snapshot: StateSnapshot) -> dict[str, Any]:
    return {**_shown(snapshot.metadata or {}), "thread_id": snapshot.config["configurable"]["thread_id"]}


def _shown(named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if not name.startswith("langgraph_auth_")}


def checkpoint_of(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """`{checkpoint_id, thread_id, checkpoint_ns}` of a graph's config, or nothing where it names no checkpoint.

    A subgraph's has `checkpoint_map`, too: at which checkpoints the graphs around it were.
    """
    configurable = (config or {}).get("configurable", {})
    if not configurable.get("checkpoint_id"):
        return None
    context = configurable.get("checkpoint_map")
    return {
        "checkpoint_id": configurable["checkpoint_id"],
        "thread_id": configurable["thread_id"],
        "checkpoint_ns": configurable.get("checkpoint_ns", ""),
        **({"checkpoint_map": context} if context else {}),
    }


def interrupt_dict(pending: Interrupt) -> dict[str, Any]:
    """`{"id", "value"}`, as thread states and threads show an interrupt."""
    return {"id": pending.id, "value": pending.value}


def _task(task: PregelTask) -> dict[str, Any]:
    nested = thread_state(task.state) if isinstance(task.state, StateSnapshot) else None
    return {
        "id": task.id,
        "name": task.name,
        "path": list(task.path),
        "error": task.error,
        "interrupts": [interrupt_dict(pending) for pending in task.interrupts],
        "checkpoint": nested["checkpoint"] if nested else _subgraph_checkpoint(task.state),
        "state": nested,
        "result": task.result,
    }


def _subgraph_checkpoint(state: Any) -> dict[str, Any] | None:
    """Where a task's subgraph keeps its state: `{thread_id, checkpoint_ns}`."""
    return dict(state["configurable"]) if isinstance(state, dict) else None
