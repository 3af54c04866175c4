"""Wire types of the store, in the official SDK's names.

The shapes follow `langgraph_sdk.schema` 0.4.14 and the OpenAPI document of the official server (0.16.7).
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from agent_server.schema import JsonObject, Offset

Namespace = list[str]
Minutes = Annotated[float, Meta(gt=0, le=52_560_000, description="Minutes")]
ItemLimit = Annotated[int, Meta(ge=1, le=10_000)]


class ItemPut(Struct):
    """The body of `PUT /store/items`."""

    namespace: Namespace
    key: str
    value: JsonObject
    index: bool | list[str] | None = None
    """False excludes the item from semantic search; a list names the fields to index."""
    ttl: Minutes | UnsetType | None = UNSET
    """The item's lifetime in minutes; null keeps it for ever, and without it the server's default applies."""


class ItemDelete(Struct):
    """The body of `DELETE /store/items`."""

    namespace: Namespace
    key: str


class ItemSearch(Struct):
    """The body of `POST /store/items/search`. `filter` has values that the items' must equal, or operators: `$eq`,
    `$ne`, `$gt`, `$gte`, `$lt`, `$lte`."""

    namespace_prefix: Namespace | None = None
    filter: JsonObject | None = None
    limit: ItemLimit | None = None
    offset: Offset | None = None
    query: str | None = None
    refresh_ttl: bool | None = None


class NamespaceSearch(Struct):
    """The body of `POST /store/namespaces`. The label `*` matches any."""

    prefix: Namespace | None = None
    suffix: Namespace | None = None
    max_depth: Annotated[int, Meta(ge=1, le=1000)] | None = None
    limit: ItemLimit | None = None
    offset: Offset | None = None


class Item(Struct):
    """A value under a key in a namespace."""

    namespace: Namespace
    key: str
    value: dict[str, Any]
    created_at: str
    updated_at: str


class FoundItem(Item):
    """An item with its similarity score, after a semantic search."""

    score: float | None


class Items(Struct):
    """The items of a search, most recently changed first."""

    items: list[FoundItem]


class Namespaces(Struct):
    """Namespaces, sorted by their labels."""

    namespaces: list[Namespace]
