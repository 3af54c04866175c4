"""Two users under an application's own `auth`: no operation shows or changes Anna's resources for Bob.

The operations are those of the OpenAPI document; one without a rule or without a line here fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, get_args
from uuid import uuid4

import httpx
import pytest

from agent_server import routes
from agent_server.config import AuthSettings
from agent_server.config.api_keys import parse_api_keys
from agent_server.database import open_database
from agent_server.protocols import agent_protocol
from agent_server.routes.auth_rules import QUESTIONS
from agent_server.schema import StreamMode
from tests.agent_server.api import Api, serving
from tests.agent_server.backend import until

ANNA = {"Authorization": "Bearer token-anna"}
BOB = {"x-api-key": "token-bob"}
RULES = str(Path(__file__).parents[1] / "rules.py") + ":auth"
OPEN = {"/", "/ok", "/info"}
PROTOCOLS = ("/v1/", "/mcp", "/a2a/", "/agui/", "/.well-known/")
"""Protocols with their own response formats; their own tests check the rules."""
RUN = {"assistant_id": "doubling", "input": {"x": 1}}
CRON = {"schedule": "0 0 1 1 *", **RUN}

Ids = dict[str, str]


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path, auth=AuthSettings(RULES)) as api:
        yield api


@pytest.fixture
async def annas(api: Api) -> Ids:
    """Create one resource of every kind for Anna and return their ids."""

    async def made(method: str, path: str, body: Any) -> Any:
        response = await api.send(method, path, body, **ANNA)
        assert response.status_code in (200, 204), response.text
        return response.json() if response.content else None

    assistant = (await made("POST", "/assistants", {"graph_id": "doubling"}))["assistant_id"]
    thread = (await made("POST", "/threads", {}))["thread_id"]
    await made("POST", f"/threads/{thread}/runs/wait", {**RUN, "assistant_id": assistant})
    [run] = (await api.send("GET", f"/threads/{thread}/runs", **ANNA)).json()
    state = (await api.send("GET", f"/threads/{thread}/state", **ANNA)).json()
    waiting = await made("POST", f"/threads/{thread}/runs", {**RUN, "after_seconds": 3600})
    stateless = await made("POST", "/runs", {**RUN, "on_completion": "keep", "after_seconds": 3600})
    cron = (await made("POST", f"/threads/{thread}/runs/crons", CRON))["cron_id"]
    await made("PUT", "/store/items", {"namespace": ["notes"], "key": "k", "value": {"secret": "annas"}})
    return {
        "assistant_id": assistant, "thread_id": thread, "run_id": run["run_id"], "cron_id": cron,
        "checkpoint_id": state["checkpoint_id"], "waiting": waiting["run_id"], "stateless": stateless["run_id"],
        "namespace": "sub", "tenant": "_", "agent_id": assistant, "schema_id": "1",
    }  # fmt: skip


def bodies(ids: Ids) -> dict[str, Any]:
    """Return the bodies of Bob's requests for Anna's resources, by operation; others get an empty object."""
    state = {"values": {"x": 666}, "as_node": "double"}
    return {
        "POST /assistants": {"graph_id": "doubling", "assistant_id": ids["assistant_id"], "if_exists": "do_nothing"},
        "POST /threads": {"thread_id": ids["thread_id"], "if_exists": "do_nothing"},
        "POST /threads/prune": {"thread_ids": [ids["thread_id"]]},
        "POST /assistants/{assistant_id}/latest": {"version": 1},
        "PATCH /assistants/{assistant_id}": {"name": "Bob's now"},
        "PATCH /threads/{thread_id}": {"metadata": {"owner": "bob"}},
        "PATCH /runs/crons/{cron_id}": {"enabled": False},
        "POST /threads/{thread_id}/state": state,
        "POST /threads/{thread_id}/state/checkpoint": {"checkpoint": {"checkpoint_id": ids["checkpoint_id"]}},
        "POST /threads/{thread_id}/runs": {**RUN, "if_not_exists": "create"},
        "POST /threads/{thread_id}/runs/stream": {**RUN, "if_not_exists": "create"},
        "POST /threads/{thread_id}/runs/wait": {**RUN, "if_not_exists": "create"},
        "POST /threads/{thread_id}/commands": command("run.start", **RUN, if_not_exists="create"),
        "POST /threads/{thread_id}/stream/events": {"channels": ["values"]},
        "POST /threads/{thread_id}/stream": {"channels": ["values"]},
        "POST /threads/{thread_id}/runs/crons": {**CRON, "if_not_exists": "create"},
        **{f"POST /runs{one}": {**RUN, "assistant_id": ids["assistant_id"]} for one in ("", "/stream", "/wait")},
        "POST /runs/batch": [RUN, {**RUN, "assistant_id": ids["assistant_id"]}],
        "POST /runs/crons": {**CRON, "assistant_id": ids["assistant_id"]},
        "POST /runs/cancel": {"thread_id": ids["thread_id"], "run_ids": [ids["waiting"]]},
        "PUT /store/items": {"namespace": ["notes"], "key": "k", "value": {"secret": "bobs"}},
        "DELETE /store/items": {"namespace": ["notes"], "key": "k"},
        "POST /v1/{tenant}/agents": {"id": ids["assistant_id"]},
        **{f"POST /v1/{{tenant}}/{one}/{{agent_id}}/schemas/{{schema_id}}/run": {"task_input": {"x": 1}}
           for one in ("agents", "tasks")},
        **{f"POST /v1/{{tenant}}/{one}/{{agent_id}}/runs/{{run_id}}/reply": {"user_message": "hi"}
           for one in ("agents", "tasks")},
        "POST /threads/search": {"metadata": {"owner": "anna"}, "limit": 100},
        "POST /threads/count": {"metadata": {"owner": "anna"}},
    }  # fmt: skip


def command(method: str, **params: Any) -> dict[str, Any]:
    return {"id": 1, "method": method, "params": params}


SEEN_AS_HIS_OWN = {
    "POST /assistants/search", "POST /assistants/count", "POST /threads/search", "POST /threads/count",
    "POST /agents/search", "POST /runs/search",
    "POST /threads/prune", "POST /runs/crons/search", "POST /runs/crons/count", "PUT /store/items",
    "GET /store/items", "DELETE /store/items", "POST /store/items/search", "POST /store/namespaces",
}  # fmt: skip
"""Operations that answer Bob, with nothing that is Anna's; every other one has to say 404, or 409 for a taken id."""
TAKEN = {"POST /assistants", "POST /threads"}
SHARED = {"namespace", "tenant", "schema_id"}
"""Path parameters that name no user's resource."""
AWAITED = {"POST /threads/{thread_id}/stream/events", "POST /threads/{thread_id}/stream"}
"""Operations that wait for a thread that does not exist yet; for Anna's thread Bob gets 404."""


async def snapshot(api: Api, ids: Ids) -> str:
    """Return everything of Anna's as she reads it."""
    seen = [
        await api.send("GET", f"/assistants/{ids['assistant_id']}", **ANNA),
        await api.send("POST", f"/assistants/{ids['assistant_id']}/versions", {}, **ANNA),
        await api.send("GET", f"/threads/{ids['thread_id']}", **ANNA),
        await api.send("GET", f"/threads/{ids['thread_id']}/history", **ANNA),
        await api.send("GET", f"/threads/{ids['thread_id']}/runs", **ANNA),
        await api.send("GET", f"/runs/crons/{ids['cron_id']}", **ANNA),
        await api.send("POST", "/threads/count", {}, **ANNA),
        await api.send("POST", "/runs/crons/count", {}, **ANNA),
        await api.send("GET", "/store/items?namespace=notes&key=k", **ANNA),
    ]
    assert [one.status_code for one in seen] == [200] * len(seen), [one.text for one in seen]
    return "\n".join(one.text for one in seen)


async def operations(api: Api) -> list[str]:
    """Return the agent server's operations as `METHOD /path`."""
    document = (await api.send("GET", "/openapi.json")).json()
    found = [
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method in item
        if path not in OPEN and method in ("get", "post", "put", "patch", "delete")
    ]
    return [one for one in found if one != "GET /metrics" and not one.split(" ")[1].startswith(PROTOCOLS)]


def target(operation: str, ids: Ids) -> tuple[str, str]:
    """Return method and path with Anna's ids; stateless operations get the stateless run."""
    method, path = operation.split(" ")
    filled = {**ids, "run_id": ids["stateless"]} if path.startswith("/runs/{") else ids
    filled = {**filled, "run_id": ids["waiting"]} if path.endswith("/cancel") else filled
    query = "?namespace=notes&key=k" if operation == "GET /store/items" else ""
    return method, re.sub(r"\{(\w+)\}", lambda found: filled[found[1]], path) + query


async def ask(api: Api, operation: str, ids: Ids, who: dict[str, str]) -> httpx.Response:
    method, path = target(operation, ids)
    body = bodies(ids).get(operation, {}) if method in ("POST", "PUT", "PATCH") or "store" in path else None
    return await api.send(method, path, None if method == "GET" else body, **who)


async def test_bob_reaches_nothing_of_annas_by_any_operation(api: Api, annas: Ids) -> None:
    before, wrong = await snapshot(api, annas), []
    for operation in await operations(api):
        response = await ask(api, operation, annas, BOB)
        expected = {409} if operation in TAKEN else {200, 204} if operation in SEEN_AS_HIS_OWN else {404}
        names_hers = any(annas[name] in response.text for name in annas if name not in SHARED) and response.is_success
        if response.status_code not in expected or names_hers or "annas" in response.text:
            wrong.append((operation, response.status_code, response.text[:200]))
    assert not wrong, "\n".join(map(str, wrong))
    assert await snapshot(api, annas) == before


async def test_missing_and_foreign_resources_look_the_same(api: Api, annas: Ids) -> None:
    gone = {name: annas[name] if name in SHARED else str(uuid4()) for name in annas}
    gone["agent_id"] = gone["assistant_id"]
    for operation in await operations(api):
        body = json.dumps(bodies(annas).get(operation, {}))
        if operation in SEEN_AS_HIS_OWN | TAKEN | AWAITED or "if_not_exists" in body:
            continue
        of_anna, missing = await ask(api, operation, annas, BOB), await ask(api, operation, gone, BOB)
        expected = missing.text
        for name in annas:
            expected = expected.replace(gone[name], annas[name])
        assert (of_anna.status_code, of_anna.text) == (missing.status_code, expected), operation


async def test_commands_reach_what_is_the_callers_only(api: Api, annas: Ids) -> None:
    his = f"/threads/{uuid4()}/commands"
    begun = await api.send("POST", his, command("run.start", **RUN), **BOB)
    assert (begun.status_code, begun.json()["type"]) == (200, "success")
    made = await api.send("GET", his.removesuffix("/commands"), **BOB)
    assert made.json()["metadata"]["owner"] == "bob"
    assert (await api.send("GET", his.removesuffix("/commands"), **ANNA)).status_code == 404
    assert (await api.send("POST", his, command("run.start", **RUN), **ANNA)).status_code == 404
    of_anna = {**RUN, "assistant_id": annas["assistant_id"]}
    assert (await api.send("POST", his, command("run.start", **of_anna), **BOB)).status_code == 404
    for method in ("input.respond", "agent.getTree", "state.get"):
        response = await api.send("POST", f"/threads/{annas['thread_id']}/commands", command(method), **BOB)
        assert response.status_code == 404


async def test_bob_counts_and_cancels_his_own_only(api: Api, annas: Ids) -> None:
    assert (await api.send("POST", "/threads/count", {}, **BOB)).json() == 0
    assert (await api.send("POST", "/runs/crons/count", {}, **BOB)).json() == 0
    assert (await api.send("POST", "/runs/cancel", {"status": "all"}, **BOB)).status_code == 404
    his = (await api.send("POST", "/threads", {}, **BOB)).json()["thread_id"]
    run = (await api.send("POST", f"/threads/{his}/runs", {**RUN, "after_seconds": 3600}, **BOB)).json()["run_id"]
    assert (await api.send("POST", "/runs/cancel", {"status": "all"}, **BOB)).status_code == 204
    assert (await api.send("GET", f"/threads/{his}/runs/{run}", **BOB)).json()["status"] == "interrupted"
    of_anna = f"/threads/{annas['thread_id']}/runs/{annas['waiting']}"
    assert (await api.send("GET", of_anna, **ANNA)).json()["status"] == "pending"
    assert (await api.send("POST", "/threads/count", {}, **BOB)).json() == 1
    pruned = {"thread_ids": [his, annas["thread_id"]]}
    assert (await api.send("POST", "/threads/prune", pruned, **BOB)).json() == {"pruned_count": 1}


async def test_deleting_an_assistant_deletes_only_the_callers_threads(api: Api, annas: Ids) -> None:
    system = (await api.send("POST", "/assistants", {"graph_id": "doubling"}, **BOB)).json()["assistant_id"]
    his = (await api.send("POST", "/threads", {"metadata": {"assistant_id": system}}, **BOB)).json()["thread_id"]
    patch = {"metadata": {"assistant_id": system}}
    assert (await api.send("PATCH", f"/threads/{annas['thread_id']}", patch, **ANNA)).status_code == 200
    deleted = await api.send("DELETE", f"/assistants/{system}?delete_threads=true", **BOB)
    assert deleted.status_code == 204
    assert (await api.send("GET", f"/threads/{his}", **BOB)).status_code == 404
    assert (await api.send("GET", f"/threads/{annas['thread_id']}", **ANNA)).status_code == 200


async def test_anna_reaches_her_own_resources(api: Api, annas: Ids) -> None:
    refused = []
    for operation in await operations(api):
        if operation.split(" ")[0] != "GET" or operation.endswith("/stream"):
            continue
        if operation.endswith(("{run_id}/join", "{run_id}/wait")) or "subgraphs" in operation:
            continue
        response = await ask(api, operation, annas, ANNA)
        if response.status_code != 200:
            refused.append((operation, response.status_code, response.text))
    assert refused == []


def test_every_handler_has_a_question_of_its_own() -> None:
    modules = [import_module(found.name) for found in iter_modules(routes.__path__, "agent_server.routes.")]
    handlers = [handler for module in [*modules, agent_protocol.runs] for handler in getattr(module, "HANDLERS", [])]
    assert {one.fn.__name__ for one in handlers if one.opt.get("access") is None} == set(QUESTIONS)


async def test_unauthenticated_requests_are_refused(api: Api) -> None:
    for operation in await operations(api):
        method, path = operation.split(" ")
        refused = await api.send(method, re.sub(r"\{\w+\}", str(uuid4()), path), None if method == "GET" else {})
        error = refused.json()
        message = error["error"]["message"] if path.startswith("/v1/") else error["detail"]
        assert (refused.status_code, message) == (401, "Who are you?"), operation
        assert refused.headers["x-why"] == "no token"
    assert (await api.send("GET", "/ok")).status_code == 200


async def test_graph_sees_the_user_and_clients_cannot(api: Api) -> None:
    forged = {"configurable": {"langgraph_auth_user_id": "anna", "langgraph_auth_user": {"identity": "anna"}}}
    body = {"assistant_id": "showing", "input": {"x": 1}, "config": forged}
    created = await api.send("POST", "/runs", {**body, "on_completion": "keep"}, **BOB)
    thread = created.json()["thread_id"]
    await api.send("GET", f"/runs/{created.json()['run_id']}/join", **BOB)
    shown = (await api.send("GET", f"/threads/{thread}", **BOB)).json()["values"]["log"][0]
    assert (shown["user_id"], shown["langgraph_auth_user_id"], shown["langgraph_auth_permissions"]) == (
        "bob", "bob", ["agents:use"],
    )  # fmt: skip
    runs = (await api.send("GET", f"/threads/{thread}/runs", **BOB)).json()
    assert "team" not in json.dumps(runs)
    assert runs[0]["metadata"]["owner"] == "bob"


async def test_rules_partition_the_store_by_namespace(api: Api, annas: Ids) -> None:
    assert annas
    assert (await api.send("GET", "/store/items?namespace=notes&key=k", **BOB)).json() is None
    item = {"namespace": ["notes"], "key": "k", "value": {"is": "bobs"}}
    assert (await api.send("PUT", "/store/items", item, **BOB)).status_code == 204
    stored = (await api.send("GET", "/store/items?namespace=notes&key=k", **ANNA)).json()
    assert (stored["value"], stored["namespace"]) == ({"secret": "annas"}, ["anna", "notes"])
    listed = (await api.send("POST", "/store/namespaces", {}, **BOB)).json()["namespaces"]
    assert listed == [["bob", "notes"]]
    found = (await api.send("POST", "/store/items/search", {"namespace_prefix": ["anna"]}, **BOB)).json()
    assert found == {"items": []}


async def test_crons_run_as_their_owner(api: Api, annas: Ids) -> None:
    cron = (await api.send("GET", f"/runs/crons/{annas['cron_id']}", **ANNA)).json()
    assert (cron["user_id"], cron["metadata"]["owner"]) == ("anna", "anna")
    assert "blue" not in json.dumps(cron)


@pytest.mark.parametrize("graph", ["doubling", "chat"])
async def test_no_stream_and_no_state_shows_the_user(api: Api, graph: str) -> None:
    thread = (await api.send("POST", "/threads", {}, **BOB)).json()["thread_id"]
    given = {"x": 1} if graph == "doubling" else {"messages": [{"role": "user", "content": "hi"}]}
    body = {"assistant_id": graph, "input": given, "stream_mode": list(get_args(StreamMode))}
    shown = (await api.send("POST", f"/threads/{thread}/runs/stream", body, **BOB)).text
    assert "checkpoints" in shown
    for path in ("", "/state", "/history?limit=10", "/runs"):
        shown += (await api.send("GET", f"/threads/{thread}{path}", **BOB)).text
    places = [shown[at.start() - 150 : at.start() + 60] for at in re.finditer("langgraph_auth|blue", shown)]
    assert not places, "\n".join(places)


async def test_runs_of_a_cron_are_its_makers(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path, auth=AuthSettings(RULES)) as api:
        made = await api.send(
            "POST", "/runs/crons", {**CRON, "assistant_id": "showing", "on_run_completed": "keep"}, **ANNA
        )
        url = database_url if database_url.startswith("postgres") else f"sqlite:///{tmp_path / 'runs.db'}"
        async with open_database(url) as database:
            await database.write(lambda c: c.execute("UPDATE crons SET next_run_date = now_us() - 1"))

        async def ended() -> bool:
            found = (await api.send("POST", "/threads/search", {"status": "idle"}, **ANNA)).json()
            return bool(found and (found[0]["values"] or {}).get("log"))

        await until(ended)
        [thread] = (await api.send("POST", "/threads/search", {}, **ANNA)).json()
        assert thread["metadata"]["owner"] == "anna"
        shown = thread["values"]["log"][0]
        assert (shown["langgraph_auth_user_id"], shown["cron_id"]) == ("anna", made.json()["cron_id"])
        assert (await api.send("POST", "/threads/count", {}, **BOB)).json() == 0


async def test_document_includes_the_applications_security_schemes(sqlite_url: str, tmp_path: Path) -> None:
    security = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}, "security": [{"token": []}]}
    async with serving(sqlite_url, tmp_path, auth=AuthSettings(RULES, security)) as api:
        document = (await api.send("GET", "/openapi.json")).json()
    assert document["components"]["securitySchemes"] == security["securitySchemes"]
    assert document["security"] == security["security"]
    assert "RunCreate" in document["components"]["schemas"]


async def test_metrics_need_a_user_or_an_api_key(sqlite_url: str, tmp_path: Path) -> None:
    key = "a-key-that-is-long-enough"
    settings = {"auth": AuthSettings(RULES), "api_keys": parse_api_keys(f"{key}:feedback-read")}
    async with serving(sqlite_url, tmp_path, **settings) as api:
        responses = [await api.send("GET", "/metrics", **sent) for sent in ({"x-api-key": key}, ANNA, {})]
        elsewhere = await api.send("POST", "/threads/count", {}, **{"x-api-key": key})
    assert [one.status_code for one in responses] == [200, 200, 401]
    assert elsewhere.status_code == 401


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"x-api-key": "wrong"}], ids=str)
async def test_strangers_learn_nothing_of_the_routes(api: Api, headers: dict[str, str]) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
        for path in (
            "/threads",
            "/threads/search",
            f"/threads/{uuid4()}",
            "/nothing",
            "/runs/batch",
            "/a/b/c",
            "/store",
        ):
            refused = await api.send(method, path, **headers)
            assert (refused.status_code, refused.headers.get("x-why")) == (401, "no token"), (method, path)
            assert method == "HEAD" or refused.json() == {"detail": "Who are you?"}


async def test_users_get_404_for_missing_resources(api: Api) -> None:
    assert (await api.send("GET", "/nothing", **ANNA)).status_code == 404
    assert (await api.send("PATCH", "/threads/search", **ANNA)).status_code in (404, 405, 422)
    for path in OPEN:
        assert (await api.send("GET", path)).status_code == 200
