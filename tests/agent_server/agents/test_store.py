"""The store over HTTP and inside graphs, on both databases."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from httpx import Response
from langgraph.config import get_store
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from litestar import Litestar
from litestar.testing import AsyncTestClient
from typing_extensions import TypedDict

from agent_server.agents import open_store
from agent_server.agents.stores.items import Store
from agent_server.agents.stores.schema import ItemSearch
from agent_server.app import create_app
from agent_server.config import Config, ConfigError, StoreTtl
from agent_server.errors import NotFound
from tests.agent_server.backend import until

Client = AsyncTestClient[Litestar]
NS = ["users", "anna"]


class State(TypedDict, total=False):
    found: Any


async def note(_: State) -> State:
    """Use the store as LangGraph's documentation does."""
    store = get_store()
    seen = await store.aget(("users", "anna"), "color")
    await store.aput(("users", "anna"), "noted", {"by": "async"})
    return {"found": seen and seen.value}


def note_in_a_thread(_: State, *, store: BaseStore) -> State:
    store.put(("users", "anna"), "noted", {"by": "sync"})
    return {"found": [item.key for item in store.search(("users",))]}


def graph(node: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    return builder.compile()


def factory(_: Any) -> Any:
    return graph(note)


AGENTS = {"note": graph(note), "sync": graph(note_in_a_thread), "made": factory}


def config_of(database_url: str, directory: Path, ttl: StoreTtl) -> Config:
    url = database_url if database_url.startswith("postgres") else None
    return Config(directory=directory, data_dir=directory / "data", database_url=url, store_ttl=ttl, allow_anyone=True)


@asynccontextmanager
async def serving(database_url: str, directory: Path, **ttl: Any) -> AsyncIterator[Client]:
    app = create_app(config_of(database_url, directory, StoreTtl(**ttl)), agents=AGENTS)
    async with AsyncTestClient(app) as client:
        yield client


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(database_url, tmp_path) as client:
        yield client


async def put(client: Client, key: str, value: Any, namespace: list[str] | None = None, **more: Any) -> None:
    body = {"namespace": namespace or NS, "key": key, "value": value, **more}
    response = await client.put("/store/items", json=body)
    assert (response.status_code, response.content) == (204, b""), response.text


async def get(client: Client, key: str, namespace: str = "users.anna", **more: Any) -> Any:
    response = await client.get("/store/items", params={"namespace": namespace, "key": key, **more})
    assert response.status_code == 200, response.text
    return response.json()


async def search(client: Client, **body: Any) -> list[Any]:
    response = await client.post("/store/items/search", json=body)
    assert response.status_code == 200, response.text
    items: list[Any] = response.json()["items"]
    return items


async def keys(client: Client, **body: Any) -> list[str]:
    return sorted(item["key"] for item in await search(client, **body))


def detail(response: Response, status: int = 422) -> str:
    assert response.status_code == status, response.text
    return str(response.json()["detail"])


async def test_item_is_read_back_as_stored(client: Client) -> None:
    value = {"text": "blå", "list": [1, 2.5, None, True], "nested": {"a": {"b": "c"}}}
    await put(client, "color", value)
    item = await get(client, "color")
    assert list(item) == ["namespace", "key", "value", "created_at", "updated_at"]
    assert (item["namespace"], item["key"], item["value"]) == (NS, "color", value)
    assert item["created_at"].endswith("+00:00")
    several = await client.get("/store/items", params=[("namespace", "users"), ("namespace", "anna"), ("key", "color")])
    assert several.json() == item


async def test_replaced_item_keeps_its_creation_time(client: Client) -> None:
    await put(client, "color", {"n": 1})
    first = await get(client, "color")
    await anyio.sleep(0.01)
    await put(client, "color", {"n": 2})
    second = await get(client, "color")
    assert (second["value"], second["created_at"]) == ({"n": 2}, first["created_at"])
    assert second["updated_at"] > first["updated_at"]


async def test_missing_item_is_null_and_deletable(client: Client) -> None:
    assert await get(client, "nothing") is None
    await put(client, "color", {})
    for _ in range(2):
        response = await client.request("DELETE", "/store/items", json={"namespace": NS, "key": "color"})
        assert (response.status_code, response.content) == (204, b"")
    assert await get(client, "color") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"namespace": ["users.anna"]}, "dots"),
        ({"namespace": []}, "at least one label"),
        ({"namespace": ["a", ""]}, "label"),
        ({"namespace": ["langgraph"]}, "LangGraph's own"),
        ({"namespace": "users"}, "array"),
        ({"key": ""}, "key is empty"),
        ({"key": "k" * 3000}, "bytes"),
        ({"value": [1]}, "object"),
        ({"value": None}, "object"),
        ({"value": {"n": 2**70}}, "64 bits"),
        ({"ttl": 0}, "ttl"),
        ({"ttl": -1}, "ttl"),
        ({"index": True}, "index"),
    ],
)
async def test_unstorable_item_is_refused(client: Client, change: dict[str, Any], message: str) -> None:
    body = {"namespace": NS, "key": "k", "value": {}, **change}
    assert message in detail(await client.put("/store/items", json=body))
    assert await search(client) == []


async def test_a_question_that_is_not_complete_is_refused(client: Client) -> None:
    assert "key is missing" in detail(await client.get("/store/items", params={"namespace": "users"}))
    assert "label" in detail(await client.get("/store/items", params={"namespace": "", "key": "k"}))
    assert "at least one label" in detail(await client.get("/store/items", params={"key": "k"}))
    assert "NUL" in detail(await client.get("/store/items", params={"namespace": "a", "key": "k\0"}))
    assert "no body" in detail(await client.request("DELETE", "/store/items"))
    assert "dots" in detail(await client.post("/store/items/search", json={"namespace_prefix": ["a.b"]}))
    assert "dots" in detail(await client.post("/store/namespaces", json={"suffix": ["a.b"]}))


async def test_empty_search_returns_everything_newest_first(client: Client) -> None:
    for number in range(12):
        await put(client, f"k{number:02}", {"n": number}, ["a", str(number % 2)])
        await anyio.sleep(0.003)
    found = await search(client)
    assert [item["key"] for item in found] == [f"k{number:02}" for number in range(11, 1, -1)]
    assert found[0]["score"] is None
    assert len(await search(client, limit=100)) == 12
    assert [item["key"] for item in await search(client, limit=2, offset=10)] == ["k01", "k00"]
    assert len(await search(client, namespace_prefix=["a", "0"], limit=100)) == 6
    assert await search(client, namespace_prefix=["A"]) == []


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"n": 9}, ["nine"]),
        ({"n": {"$eq": 9}}, ["nine"]),
        ({"n": {"$ne": 9}}, ["none", "odd", "ten", "word"]),
        ({"n": {"$gt": 9}}, ["ten"]),
        ({"n": {"$gte": 9}}, ["nine", "ten"]),
        ({"n": {"$lt": 10}}, ["nine"]),
        ({"n": {"$lte": 9.0, "$gt": -1}}, ["nine"]),
        ({"n": {"$gt": "m"}}, ["word"]),
        ({"n": None}, ["none", "odd"]),
        ({"flag": True}, ["nine"]),
        ({"flag": 1}, ["ten"]),
        ({"flag": {"$ne": True}, "n": {"$gt": 0}}, ["ten"]),
        ({"deep": {"a": [1]}}, ["ten"]),
        ({"list": ["x", 1]}, ["word"]),
        ({"a.b": "dotted"}, ["odd"]),
        ({"n": "9"}, []),
    ],
)
async def test_filters_compare_as_json_does(client: Client, filter: dict[str, Any], expected: list[str]) -> None:
    await put(client, "nine", {"n": 9, "flag": True})
    await put(client, "ten", {"n": 10, "flag": 1, "deep": {"a": [1]}})
    await put(client, "word", {"n": "nine", "list": ["x", 1]})
    await put(client, "none", {"n": None})
    await put(client, "odd", {"a.b": "dotted", "a": {"b": "nested"}})
    assert await keys(client, filter=filter) == expected


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ({"n": {"$near": 1}}, "$near"),
        ({"n": {"$gt": [1]}}, "number or a string"),
        ({"n": {"$gt": None}}, "number or a string"),
        ({"n') OR 1=1 --": 1}, "letters"),
        ({"n": 2**70}, "64 bits"),
    ],
)
async def test_filters_that_mean_nothing_are_refused(client: Client, filter: dict[str, Any], message: str) -> None:
    assert message in detail(await client.post("/store/items/search", json={"filter": filter}))


async def test_namespaces_are_listed_by_beginning_end_and_depth(client: Client) -> None:
    for namespace in (["a", "x", "1"], ["a", "y", "1"], ["ab"], ["b", "x", "2"]):
        await put(client, "k", {}, namespace)

    async def listed(**body: Any) -> list[str]:
        response = await client.post("/store/namespaces", json=body)
        assert response.status_code == 200, response.text
        return [".".join(one) for one in response.json()["namespaces"]]

    assert await listed() == ["a.x.1", "a.y.1", "ab", "b.x.2"]
    assert await listed(prefix=["a"]) == ["a.x.1", "a.y.1"]
    assert await listed(suffix=["1"]) == ["a.x.1", "a.y.1"]
    assert await listed(prefix=["*", "x"]) == ["a.x.1", "b.x.2"]
    assert await listed(max_depth=1) == ["a", "ab", "b"]
    assert await listed(limit=1, offset=1) == ["a.y.1"]


@pytest.mark.parametrize("name", ["note", "made"])
async def test_nodes_and_clients_share_the_store(client: Client, name: str) -> None:
    await put(client, "color", {"is": "blue"})
    response = await client.post("/runs/wait", json={"assistant_id": name, "input": {}})
    assert response.json() == {"found": {"is": "blue"}}
    assert (await get(client, "noted"))["value"] == {"by": "async"}


async def test_sync_node_reaches_the_store_in_a_thread(client: Client) -> None:
    thread_id = (await client.post("/threads", json={})).json()["thread_id"]
    response = await client.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "sync", "input": {}})
    assert response.json() == {"found": ["noted"]}
    assert (await get(client, "noted"))["value"] == {"by": "sync"}


SOON = 0.5 / 60
"""Half a second in minutes."""


async def test_expired_item_is_gone(client: Client) -> None:
    await put(client, "short", {"n": 1}, ttl=SOON)
    await put(client, "long", {"n": 2}, ttl=60)
    assert await keys(client) == ["long", "short"]
    await anyio.sleep(0.6)
    assert await keys(client) == ["long"]
    assert await get(client, "short") is None


async def test_read_renews_the_ttl_unless_refresh_is_off(client: Client) -> None:
    for key in ("read", "seen"):
        await put(client, key, {}, ttl=4 / 60)
    await anyio.sleep(2)
    assert await get(client, "read", refresh_ttl=True) is not None
    assert await get(client, "seen", refresh_ttl=False) is not None
    await anyio.sleep(2.2)
    assert await keys(client, refresh_ttl=False) == ["read"]


async def test_the_configuration_gives_items_their_time(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path, default_ttl=SOON, refresh_on_read=False) as client:
        await put(client, "by default", {})
        await put(client, "for ever", {}, ttl=None)
        await until(lambda: _only(client, "for ever"))


async def _only(client: Client, key: str) -> bool:
    return await keys(client) == [key]


async def test_items_outlive_the_server(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path) as client:
        await put(client, "color", {"is": "blue"})
    async with serving(database_url, tmp_path) as client:
        assert (await get(client, "color"))["value"] == {"is": "blue"}


async def test_a_batch_that_fails_leaves_nothing_behind(sqlite_url: str, tmp_path: Path) -> None:
    async with open_store(config_of(sqlite_url, tmp_path, StoreTtl())) as store:
        assert store is not None
        await store.aput(("a",), "before", {})
        with pytest.raises(ValueError, match="Invalid filter key"):
            await store.asearch((), filter={"a b": 1})
        assert [item.key for item in await store.asearch(())] == ["before"]
    with sqlite3.connect(tmp_path / "data" / "store.db") as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    raw.close()


async def test_concurrent_processes_create_the_tables_once(postgres_url: str, tmp_path: Path) -> None:
    async def start() -> None:
        async with open_store(config_of(postgres_url, tmp_path, StoreTtl())) as store:
            assert store is not None
            await store.aput(("a",), "k", {})

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(start)
    with psycopg.connect(postgres_url) as raw:
        assert raw.execute("SELECT count(*) FROM store").fetchone() == (1,)


async def test_store_without_langgraph_names_the_missing_package() -> None:
    with pytest.raises(NotFound, match=r"agent-server\[langgraph\]"):
        await Store().search(ItemSearch())


@pytest.mark.parametrize(
    ("ttl", "message"),
    [
        ("never", "store.ttl is 'never'"),
        ({"default_ttl": 0}, "default_ttl is 0"),
        ({"refresh_on_read": 1}, "refresh_on_read is 1"),
        ({"sweep_interval_minutes": 0}, "sweep_interval_minutes is 0"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, ttl: Any, message: str) -> None:
    file = tmp_path / "langgraph.json"
    file.write_text(json.dumps({"store": {"ttl": ttl}}))
    with pytest.raises(ConfigError, match=message):
        Config.load(file, {})


def test_the_settings_are_read_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "langgraph.json"
    file.write_text('{"store": {"ttl": {"default_ttl": 30, "refresh_on_read": false, "sweep_interval_minutes": 1}}}')
    assert Config.load(file, {}).store_ttl == StoreTtl(30, False, 1)
    file.write_text('{"store": {"index": null}}')
    assert Config.load(file, {}).store_ttl == StoreTtl()
