"""Wire types of assistants, in the official SDK's names.

The shapes follow `langgraph_sdk.schema` 0.4.14 and the OpenAPI document of the official server (0.16.7).
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
    """A graph with a configuration; every change creates a version."""

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
    """An assistant at one of its versions."""

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
    """The body of `PATCH /assistants/{id}`: metadata is merged key by key, other given fields are replaced."""

    graph_id: str | None = None
    config: JsonObject | None = None
    context: JsonObject | None = None
    metadata: JsonObject | None = None
    name: str | None = None
    description: str | None = None


class AssistantFilter(Struct):
    """The filter of `POST /assistants/count`: assistants that contain all of `metadata`, and `name` in their name, in
    any case."""

    metadata: JsonObject | None = None
    graph_id: str | None = None
    name: str | None = None


class AssistantSearch(AssistantFilter):
    """The body of `POST /assistants/search`: filter, order, page and fields."""

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
    """A graph for drawing: its nodes (`id`, `type`, `data`), and its edges (`source`, `target`, `conditional`)."""

    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]
