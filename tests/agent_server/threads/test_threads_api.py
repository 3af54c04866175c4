"""`/threads` over HTTP, on both databases: created, found, changed, copied, pruned, expired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest

from agent_server.agents import open_agents
from agent_server.broker import MemoryBroker
from agent_server.config import Config, ThreadTtlDefaults
from agent_server.database import Database
from agent_server.errors import NotFound
from agent_server.threads.schema import ThreadCreate, Ttl
from agent_server.threads.states import ThreadStates
from agent_server.threads.sweeper import sweep_threads
from agent_server.threads.threads import Threads
from tests.agent_server.api import Api, serving
from tests.agent_server.backend import until
from tests.agent_server.served import served, whole_app

EXPIRING = "SELECT count(*) AS n FROM threads WHERE expires_at IS NOT NULL"


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path) as api:
        yield api


async def found(api: Api, **query: Any) -> list[str]:
    """Return the ids of the threads that a search finds, the oldest first."""
    threads = await api.post("/threads/search", {"sort_order": "asc", **query})
    return [thread["thread_id"] for thread in threads]


async def test_thread_creation_conflicts_unless_if_exists_allows_it(api: Api) -> None:
    thread_id = str(uuid4())
    made = await api.post("/threads", {"thread_id": thread_id, "metadata": {"a": 1}})
    assert (made["thread_id"], made["metadata"], made["status"], made["values"]) == (thread_id, {"a": 1}, "idle", None)
    assert (await api.refusal("POST", "/threads", {"thread_id": thread_id}))[0] == 409
    again = {"thread_id": thread_id, "metadata": {"b": 2}, "if_exists": "do_nothing"}
    assert await api.post("/threads", again) == made


async def test_unknown_and_malformed_ids_are_refused_everywhere(api: Api) -> None:
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {}),
        ("DELETE", "", None),
        ("POST", "/copy", None),
        ("GET", "/storage", None),
        ("GET", "/state", None),
        ("GET", f"/state/{uuid4()}", None),
        ("POST", "/state/checkpoint", {"checkpoint": {}}),
        ("POST", "/state", {"values": {}}),
        ("GET", "/history", None),
        ("POST", "/history", {}),
    ):
        unknown = str(uuid4())
        assert await api.refusal(method, f"/threads/{unknown}{path}", body) == (
            404,
            f"Thread with ID {unknown} not found",
        )
        assert (await api.refusal(method, f"/threads/no-id{path}", body))[0] == 422


async def test_patch_merges_metadata_and_honours_prefer(api: Api) -> None:
    path = f"/threads/{await api.thread(metadata={'a': 1, 'b': 1})}"
    assert (await api.patch(path, {"metadata": {"b": 2}}))["metadata"] == {"a": 1, "b": 2}
    response = await api.send("PATCH", path, {"metadata": {"c": 3}}, Prefer="return=minimal")
    assert (response.status_code, response.content) == (204, b"")
    assert (await api.get(path))["metadata"] == {"a": 1, "b": 2, "c": 3}


async def test_threads_are_found_by_metadata_status_and_ids(api: Api) -> None:
    fresh = await api.thread(metadata={"user": "ann"})
    done = await api.thread("doubling", {"x": 1}, metadata={"user": "ann"})
    waiting = await api.thread("asking", {"x": 1})
    assert await found(api) == [fresh, done, waiting]
    assert await found(api, metadata={"user": "ann"}) == [fresh, done]
    assert await found(api, values={"x": 2, "log": ["double"]}) == [done]
    assert await found(api, values={"x": 9}) == []
    assert await found(api, status="interrupted") == [waiting]
    assert await found(api, ids=[waiting, fresh, str(uuid4())]) == [fresh, waiting]
    assert await api.post("/threads/count", {"metadata": {"user": "ann"}, "status": "idle"}) == 2
    assert await api.post("/threads/count", {"values": {"x": 2}}) == 1
    assert await api.post("/threads/count", {}) == 3


async def test_search_returns_total_and_next_page(api: Api) -> None:
    threads = [await api.thread() for _ in range(5)]
    response = await api.send("POST", "/threads/search", {"limit": 2, "offset": 1, "sort_by": "created_at"})
    assert [thread["thread_id"] for thread in response.json()] == threads[3:1:-1]
    assert (response.headers["x-pagination-total"], response.headers["x-pagination-next"]) == ("5", "3")
    response = await api.send("POST", "/threads/search", {"offset": 1000})
    assert (response.json(), response.headers["x-pagination-total"]) == ([], "5")


async def test_search_sorts_selects_and_extracts(api: Api) -> None:
    first, second = await api.thread("doubling", {"x": 1}), await api.thread()
    await api.patch(f"/threads/{first}", {"metadata": {"touched": True}})
    assert await found(api, sort_by="updated_at") == [second, first]
    assert await found(api, sort_by="thread_id", sort_order="desc") == sorted([first, second], reverse=True)
    extract = {"last": "values.log[-1]", "graph": "metadata.graph_id", "none": "values.log[7].deep", "all": "values"}
    query = {"select": ["thread_id"], "extract": extract, "sort_by": "state_updated_at", "sort_order": "desc"}
    shown = {thread["thread_id"]: thread["extracted"] for thread in await api.post("/threads/search", query)}
    assert shown == {
        first: {"last": "double", "graph": "doubling", "none": None, "all": {"x": 2, "log": ["double"]}},
        second: {"last": None, "graph": None, "none": None, "all": None},
    }


WRONG_SEARCHES: list[dict[str, Any]] = [
    {"extract": {"x": "bogus.x"}},
    {"extract": {"x": "values."}},
    {"extract": {"x": "values.log[0:1]"}},
    {"extract": {str(number): "values" for number in range(11)}},
    {"ids": ["no-id"]},
    {"select": ["bogus"]},
    {"sort_by": "bogus"},
    {"status": "bogus"},
    {"limit": 0},
    {"offset": 10**30},
]


async def test_search_refuses_what_it_cannot_do(api: Api, subtests: pytest.Subtests) -> None:
    for query in WRONG_SEARCHES:
        with subtests.test(query=query):
            assert (await api.refusal("POST", "/threads/search", query))[0] == 422


async def test_copy_has_state_status_and_interrupts(api: Api) -> None:
    source = await api.thread("asking", {"x": 1}, metadata={"user": "ann"})
    original, copy = await api.get(f"/threads/{source}"), await api.post(f"/threads/{source}/copy", None)
    assert copy["thread_id"] != source
    assert copy["status"] == "interrupted"
    same = ("metadata", "values", "status", "interrupts", "error", "config")
    assert {name: copy[name] for name in same} == {name: original[name] for name in same}
    states = await api.get(f"/threads/{copy['thread_id']}/history")
    assert [state["values"] for state in states] == [
        state["values"] for state in await api.get(f"/threads/{source}/history")
    ]
    assert {state["checkpoint"]["thread_id"] for state in states} == {copy["thread_id"]}
    assert {state["metadata"].get("thread_id", copy["thread_id"]) for state in states} == {copy["thread_id"]}
    assert await api.get(f"/threads/{copy['thread_id']}/runs") == []


async def test_copy_goes_its_own_way(api: Api) -> None:
    source = await api.thread("asking", {"x": 1})
    copy = (await api.post(f"/threads/{source}/copy", None))["thread_id"]
    resume = {"assistant_id": "asking", "command": {"resume": 10}}
    assert (await api.post(f"/threads/{copy}/runs/wait", resume))["x"] == 22
    await api.delete(f"/threads/{copy}")
    assert (await api.get(f"/threads/{source}"))["status"] == "interrupted"
    assert (await api.post(f"/threads/{source}/runs/wait", resume))["x"] == 22


async def test_copy_of_a_failed_thread_has_its_error(api: Api) -> None:
    copy = await api.post(f"/threads/{await api.thread('failing', {'x': 1})}/copy", None)
    assert (copy["status"], copy["error"]) == ("error", {"error": "ValueError", "message": "boom é <1>"})


async def test_pruning_deletes_threads_or_their_past(api: Api) -> None:
    gone, stored = await api.thread("doubling", {"x": 1}), await api.thread("asking", {"x": 1})
    await api.post(f"/threads/{stored}/runs/wait", {"assistant_id": "asking", "command": {"resume": 1}})
    before = await api.get(f"/threads/{stored}/state")
    assert await api.post("/threads/prune", {"thread_ids": [gone, gone, str(uuid4())]}) == {"pruned_count": 1}
    assert (await api.refusal("GET", f"/threads/{gone}"))[0] == 404
    latest = {"thread_ids": [stored], "strategy": "keep_latest"}
    assert len(await api.get(f"/threads/{stored}/history")) > 1
    assert await api.post("/threads/prune", latest) == {"pruned_count": 1}
    [state] = await api.get(f"/threads/{stored}/history")
    assert (state["values"], state["next"]) == (before["values"], [])
    given = {"assistant_id": "doubling", "input": {"x": 5}}
    assert (await api.post(f"/threads/{stored}/runs/wait", given))["x"] == 10


async def test_pruned_thread_still_waits_in_its_subgraph(api: Api) -> None:
    thread_id = await api.thread("nested_asking", {"x": 1})
    await api.post("/threads/prune", {"thread_ids": [thread_id], "strategy": "keep_latest"})
    resume = {"assistant_id": "nested_asking", "command": {"resume": 10}}
    assert (await api.post(f"/threads/{thread_id}/runs/wait", resume))["x"] == 22


async def test_pruning_refuses_malformed_ids_and_unknown_strategies(api: Api) -> None:
    assert (await api.refusal("POST", "/threads/prune", {"thread_ids": ["no-id"]}))[0] == 422
    assert (await api.refusal("POST", "/threads/prune", {"thread_ids": [], "strategy": "bogus"}))[0] == 422


async def test_storage_counts_what_the_thread_takes(api: Api) -> None:
    empty = await api.get(f"/threads/{await api.thread()}/storage")
    nothing = {"count": 0, "bytes": 0}
    assert empty["total_bytes"] == 0
    assert (empty["checkpoints"], empty["pending_writes"]) == (nothing, nothing)
    assert empty["channel_values"] == {**nothing, "by_channel": {}}
    full = await api.get(f"/threads/{await api.thread('doubling', {'x': 1})}/storage")
    parts = [full[name] for name in ("checkpoints", "channel_values", "pending_writes")]
    assert full["total_bytes"] == sum(part["bytes"] for part in parts)
    assert full["checkpoints"]["count"] == 3
    channels = full["channel_values"]["by_channel"]
    assert channels["log"]["versions"] >= 1
    assert full["channel_values"]["bytes"] == sum(channel["bytes"] for channel in channels.values())


async def test_ttl_is_shown_on_request_and_renewed(api: Api) -> None:
    path = f"/threads/{await api.thread(ttl={'ttl': 5})}"
    assert "ttl" not in await api.get(path)
    first = (await api.get(f"{path}?include=ttl"))["ttl"]
    assert (first["strategy"], first["ttl_minutes"]) == ("delete", 5)
    await api.patch(path, {"ttl": {"ttl": 60.5, "strategy": "keep_latest"}})
    second = (await api.get(f"{path}?include=ttl"))["ttl"]
    assert (second["strategy"], second["ttl_minutes"]) == ("keep_latest", 60.5)
    assert second["expires_at"] > first["expires_at"]
    assert (await api.get(f"/threads/{await api.thread()}?include=ttl"))["ttl"] is None
    assert (await api.refusal("GET", f"{path}?include=bogus"))[0] == 422
    for ttl in (5, {"ttl": 0}, {"ttl": -1}, {"ttl": 1, "strategy": "bogus"}, {}):
        assert (await api.refusal("POST", "/threads", {"ttl": ttl}))[0] == 422


async def _one_expires(database: Database) -> bool:
    row = await database.read(lambda c: c.one(EXPIRING))
    return row is not None and row["n"] == 1


async def test_threads_whose_time_is_over_are_swept(database: Database) -> None:
    await database.migrate("agent_server")
    threads = Threads(database)
    async with MemoryBroker() as broker, open_agents(Config(Path()), {}) as agents:
        states, sweeping = ThreadStates(threads, agents, broker), anyio.CancelScope()
        short = await threads.create(ThreadCreate(ttl=Ttl(0.0001)))
        past = await threads.create(ThreadCreate(ttl=Ttl(0.0001, "keep_latest")))
        long = await threads.create(ThreadCreate(ttl=Ttl(60)))
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(sweep_threads, states, sweeping, ThreadTtlDefaults(sweep_interval_minutes=0.0002))
                await until(partial(_one_expires, database))
                sweeping.cancel()
        with pytest.raises(NotFound):
            await threads.get(short.thread_id)
        assert (await threads.get(past.thread_id, with_ttl=True)).ttl is None
        assert (await threads.get(long.thread_id, with_ttl=True)).ttl is not None


async def test_pruning_leaves_a_busy_thread_alone(api: Api) -> None:
    thread_id = await api.thread("doubling", {"x": 1})
    await api.post(f"/threads/{thread_id}/runs", {"assistant_id": "sleeping_agent", "input": {}})
    assert await api.post("/threads/prune", {"thread_ids": [thread_id]}) == {"pruned_count": 0}
    assert (await api.get(f"/threads/{thread_id}"))["status"] == "busy"
    copy = await api.post(f"/threads/{thread_id}/copy", None)
    assert copy["status"] == "idle"


async def test_thread_gets_the_configured_ttl_by_default(tmp_path: Path) -> None:
    config = Config(tmp_path, data_dir=tmp_path, thread_ttl=ThreadTtlDefaults(90, "keep_latest"), allow_anyone=True)
    async with served(whole_app(config)) as client:

        async def ttl(thread_id: str) -> Any:
            return (await client.get(f"/threads/{thread_id}", params={"include": "ttl"})).json()["ttl"]

        made = (await client.post("/threads", json={})).json()["thread_id"]
        own = (await client.post("/threads", json={"ttl": {"ttl": 5}})).json()["thread_id"]
        copy = (await client.post(f"/threads/{made}/copy")).json()["thread_id"]
        by_run = "018f0000-0000-7000-8000-0000000000aa"
        run = {"assistant_id": "agent", "input": 1, "if_not_exists": "create"}
        assert (await client.post(f"/threads/{by_run}/runs/wait", json=run)).status_code == 200
        for thread_id in (made, copy, by_run):
            assert ((await ttl(thread_id))["ttl_minutes"], (await ttl(thread_id))["strategy"]) == (90, "keep_latest")
        assert ((await ttl(own))["ttl_minutes"], (await ttl(own))["strategy"]) == (5, "delete")
