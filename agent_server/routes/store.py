"""`/store`: values that outlive threads."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from agent_server.agents.stores.items import Store
from agent_server.agents.stores.schema import Item, ItemDelete, ItemPut, Items, ItemSearch, Namespaces, NamespaceSearch
from agent_server.errors import Invalid


@put("/store/items", tags=["store"], status_code=204)
async def put_item(data: JSONBody[ItemPut], item_store: NamedDependency[Store]) -> None:
    """Store a value; it is durable when the response arrives."""
    await item_store.put(data)


@get("/store/items", tags=["store"])
async def get_item(
    item_store: NamedDependency[Store],
    key: Annotated[str | None, QueryParameter(description="The item's key; required.")] = None,
    namespace: Annotated[
        list[str] | None, QueryParameter(description="The labels, joined by dots or as several parameters.")
    ] = None,
    refresh_ttl: Annotated[bool | None, QueryParameter(description="Whether its life begins anew.")] = None,
) -> Item | None:
    """Return the item, or null."""
    if key is None:
        raise Invalid("key is missing: name the item's key, as in /store/items?namespace=users.anna&key=name")
    labels = [label for one in namespace or () for label in one.split(".")]
    return await item_store.get(labels, key, refresh_ttl)


@delete("/store/items", tags=["store"], status_code=204)
async def delete_item(data: JSONBody[ItemDelete], item_store: NamedDependency[Store]) -> None:
    """Delete an item if it exists."""
    await item_store.delete(data.namespace, data.key)


@post("/store/items/search", tags=["store"], status_code=200)
async def search_items(data: JSONBody[ItemSearch], item_store: NamedDependency[Store]) -> Items:
    """Return the items in a namespace and below it that match, latest change first."""
    return Items(await item_store.search(data))


@post("/store/namespaces", tags=["store"], status_code=200)
async def list_namespaces(data: JSONBody[NamespaceSearch], item_store: NamedDependency[Store]) -> Namespaces:
    """Return the namespaces that have items."""
    return Namespaces(await item_store.namespaces(data))


HANDLERS = [put_item, get_item, delete_item, search_items, list_namespaces]
