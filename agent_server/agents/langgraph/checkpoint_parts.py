"""Convert checkpoints for the stream modes `checkpoints` and `debug`.

The shapes follow the official server (langgraph-api 0.16.7).
"""

from __future__ import annotations

from typing import Any

from agent_server.agents.langgraph.thread_state import public_config, read_checkpoint


def checkpoint_part(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a `checkpoints` event: the graph's payload without the run's user."""
    return {
        **payload,
        "config": public_config(payload["config"]),
        "parent_config": public_config(payload["parent_config"]),
    }


def debug_part(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a `debug` event, which adds the names of checkpoints, including those of subgraphs."""
    if data["type"] != "checkpoint":
        return data
    payload = data["payload"]
    named = {
        "checkpoint": read_checkpoint(payload["config"]),
        "parent_checkpoint": read_checkpoint(payload["parent_config"]),
        "tasks": [_add_checkpoint(task) for task in payload["tasks"]],
    }
    return {**data, "payload": checkpoint_part(payload) | named}


def _add_checkpoint(task: dict[str, Any]) -> dict[str, Any]:
    """Return the task; a subgraph's has `checkpoint`, a reference to its state, instead of `state`."""
    if not isinstance(state := task.get("state"), dict) or "configurable" not in state:
        return task
    return {**{name: value for name, value in task.items() if name != "state"}, "checkpoint": state["configurable"]}
