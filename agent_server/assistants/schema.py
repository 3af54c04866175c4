"""Assistants on the wire, in the official SDK's own names.

Shapes were looked up in `langgraph_sdk.schema` 0.4.14 and in the OpenAPI document of the official server (0.16.7).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct

from agent_server.schema import JsonObject, Limit, Offset

AssistantField = Literal[
    "assistant_id",
    "graph_id",
    "name",
    "description",
    "config",
    "context",
    "created_at",
    "updated_at",
    "metadata",
    "version",
]


class Assistant(Struct):
    """A graph with a configuration; every change of it is a version."""

    assistant_id: str
    graph_id: str
    config: Raw
    context: Raw
    metadata: Raw
    name: str
    created_at: str
    updated_at: str
    version: int
    description: str | None


class AssistantVersion(Struct):
    """What an assistant was at one of its versions."""

    assistant_id: str
    version: int
    graph_id: str
    config: Raw
    context: Raw
    metadata: Raw
    created_at: str
    name: str
    description: str | None


class AssistantCreate(Struct):
    """The body of `POST /assistants`. `config.configurable` and `context` mirror each other; only one may be given."""

    graph_id: str
    assistant_id: str | None = None
    config: JsonObject | None = None
    context: JsonObject | None = None
    metadata: JsonObject | None = None
    if_exists: Literal["raise", "do_nothing"] | None = None
    name: str | None = None
    description: str | None = None


class AssistantPatch(Struct):
    """The body of `PATCH /assistants/{id}`: metadata is merged key by key, the rest is replaced where it is given."""

    graph_id: str | None = None
    config: JsonObject | None = None
    context: JsonObject | None = None
    metadata: JsonObject | None = None
    name: str | None = None
    description: str | None = None


class AssistantFilter(Struct):
    """Which assistants `POST /assistants/count` counts: those that have all of `metadata`, with `name` in their name,
    whatever the case."""

    metadata: JsonObject | None = None
    graph_id: str | None = None
    name: str | None = None


class AssistantSearch(AssistantFilter):
    """What `POST /assistants/search` looks for, and how much of it to show in which order."""

    limit: Limit = 10
    offset: Offset = 0
    sort_by: Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"] | None = None
    sort_order: Literal["asc", "desc"] | None = None
    select: list[AssistantField] | None = None


class VersionSearch(Struct):
    """The body of `POST /assistants/{id}/versions`."""

    metadata: JsonObject | None = None
    limit: Limit = 10
    offset: Offset = 0


class VersionChange(Struct):
    """The body of `POST /assistants/{id}/latest`."""

    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]


class GraphSchema(Struct):
    """The JSON schemas of a graph; null where the graph has none."""

    graph_id: str
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    state_schema: dict[str, Any] | None = None
    config_schema: dict[str, Any] | None = None
    context_schema: dict[str, Any] | None = None


class SubgraphSchema(Struct):
    """The JSON schemas of a subgraph; null where it has none."""

    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    state_schema: dict[str, Any] | None = None
    config_schema: dict[str, Any] | None = None
    context_schema: dict[str, Any] | None = None


class DrawnGraph(Struct):
    """A graph to draw: its nodes (`id`, `type`, `data`), and its edges (`source`, `target`, `conditional`)."""

    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]
