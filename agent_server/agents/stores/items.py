"""The store: values that outlive threads, which graphs and clients share. LangGraph's store holds them.

LangGraph processes many requests in one batch, and an error in one fails all: so requests are validated first.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from agent_server.agents.stores.filters import OPERATORS, has_operators
from agent_server.agents.stores.opening import open_store
from agent_server.agents.stores.schema import FoundItem, Item, ItemPut, ItemSearch, NamespaceSearch
from agent_server.config import Config
from agent_server.errors import Invalid, NotFound
from agent_server.schema import JsonObject

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

MAX_BYTES = 2000
"""The limit for a namespace and key together, in bytes: the size that PostgreSQL's index takes."""

_FILTER_KEY = re.compile(r"[A-Za-z0-9_.-]{1,200}")


class Store:
    """The items, by namespace and key."""

    def __init__(self) -> None:
        self.langgraph: BaseStore | None = None
        """LangGraph's store while it is open; None where langgraph is not installed."""

    @asynccontextmanager
    async def open(self, config: Config) -> AsyncIterator[None]:
        """Open LangGraph's store for the duration of the block."""
        async with open_store(config) as self.langgraph:
            try:
                yield
            finally:
                self.langgraph = None

    def _open(self) -> BaseStore:
        if self.langgraph is None:
            raise NotFound(
                "This server has no store: it is LangGraph's; pip install 'agent-server[langgraph]' brings it"
            )
        return self.langgraph

    async def put(self, body: ItemPut) -> None:
        """Store or replace the value, durably. Errors: `Invalid` for a value that cannot be stored."""
        store, namespace = self._open(), _address(body.namespace, body.key)
        if body.index is True:
            raise Invalid("index is true; it must be false, a list of fields, or null for the server's own")
        _check_numbers(body.value, "value")
        ttl: dict[str, Any] = {} if body.ttl is UNSET else {"ttl": body.ttl}
        try:
            await store.aput(namespace, body.key, body.value, _paths(body.index), **ttl)
        except NotImplementedError as error:  # an application's own store without ttl
            raise Invalid(str(error)) from None

    async def get(self, namespace: Sequence[str], key: str, refresh_ttl: bool | None) -> Item | None:
        """Return the item, or None, as the official server does: its clients expect no error here."""
        found = await self._open().aget(_address(namespace, key), key, refresh_ttl=refresh_ttl)
        return Item(list(found.namespace), found.key, found.value, *_times(found)) if found else None

    async def delete(self, namespace: Sequence[str], key: str) -> None:
        """Delete the item, if it exists."""
        await self._open().adelete(_address(namespace, key), key)

    async def search(self, query: ItemSearch) -> list[FoundItem]:
        """Return the matching items in the namespace and below it, most recently changed first."""
        found = await self._open().asearch(
            _labels(query.namespace_prefix or (), "namespace_prefix"),
            query=query.query,
            filter=_check_filter(query.filter),
            limit=query.limit or 10,
            offset=query.offset or 0,
            refresh_ttl=query.refresh_ttl,
        )
        return [FoundItem(list(one.namespace), one.key, one.value, *_times(one), one.score) for one in found]

    async def namespaces(self, query: NamespaceSearch) -> list[list[str]]:
        """Return the namespaces that have items, cut to `max_depth` labels."""
        found = await self._open().alist_namespaces(
            prefix=_labels(query.prefix or (), "prefix") or None,
            suffix=_labels(query.suffix or (), "suffix") or None,
            max_depth=query.max_depth,
            limit=query.limit or 100,
            offset=query.offset or 0,
        )
        return [list(one) for one in found]


def _address(namespace: Sequence[str], key: str) -> tuple[str, ...]:
    """Return the namespace of an item as labels. Errors: `Invalid`."""
    labels = _labels(namespace, "namespace")
    if not labels:
        raise Invalid("namespace is empty; an item lies in a namespace of at least one label")
    if labels[0] == "langgraph":
        raise Invalid("The namespace 'langgraph' is LangGraph's own; choose another first label")
    if not key or "\0" in key:
        raise Invalid("key is empty or has a NUL character; an item has a key")
    size = len(".".join([*labels, key]).encode())
    if size > MAX_BYTES:
        raise Invalid(f"namespace and key have {size:,} bytes; together they may have {MAX_BYTES:,}")
    return labels


def _labels(namespace: Sequence[str], where: str) -> tuple[str, ...]:
    for label in namespace:
        if not label or "." in label or "\0" in label:
            raise Invalid(f"{where} has the label {label!r}; a label is not empty and has no dots in it")
    return tuple(namespace)


def _check_filter(given: JsonObject | None) -> JsonObject | None:
    for key, value in (given or {}).items():
        if not _FILTER_KEY.fullmatch(key):
            raise Invalid(f"filter has the key {key!r}; keys are made of letters, digits, and _ . -")
        for name, wanted in value.items() if has_operators(value) else ():
            if name not in OPERATORS:
                raise Invalid(f"filter.{key} has the operator {name!r}; there are {', '.join(OPERATORS)}")
            if name not in ("$eq", "$ne") and (isinstance(wanted, bool) or not isinstance(wanted, (str, int, float))):
                raise Invalid(f"filter.{key}.{name} is {wanted!r}; only a number or a string can be less or greater")
    _check_numbers(given, "filter")
    return given or None


def _check_numbers(value: Any, where: str) -> None:
    """Raise `Invalid` for integers beyond 64 bits, which LangGraph's JSON rejects. (Routes limit a body's depth.)"""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise Invalid(f"{where} has a whole number of more than 64 bits; send it as a string")
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_numbers(one, where)


def _times(item: Any) -> tuple[str, str]:
    return _time(item.created_at), _time(item.updated_at)


def _time(moment: datetime) -> str:
    """Return the time in the server's format; SQLite returns UTC without a zone."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds")


def _paths(index: Any) -> Any:
    """Return the fields to index in LangGraph's form for a single item.

    The whole item is `$` in a store's settings, but the empty path in an item's own list (langgraph 1.2.22): there, `$`
    means a field with the name `$`, which does not exist.
    """
    return ["" if path == "$" else path for path in index] if isinstance(index, list) else index
