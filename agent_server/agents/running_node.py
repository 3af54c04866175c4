"""Whose work the frames of a thread are at: the graph's, and which of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from types import FrameType
from typing import Any

from agent_server.agents.protocol import AgentRun

NODE = "langgraph_node"


def named_in(frames: list[FrameType]) -> dict[str, str] | None:
    """The graph, the run and (of LangGraph's graphs) the node that these frames, from the innermost, work for; nothing
    where it is no agent's work.

    LangGraph runs each node in a task of its own, which knows its node from the metadata of its `config` (looked up in
    langgraph 1.2.22); what an agent does itself is done below our `stream(run)`.
    """
    for frame in frames:
        if named := _of_config(frame.f_locals.get("config")):
            return named
        if frame.f_code.co_name == "stream" and isinstance(run := frame.f_locals.get("run"), AgentRun):
            return {"graph_id": run.graph_id, "run_id": run.run_id}
    return None


def _of_config(config: Any) -> dict[str, str] | None:
    metadata = config.get("metadata") if isinstance(config, Mapping) else None
    if not isinstance(metadata, Mapping) or NODE not in metadata:
        return None
    known = {name: str(metadata[name]) for name in ("graph_id", "run_id") if name in metadata}
    return {**known, "node": str(metadata[NODE])}
