"""Identify the graph, run and node whose own code a call stack is executing."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

from agent_server.agents.protocol import AgentRun

NODE = "langgraph_node"
FRAMEWORKS = frozenset(
    (
        *sys.stdlib_module_names,
        *("agent_server", "feedback", "langgraph", "langgraph_sdk", "langchain_core", "langsmith"),
        *("aiosqlite", "anyio", "litestar", "msgspec", "ormsgpack", "psycopg", "psycopg_pool", "pydantic"),
        *("pydantic_core", "redis", "sniffio", "sse_starlette", "starlette", "structlog", "typing_extensions"),
        *("uvicorn", "uvloop"),
    )
)
"""Packages whose code runs between the event loop and a graph's own."""
IMPORT_SYSTEM = ("importlib", "_frozen_importlib", "_frozen_importlib_external")


def find_running_node(frames: list[FrameType]) -> dict[str, str] | None:
    """Return the graph, the run and (of LangGraph's graphs) the node whose own code these frames execute.

    The frames start with the innermost. LangGraph runs each node in a task of its own, which has its node in the
    metadata of its `config` (langgraph 1.2.22); what an agent does itself happens below our `stream(run)`. Work of the
    server or of the frameworks on a graph's behalf, such as their first imports, belongs to no graph.
    """
    named = [(at, found) for at, frame in enumerate(frames) if (found := _identify_node(frame))]
    if not named:
        return None
    (_, innermost), (outer, _) = named[0], named[-1]
    return innermost if _is_own_code(frames[outer::-1]) else None


def find_node(frames: list[FrameType]) -> dict[str, str] | None:
    """Return the graph, the run and the node on whose behalf these frames, innermost first, execute anything."""
    return next((found for frame in frames if (found := _identify_node(frame))), None)


def _identify_node(frame: FrameType) -> dict[str, str] | None:
    if named := _read_node_from_config(frame.f_locals.get("config")):
        return named
    if frame.f_code.co_name == "stream" and isinstance(run := frame.f_locals.get("run"), AgentRun):
        return {"graph_id": run.graph_id, "run_id": run.run_id}
    return None


def _read_node_from_config(config: Any) -> dict[str, str] | None:
    metadata = config.get("metadata") if isinstance(config, Mapping) else None
    if not isinstance(metadata, Mapping) or NODE not in metadata:
        return None
    known = {name: str(metadata[name]) for name in ("graph_id", "run_id") if name in metadata}
    return {**known, "node": str(metadata[NODE])}


def _is_own_code(frames: Sequence[FrameType]) -> bool:
    """Return whether the frames, from the outermost, reach code outside the frameworks, except in their imports."""
    reached = calls = False
    for frame in frames:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in IMPORT_SYSTEM:
            return calls  # what an import executes is the work of the code that imports
        calls = package not in FRAMEWORKS
        reached = reached or calls
    return reached
