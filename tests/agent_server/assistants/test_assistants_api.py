"""`/assistants` over HTTP, on both databases. Responses are the official server's (langgraph-api 0.16.7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4, uuid5

import pytest

from agent_server.assistants.assistants import SYSTEM_NAMESPACE
from tests.agent_server.api import Api, serving

BOTH = {"context": {"a": 1}, "config": {"configurable": {"b": 2}}}


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path) as api:
        yield api


def system_id(graph_id: str) -> str:
    return str(uuid5(SYSTEM_NAMESPACE, graph_id))


async def test_assistant_is_created_with_the_official_defaults(api: Api) -> None:
    made = await api.post("/assistants", {"graph_id": "asking"})
    assert (made["name"], made["version"], made["config"], made["context"]) == ("Untitled", 1, {}, {})
    assert (made["metadata"], made["description"]) == ({}, None)
    assert await api.get(f"/assistants/{made['assistant_id']}") == made


async def test_context_and_configurable_mirror_each_other(api: Api) -> None:
    first = await api.post("/assistants", {"graph_id": "asking", "context": {"who": "me"}})
    assert first["config"] == {"configurable": {"who": "me"}}
    second = await api.post("/assistants", {"graph_id": "asking", "config": {"configurable": {"z": 1}, "tags": ["t"]}})
    assert second["context"] == {"z": 1}
    patched = await api.patch(f"/assistants/{second['assistant_id']}", {"context": {"y": 2}})
    assert (patched["config"], patched["context"]) == ({"configurable": {"y": 2}, "tags": ["t"]}, {"y": 2})
    patched = await api.patch(f"/assistants/{second['assistant_id']}", {"config": {"tags": ["u"]}})
    assert (patched["config"], patched["context"]) == ({"configurable": {"y": 2}, "tags": ["u"]}, {"y": 2})


async def test_context_beside_configurable_is_refused(api: Api) -> None:
    status, received = await api.refusal("POST", "/assistants", {"graph_id": "asking", **BOTH})
    assert status == 400
    assert received.startswith("Cannot specify both configurable and context.")
    assert (await api.refusal("PATCH", f"/assistants/{system_id('asking')}", BOTH))[0] == 400
    status, received = await api.refusal("POST", "/assistants", {"graph_id": "asking", "config": {"configurable": 1}})
    assert (status, received) == (400, "config.configurable must be an object")


async def test_unknown_graph_is_named_with_those_there_are(api: Api) -> None:
    status, received = await api.refusal("POST", "/assistants", {"graph_id": "nope"})
    assert status == 404
    assert received.startswith("Graph 'nope' not found. Expected one of: ['asking', 'canned', 'chat'")
    assert (await api.refusal("PATCH", f"/assistants/{system_id('asking')}", {"graph_id": "nope"}))[0] == 404


async def test_taken_id_conflicts_unless_if_exists_allows_it(api: Api) -> None:
    made = await api.post("/assistants", {"graph_id": "asking", "name": "first"})
    again = {"graph_id": "doubling", "assistant_id": made["assistant_id"], "name": "second"}
    assert (await api.refusal("POST", "/assistants", again))[0] == 409
    assert await api.post("/assistants", {**again, "if_exists": "do_nothing"}) == made


async def test_unknown_and_malformed_ids_are_refused_everywhere(api: Api) -> None:
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {}),
        ("DELETE", "", None),
        ("POST", "/versions", {}),
        ("POST", "/latest", {"version": 1}),
        ("GET", "/graph", None),
        ("GET", "/schemas", None),
        ("GET", "/subgraphs", None),
    ):
        status, received = await api.refusal(method, f"/assistants/{uuid4()}{path}", body)
        assert status == 404, path
        assert "not found" in received
        assert (await api.refusal(method, f"/assistants/no-id{path}", body))[0] == 422, path


async def test_every_patch_makes_a_version_and_merges_metadata(api: Api) -> None:
    made = await api.post("/assistants", {"graph_id": "asking", "metadata": {"a": 1}, "description": "old"})
    path = f"/assistants/{made['assistant_id']}"
    patched = await api.patch(path, {"metadata": {"b": 2}, "name": "new", "graph_id": "doubling"})
    assert (patched["version"], patched["metadata"], patched["name"]) == (2, {"a": 1, "b": 2}, "new")
    assert (patched["graph_id"], patched["description"]) == ("doubling", "old")
    versions = await api.post(f"{path}/versions", {})
    assert [(one["version"], one["name"], one["graph_id"]) for one in versions] == [
        (2, "new", "doubling"),
        (1, "Untitled", "asking"),
    ]
    assert [one["version"] for one in await api.post(f"{path}/versions", {"metadata": {"b": 2}})] == [2]
    assert [one["version"] for one in await api.post(f"{path}/versions", {"limit": 1, "offset": 1})] == [1]


async def test_setting_the_latest_version_restores_config_and_context(api: Api) -> None:
    made = await api.post("/assistants", {"graph_id": "asking", "context": {"a": 1}})
    path = f"/assistants/{made['assistant_id']}"
    await api.patch(path, {"context": {"b": 2}, "name": "second"})
    back = await api.post(f"{path}/latest", {"version": 1})
    assert (back["version"], back["name"]) == (1, "Untitled")
    assert (back["config"], back["context"]) == ({"configurable": {"a": 1}}, {"a": 1})
    assert (await api.patch(path, {}))["version"] == 3
    assert (await api.refusal("POST", f"{path}/latest", {"version": 9}))[0] == 404


async def test_search_returns_total_and_next_page(api: Api) -> None:
    for number in range(5):
        await api.post("/assistants", {"graph_id": "asking", "name": f"100%_{number}", "metadata": {"n": number % 2}})
    query = {"name": "100%_", "limit": 2, "sort_by": "name", "sort_order": "asc", "select": ["name"]}
    response = await api.send("POST", "/assistants/search", query)
    assert response.json() == [{"name": "100%_0"}, {"name": "100%_1"}]
    assert (response.headers["x-pagination-total"], response.headers["x-pagination-next"]) == ("5", "2")
    response = await api.send("POST", "/assistants/search", {**query, "offset": 4})
    assert response.headers["x-pagination-total"] == "5"
    assert "x-pagination-next" not in response.headers
    response = await api.send("POST", "/assistants/search", {**query, "offset": 1000})
    assert (response.json(), response.headers["x-pagination-total"]) == ([], "5")
    assert await api.post("/assistants/count", {"name": "100%_", "metadata": {"n": 1}}) == 2
    assert await api.post("/assistants/count", {"name": "100_%"}) == 0


async def test_search_refusal_names_the_supported_fields(api: Api) -> None:
    status, received = await api.refusal("POST", "/assistants/search", {"sort_by": "bogus"})
    assert (status, received.endswith("must be one of assistant_id, graph_id, name, created_at, updated_at")) == (
        422,
        True,
    )
    for query in ({"limit": 0}, {"limit": 1001}, {"offset": -1}, {"offset": 10**30}, {"select": ["bogus"]}):
        assert (await api.refusal("POST", "/assistants/search", query))[0] == 422


async def test_run_of_an_assistant_gets_its_context(api: Api) -> None:
    made = await api.post("/assistants", {"graph_id": "showing", "context": {"who": "me"}})
    given = {"assistant_id": made["assistant_id"], "input": {"x": 1}}
    configurable, _, _, context = (await api.post("/runs/wait", given))["log"]
    assert (configurable["who"], context) == ("me", {"who": "me"})
    configurable, _, _, context = (await api.post("/runs/wait", {**given, "context": {"who": "you"}}))["log"]
    assert (configurable["who"], context) == ("you", {"who": "you"})
    other = {"configurable": {"who": "them"}}
    configurable, _, _, context = (await api.post("/runs/wait", {**given, "config": other}))["log"]
    assert (configurable["who"], context) == ("them", {"who": "them"})


async def test_configurable_of_a_run_is_its_context(api: Api) -> None:
    given = {"assistant_id": "showing", "input": {"x": 1}, "config": {"configurable": {"who": "me", "model": "small"}}}
    configurable, _, _, context = (await api.post("/runs/wait", given))["log"]
    assert (configurable["model"], context) == ("small", {"who": "me"})


async def test_graph_runs_after_its_system_assistant_is_deleted(api: Api) -> None:
    await api.delete(f"/assistants/{system_id('doubling')}")
    assert (await api.refusal("GET", f"/assistants/{system_id('doubling')}"))[0] == 404
    for name in ("doubling", system_id("doubling")):
        assert (await api.post("/runs/wait", {"assistant_id": name, "input": {"x": 2}}))["x"] == 4
    assert "nodes" in await api.get("/assistants/doubling/graph")


async def test_assistant_is_deleted_with_its_threads_where_asked(api: Api) -> None:
    made = await api.post("/assistants", {"graph_id": "doubling"})
    own, other = await api.thread(made["assistant_id"], {"x": 1}), await api.thread("doubling", {"x": 1})
    await api.delete(f"/assistants/{made['assistant_id']}?delete_threads=true")
    assert (await api.refusal("GET", f"/threads/{own}"))[0] == 404
    assert (await api.refusal("GET", f"/assistants/{made['assistant_id']}"))[0] == 404
    assert (await api.get(f"/threads/{other}"))["values"]["x"] == 2


async def test_graph_is_drawn_with_subgraphs_under_xray(api: Api) -> None:
    nodes = [{"id": name, "type": "runnable", "data": {"name": name}} for name in ("__start__", "sub")]
    edges = [{"source": "__start__", "target": "sub"}, {"source": "sub", "target": "__end__"}]
    path = f"/assistants/{system_id('nested')}/graph"
    assert await api.get(path) == {"nodes": [*nodes, {"id": "__end__"}], "edges": edges}
    for xray in ("true", "1"):
        assert "sub:double" in [node["id"] for node in (await api.get(f"{path}?xray={xray}"))["nodes"]]
    for xray in ("0", "-1", "abc", "²"):
        assert (await api.refusal("GET", f"{path}?xray={xray}"))[0] == 422


async def test_schemas_are_those_of_the_graph(api: Api) -> None:
    shown = await api.get(f"/assistants/{system_id('showing')}/schemas")
    assert shown["graph_id"] == "showing"
    assert shown["context_schema"]["properties"] == {"who": {"title": "Who", "type": "string"}}
    assert shown["config_schema"] == shown["context_schema"]
    for name in ("input_schema", "output_schema", "state_schema"):
        assert set(shown[name]["properties"]) == {"x", "log"}
    doubling = await api.get("/assistants/doubling/schemas")
    assert (doubling["config_schema"], doubling["context_schema"]) == ({}, None)


async def test_subgraphs_are_found_by_namespace(api: Api) -> None:
    path = f"/assistants/{system_id('nested')}/subgraphs"
    assert set(await api.get(f"{path}?recurse=true")) == {"sub"}
    assert set((await api.get(f"{path}/sub"))["sub"]["input_schema"]["properties"]) == {"x", "log"}
    assert await api.get(f"{path}/nope") == {}
    assert await api.get("/assistants/doubling/subgraphs") == {}


async def test_non_graph_agent_is_drawn_as_one_node(api: Api) -> None:
    assert [node["id"] for node in (await api.get("/assistants/echo/graph"))["nodes"]] == [
        "__start__",
        "echo",
        "__end__",
    ]
    assert await api.get("/assistants/echo/schemas") == {"graph_id": "echo"}
    assert await api.get("/assistants/echo/subgraphs") == {}


async def test_own_assistant_of_graph_has_its_config(database_url: str, tmp_path: Path) -> None:
    """`LANGGRAPH_CONFIG` applies at every start until a client changes the assistant."""
    for recursion_limit in (30, 40):
        configs = {"doubling": {"recursion_limit": recursion_limit, "configurable": {"who": "Ada"}}}
        async with serving(database_url, tmp_path, graph_configs=configs) as api:
            [own] = await api.post("/assistants/search", {"graph_id": "doubling"})
            assert (own["version"], own["config"], own["context"]) == (1, configs["doubling"], {"who": "Ada"})
    async with serving(database_url, tmp_path) as api:
        path = f"/assistants/{own['assistant_id']}"
        assert (await api.get(path))["config"] == {}
        await api.patch(path, {"config": {"tags": ["mine"]}})
    async with serving(database_url, tmp_path, graph_configs=configs) as api:
        assert (await api.get(path))["config"] == {"tags": ["mine"]}
