"""Convert a client's SDK `Command` into LangGraph's."""

from __future__ import annotations

from typing import Any

from langgraph.graph import END
from langgraph.types import Command, Send

from agent_server.agents.langgraph.snapshots import Graph
from agent_server.schema import JsonObject

_ROOT = "__root__"
"""The channel of a graph whose state is a single value."""


def build_command(command: JsonObject, graph: Graph) -> Command[Any]:
    """Return LangGraph's command.

    LangGraph silently ignores unknown nodes and forms. Errors: `ValueError` for a `goto` to an unknown node, and for an
    `update` of an unknown form.
    """
    return Command(
        resume=command.get("resume"),
        update=_update(command.get("update"), graph),
        goto=_goto(command.get("goto") or (), graph),
    )


def _update(update: Any, graph: Graph) -> Any:
    if not isinstance(update, list):
        return update
    if all(isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) for one in update):
        return [tuple(one) for one in update]
    if _ROOT not in graph.channels:
        raise ValueError("command.update must be an object, or a list of [key, value] pairs")
    return update


def _goto(target: Any, graph: Graph) -> Any:
    if isinstance(target, (list, tuple)):
        return [_goto(one, graph) for one in target]
    node = target.get("node") if isinstance(target, dict) else target
    if node not in graph.nodes and node != END:
        raise ValueError(f"command.goto has {node!r}; the graph's nodes are {', '.join(sorted(_own_nodes(graph)))}")
    return Send(node, target.get("input")) if isinstance(target, dict) else node


def _own_nodes(graph: Graph) -> list[str]:
    return [name for name in graph.nodes if not name.startswith("__")]
