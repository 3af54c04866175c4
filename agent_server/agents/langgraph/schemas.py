"""Describe a LangGraph graph: as nodes and edges, and as JSON schemas.

The shapes follow the official server (langgraph-api 0.16.7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import structlog
from langgraph.pregel import Pregel
from langgraph.pregel.protocol import PregelProtocol
from pydantic import BaseModel, TypeAdapter, create_model

from agent_server.errors import Invalid

AnyGraph: TypeAlias = PregelProtocol[Any, Any, Any, Any]

log = structlog.get_logger("agent_server")


async def draw_graph(graph: AnyGraph, xray: int | bool) -> dict[str, Any]:
    """Return the graph's nodes and edges. Errors: `Invalid` where LangGraph cannot draw it."""
    try:
        shown: dict[str, Any] = (await graph.aget_graph(xray=xray)).to_json()
    except NotImplementedError:
        raise Invalid("This graph cannot be drawn") from None
    for node in shown["nodes"]:
        if isinstance(data := node.get("data"), dict):
            data.pop("id", None)
    return shown


def schemas(graph: AnyGraph) -> dict[str, Any]:
    """Return the JSON schemas of the graph's input, output, state and configuration; null for missing ones."""
    if not isinstance(graph, Pregel):
        return dict.fromkeys(("input_schema", "output_schema", "state_schema", "config_schema", "context_schema"), None)
    return {
        "input_schema": _try_schema(graph, graph.get_input_jsonschema),
        "output_schema": _try_schema(graph, graph.get_output_jsonschema),
        "state_schema": _try_schema(graph, lambda: _state(graph)),
        "config_schema": _try_schema(graph, graph.get_context_jsonschema) or {},
        "context_schema": _try_schema(graph, graph.get_context_jsonschema),
    }


def _try_schema(graph: Pregel[Any, Any, Any, Any], make: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """Return what `make` returns; None where one of the graph's types has no JSON schema."""
    try:
        return make()
    except Exception as error:
        log.info("graph_without_schema", graph=graph.name, error=str(error))
        return None


def _state(graph: Pregel[Any, Any, Any, Any]) -> dict[str, Any]:
    updates = {name: getattr(graph.channels[name], "UpdateType", Any) for name in graph.stream_channels_list}
    fields: dict[str, Any] = {name: _field(update) for name, update in updates.items()}
    model: type[BaseModel] = create_model(graph.get_name("State"), **fields)
    return model.model_json_schema()


def _field(annotation: Any) -> tuple[Any, None]:
    """Return the field of a channel; of any type where the channel's type has no JSON schema."""
    try:
        TypeAdapter(annotation).json_schema()
    except Exception:
        return Any, None
    return annotation, None
