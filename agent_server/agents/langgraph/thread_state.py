"""Convert a LangGraph snapshot to the SDK's `ThreadState`.

The shapes follow `langgraph_sdk.schema` 0.4.14 and responses of the official server (langgraph-api 0.16.7).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.types import Interrupt, PregelTask, StateSnapshot


def thread_state(snapshot: StateSnapshot) -> dict[str, Any]:
    """Return the snapshot in the SDK's shape; without a checkpoint, all fields are empty or null."""
    checkpoint = read_checkpoint(snapshot.config)
    parent = read_checkpoint(snapshot.parent_config)
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


def public_config(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the config of a checkpoint for clients: without the run's user."""
    return None if config is None else {**config, "configurable": _without_auth(config.get("configurable", {}))}


def _metadata(snapshot: StateSnapshot) -> dict[str, Any]:
    return {**_without_auth(snapshot.metadata or {}), "thread_id": snapshot.config["configurable"]["thread_id"]}


def _without_auth(named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if not name.startswith("langgraph_auth_")}


def read_checkpoint(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a config's `{checkpoint_id, thread_id, checkpoint_ns}`, or None where it has no checkpoint.

    A subgraph's also has `checkpoint_map`: the checkpoints of the graphs around it.
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
    """Return `{"id", "value"}`, the shape of interrupts in threads and their states."""
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
    """Return the reference to the state of a task's subgraph: `{thread_id, checkpoint_ns}`."""
    return dict(state["configurable"]) if isinstance(state, dict) else None
