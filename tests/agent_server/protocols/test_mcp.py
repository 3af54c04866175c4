"""`/mcp` with plain requests: bad input, headers, rules, switches, pages, resumed streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent_server.config import AuthSettings, Http
from agent_server.config.api_keys import parse_api_keys
from tests.agent_server.api import Api, serving

RULES = str(Path(__file__).parents[1] / "rules.py") + ":auth"
ANNA = {"Authorization": "Bearer token-anna"}
BOB = {"Authorization": "Bearer token-bob"}
BOTH = {"accept": "application/json, text/event-stream"}
VERSION, CAPABILITIES = (f"io.modelcontextprotocol/{name}" for name in ("protocolVersion", "clientCapabilities"))
THREAD = "dev.agent-server/thread"
NO_ID = "018f0000-0000-7000-8000-000000000001"


@pytest.fixture
async def api(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(sqlite_url, tmp_path) as api:
        yield api


def message(method: str, params: dict[str, Any] | None = None, rpc_id: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": rpc_id, "method": method, "params": params or {}}


async def call(api: Api, name: str, given: Any, meta: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
    params = {"name": name, "arguments": given, "_meta": meta or {}}
    return await api.send("POST", "/mcp", message("tools/call", params), **{**BOTH, **headers})


def modern(method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    meta = {VERSION: "2026-07-28", CAPABILITIES: {}}
    return message(method, {**(params or {}), "_meta": meta})


MALFORMED_MESSAGE_IS_400: list[Any] = [
    ("{", -32700, "Invalid JSON"),
    ("[]", -32600, "one JSON-RPC message"),
    ('{"id": 1, "method": "ping"}', -32600, '"jsonrpc": "2.0"'),
    ('{"jsonrpc": "2.0", "id": 1}', -32600, "name its method"),
    ('{"jsonrpc": "2.0", "id": {}, "method": "ping"}', -32600, "id must be"),
    ('{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600, "id of a request"),
    ('{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}', -32602, "params must be"),
    ('{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": 1}}', -32602, "_meta must be"),
    ('{"jsonrpc": "2.0", "id": 1, "method": "server/discover"}', -32602, "lacks"),
]


async def test_malformed_message_is_400(api: Api) -> None:
    for body, code, expected in MALFORMED_MESSAGE_IS_400:
        refused = await api._client.post("/mcp", content=body, headers={"content-type": "application/json", **BOTH})
        assert refused.status_code == 400
        error = refused.json()["error"]
        assert error["code"] == code
        assert expected in error["message"]


WRONG_CALL_IS_INVALID_PARAMS: list[Any] = [
    ({"name": 1}, "needs a name"),
    ({"name": "doubling", "arguments": []}, "arguments, an object"),
    ({"name": "doubling", "context": 1}, "Expected `object"),
    ({"name": "doubling", "_meta": {THREAD: 1}}, THREAD),
    ({"name": "doubling", "_meta": {THREAD: "x"}}, "Invalid thread ID"),
    ({"name": "doubling", "_meta": {"dev.agent-server/resume": 1}}, "needs the thread that waits"),
    ({"name": "doubling", "_meta": {"dev.agent-server/feedback": {"keys": "a"}}}, "Expected `array"),
]


async def test_wrong_call_is_invalid_params(api: Api) -> None:
    for params, expected in WRONG_CALL_IS_INVALID_PARAMS:
        refused = await api.send("POST", "/mcp", message("tools/call", params), **BOTH)
        assert refused.status_code == 200
        assert refused.json()["error"]["code"] == -32602
        assert expected in refused.json()["error"]["message"]


HEADERS_MUST_AGREE_WITH_THE_BODY: list[Any] = [
    ({"mcp-protocol-version": "2025-06-18"}, -32020, "mcp-protocol-version"),
    ({"mcp-protocol-version": "2026-07-28", "mcp-method": "ping"}, -32020, "mcp-method"),
    ({"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call"}, -32020, "mcp-name"),
    ({"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "asking"}, -32020, "mcp-name"),
]


async def test_headers_must_agree_with_the_body(api: Api) -> None:
    for headers, code, expected in HEADERS_MUST_AGREE_WITH_THE_BODY:
        body = modern("tools/call", {"name": "doubling", "arguments": {"x": 1}})
        refused = await api.send("POST", "/mcp", body, **BOTH, **headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)
        assert expected in refused.json()["error"]["message"]


async def test_name_may_come_in_base64(api: Api) -> None:
    body = modern("tools/call", {"name": "doubling", "arguments": {"x": 1}})
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "=?base64?ZG91YmxpbmcK?="}
    assert (await api.send("POST", "/mcp", body, **BOTH, **headers)).status_code == 400
    headers["mcp-name"] = "=?base64?ZG91Ymxpbmc=?="
    result = (await api.send("POST", "/mcp", body, **BOTH, **headers)).json()["result"]
    assert (result["resultType"], result["structuredContent"]["x"]) == ("complete", 2)


async def test_unknown_version_lists_the_known(api: Api) -> None:
    refused = await api.send("POST", "/mcp", message("ping"), **BOTH, **{"mcp-protocol-version": "2031-01-01"})
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["data"]["requested"]) == (400, -32022, "2031-01-01")
    assert error["data"]["supported"][0] == "2024-11-05"
    assert error["data"]["supported"][-1] == "2026-07-28"


HANDSHAKE_NEGOTIATES_THE_VERSION: list[Any] = [
    "2024-11-05",
    "2025-03-26",
    "2025-06-18",
    "2025-11-25",
    "2031-01-01",
    None,
]


async def test_handshake_negotiates_the_version(api: Api) -> None:
    for asked in HANDSHAKE_NEGOTIATES_THE_VERSION:
        response = await api.send("POST", "/mcp", message("initialize", {"protocolVersion": asked}), **BOTH)
        agreed = "2025-11-25" if asked in ("2031-01-01", None) else asked
        assert response.json()["result"]["protocolVersion"] == agreed
        assert response.headers["mcp-session-id"]


UNKNOWN_METHOD_FAILS_BY_PROTOCOL: list[Any] = ["prompts/list", "server/unknown", "resources/list"]


async def test_unknown_method_error_follows_the_protocol_era(api: Api) -> None:
    for method in UNKNOWN_METHOD_FAILS_BY_PROTOCOL:
        headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
        old = await api.send("POST", "/mcp", message(method), **BOTH)
        new = await api.send("POST", "/mcp", modern(method), **BOTH, **headers)
        assert [(one.status_code, one.json()["error"]["code"]) for one in (old, new)] == [(200, -32601), (404, -32601)]


async def test_other_verbs_are_answered(api: Api) -> None:
    listening = await api.send("GET", "/mcp", **BOTH)
    assert (listening.status_code, listening.headers["allow"]) == (405, "POST, GET, DELETE")
    assert (await api.send("DELETE", "/mcp")).status_code == 404
    assert (await api.send("DELETE", "/mcp", **{"mcp-session-id": NO_ID})).status_code == 200
    assert (await api.send("POST", "/mcp", message("ping"), accept="text/html")).status_code == 406
    for sent in ({"jsonrpc": "2.0", "method": "notifications/initialized"}, {"jsonrpc": "2.0", "id": 1, "result": {}}):
        assert (await api.send("POST", "/mcp", sent, **BOTH)).status_code == 202


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the ids and the messages of a stream of events."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "data" in lines:
            found.append((lines.get("id", ""), json.loads(lines["data"])))
    return found


async def test_stream_is_resumed_after_an_event(api: Api) -> None:
    whole = events((await call(api, "failing", {"x": 1}, {"progressToken": "p"})).text)
    assert [message.get("method") for _, message in whole] == ["notifications/progress", None]
    assert whole[-1][1]["result"]["isError"] is True
    for at, (event_id, _) in enumerate(whole):
        rest = await api.send("GET", "/mcp", **BOTH, **{"last-event-id": event_id})
        resumed = events(rest.text)
        assert resumed == whole[at + 1 :] or resumed == whole[-1:]


UNKNOWN_EVENT_CANNOT_BE_RESUMED: list[Any] = [("x", 422), (f"{NO_ID}/1-0", 404), ("x/1-0", 422)]


async def test_unknown_event_cannot_be_resumed(api: Api) -> None:
    for event_id, status in UNKNOWN_EVENT_CANNOT_BE_RESUMED:
        refused = await api.send("GET", "/mcp", **BOTH, **{"last-event-id": event_id})
        assert refused.status_code == status
        assert refused.json()["error"]["message"]


async def test_progress_is_json_where_events_are_not_taken(api: Api) -> None:
    response = await call(api, "doubling", {"x": 1}, {"progressToken": "p"}, accept="application/json")
    assert response.json()["result"]["structuredContent"]["x"] == 2


async def test_tools_come_in_pages_with_unique_names(api: Api) -> None:
    for number in range(102):
        name = "same name" if number % 2 else f"tool {number} ü"
        await api.post("/assistants", {"graph_id": "doubling", "name": name})
    first = (await api.send("POST", "/mcp", message("tools/list"), **BOTH)).json()["result"]
    second = await api.send("POST", "/mcp", message("tools/list", {"cursor": first["nextCursor"]}), **BOTH)
    names = [tool["name"] for tool in (*first["tools"], *second.json()["result"]["tools"])]
    assert len(first["tools"]) == 100
    assert len(set(names)) == len(names) == 102 + 13
    assert "tool_0_" in names
    twin = next(name for name in names if name.startswith("same_name-"))
    assert (await call(api, twin, {"x": 2})).json()["result"]["structuredContent"]["x"] == 4
    refused = await api.send("POST", "/mcp", message("tools/list", {"cursor": "next"}), **BOTH)
    assert "cursor" in refused.json()["error"]["message"]


async def test_plain_agent_is_a_tool_without_schemas(api: Api) -> None:
    tools = (await api.send("POST", "/mcp", message("tools/list"), **BOTH)).json()["result"]["tools"]
    [tool] = [one for one in tools if one["name"] == "echo"]
    assert tool["inputSchema"] == {"type": "object"}
    assert "outputSchema" not in tool
    result = (await call(api, "echo", {"a": 1})).json()["result"]
    assert result["structuredContent"] == {"echo": {"a": 1}}


async def test_users_have_their_own_assistants_and_threads(sqlite_url: str, tmp_path: Path) -> None:
    async with serving(sqlite_url, tmp_path, auth=AuthSettings(RULES)) as api:
        stranger = await api.send("POST", "/mcp", message("tools/list"), **BOTH)
        assert (stranger.status_code, stranger.json()["error"]["message"]) == (401, "Who are you?")
        await api.send("POST", "/assistants", {"graph_id": "doubling", "name": "annas"}, **ANNA)
        listed = {}
        for who, headers in (("anna", ANNA), ("bob", BOB)):
            tools = (await api.send("POST", "/mcp", message("tools/list"), **BOTH, **headers)).json()["result"]["tools"]
            listed[who] = {one["name"] for one in tools}
        assert listed["anna"] - listed["bob"] == {"annas"}
        stored = (await call(api, "annas", {"x": 1}, {THREAD: {}}, **ANNA)).json()["result"]["_meta"][THREAD]
        assert "Unknown tool" in (await call(api, "annas", {"x": 1}, **BOB)).json()["error"]["message"]
        refused = await call(api, "annas", {"x": 1}, {THREAD: {"thread_id": stored["thread_id"]}}, **ANNA)
        assert refused.json()["result"]["structuredContent"]["x"] == 2
        await api.send("POST", "/assistants", {"graph_id": "doubling", "name": "bobs"}, **BOB)
        taken = await call(api, "bobs", {"x": 1}, {THREAD: stored}, **BOB)
        assert f"Thread with ID {stored['thread_id']} not found" in taken.json()["error"]["message"]


async def test_users_cannot_cancel_or_resume_others(sqlite_url: str, tmp_path: Path) -> None:
    async with serving(sqlite_url, tmp_path, auth=AuthSettings(RULES)) as api:
        await api.send("POST", "/assistants", {"graph_id": "doubling", "name": "annas"}, **ANNA)
        [*_, (event_id, _)] = events((await call(api, "annas", {"x": 1}, {"progressToken": 1}, **ANNA)).text)
        mine = await api.send("GET", "/mcp", **BOTH, **ANNA, **{"last-event-id": event_id})
        others = await api.send("GET", "/mcp", **BOTH, **BOB, **{"last-event-id": event_id})
    assert (mine.status_code, others.status_code) == (200, 404)


async def test_key_needs_the_scope_run(sqlite_url: str, tmp_path: Path) -> None:
    keys = parse_api_keys("a-key-that-runs-agents:run,a-key-that-only-reads:feedback-read")
    async with serving(sqlite_url, tmp_path, api_keys=keys) as api:
        responses = [
            await api.send("POST", "/mcp", message("ping"), **BOTH, **headers)
            for headers in ({"x-api-key": "a-key-that-runs-agents"}, {"x-api-key": "a-key-that-only-reads"}, {})
        ]
    assert [one.status_code for one in responses] == [200, 403, 401]
    assert [one.json().get("error", {}).get("code") for one in responses] == [None, -32000, -32000]
    assert responses[2].headers["www-authenticate"] == "Bearer"


async def test_large_body_is_413(sqlite_url: str, tmp_path: Path) -> None:
    async with serving(sqlite_url, tmp_path, max_body_bytes=1000) as api:
        refused = await call(api, "doubling", {"x": 1, "log": ["x" * 2000]})
    assert refused.status_code == 413
    assert "too large" in refused.json()["error"]["message"] or "at most" in refused.json()["error"]["message"]


async def test_protocol_can_be_switched_off(sqlite_url: str, tmp_path: Path) -> None:
    async with serving(sqlite_url, tmp_path, http=Http(disabled=frozenset({"mcp"}))) as api:
        assert (await api.send("POST", "/mcp", message("ping"), **BOTH)).status_code in (404, 405)
        assert (await api.send("GET", "/a2a/doubling")).status_code == 200
