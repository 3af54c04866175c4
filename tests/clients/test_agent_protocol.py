"""Every operation of the Agent Protocol's OpenAPI document responds as the document's schemas require.

`agent_protocol/openapi.json` is version 0.1.6 of https://github.com/langchain-ai/agent-protocol (MIT), unmodified.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jsonschema_rs
import pytest
from websockets.asyncio.client import connect

from tests.clients.server_process import ServerProcess

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parent / "agent_protocol" / "openapi.json").read_text())
OPERATIONS = {f"{method.upper()} {path}" for path, item in DOCUMENT["paths"].items() for method in item}
LANGGRAPHS = {"POST /store/namespaces"}
"""Operations that LangGraph's API, which its SDKs need, has at the same path in another shape."""
MESSAGES = [{"role": "user", "content": "Hello"}]


class Protocol:
    """Call operations and check their responses against the document."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.called: set[str] = set()

    async def __call__(self, operation: str, body: Any = None, status: int = 200, **given: Any) -> Any:
        """Call the operation, check the response's status and schema, and return its JSON."""
        self.called.add(operation)
        method, path = operation.split(" ")
        named = {name: value for name, value in given.items() if f"{{{name}}}" in path}
        query = {name: value for name, value in given.items() if name not in named}
        response = await self.http.request(method, path.format(**named), params=query, json=body)
        assert response.status_code == status, (operation, response.text)
        content = DOCUMENT["paths"][path][method.lower()]["responses"][str(status)].get("content", {})
        if "application/json" not in content or not content["application/json"].get("schema"):
            return response.text
        shown = response.json()
        if operation not in LANGGRAPHS:
            valid(content["application/json"]["schema"], shown)
        return shown


def valid(schema: dict[str, Any], shown: Any) -> None:
    """Check a body against the schema; a null counts as a missing field, as in LangGraph's API."""
    jsonschema_rs.validate({**schema, "components": DOCUMENT["components"]}, without_nulls(shown))


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


@pytest.fixture
async def call(graphs: ServerProcess) -> AsyncIterator[Protocol]:
    async with httpx.AsyncClient(base_url=graphs.url, timeout=30) as http:
        yield Protocol(http)


async def test_every_operation_answers_in_its_schema(call: Protocol, graphs: ServerProcess) -> None:
    await agents(call)
    await threads(call)
    await runs(call)
    await streams(call, graphs.url)
    await store(call)
    assert call.called | {"POST /runs/{run_id}/cancel"} == OPERATIONS  # another test calls the cancel operation


async def agents(call: Protocol) -> None:
    [agent] = await call("POST /agents/search", {"name": "echoing", "limit": 5})
    assert agent["capabilities"] == {"ap.io.messages": True, "ap.io.streaming": True}
    for agent_id in (agent["agent_id"], "echoing"):
        assert await call("GET /agents/{agent_id}", agent_id=agent_id) == agent
    schemas = await call("GET /agents/{agent_id}/schemas", agent_id=agent["agent_id"])
    assert "messages" in schemas["input_schema"]["properties"]
    await call("GET /agents/{agent_id}", agent_id=str(uuid4()), status=404)


async def threads(call: Protocol) -> None:
    name = str(uuid4())
    thread_id = (await call("POST /threads", {"metadata": {"name": name}}))["thread_id"]
    await call("POST /threads", {"thread_id": thread_id}, status=409)
    await call("POST /runs/wait", {"agent_id": "echoing", "thread_id": thread_id, "messages": MESSAGES})
    assert len(await call("POST /threads/search", {"metadata": {"name": name}})) == 1
    assert (await call("GET /threads/{thread_id}", thread_id=thread_id))["values"]["messages"]
    assert await call("GET /threads/{thread_id}/history", thread_id=thread_id, limit=5)
    copied = await call("POST /threads/{thread_id}/copy", thread_id=thread_id)
    await call("PATCH /threads/{thread_id}", {"metadata": {"a": 1}}, thread_id=thread_id)
    await call("DELETE /threads/{thread_id}", thread_id=copied["thread_id"], status=204)
    await call("GET /threads/{thread_id}", thread_id=copied["thread_id"], status=404)


async def runs(call: Protocol) -> None:
    name = str(uuid4())
    begun = await call("POST /runs", {"agent_id": "echoing", "messages": MESSAGES, "metadata": {"name": name}})
    run_id = begun["run_id"]
    ended = await call("GET /runs/{run_id}/wait", run_id=run_id)
    assert ended["run"]["status"] == "success"
    assert [(one["role"], one["content"]) for one in ended["messages"]] == [
        ("user", "Hello"),
        ("assistant", "You said Hello"),
    ]
    assert "messages" not in ended["values"]
    assert (await call("GET /runs/{run_id}", run_id=run_id))["status"] == "success"
    for which in ({"agent_id": "echoing"}, {"status": "success"}, {"thread_id": begun["thread_id"]}, {}):
        found = await call("POST /runs/search", {"metadata": {"name": name}, **which})
        assert [one["run_id"] for one in found] == [run_id], which
    assert await call("POST /runs/search", {"metadata": {"name": name}, "status": "error"}) == []
    assert "event: values" in await call("GET /runs/{run_id}/stream", run_id=run_id)
    await call("DELETE /runs/{run_id}", run_id=run_id, status=204)
    await call("GET /runs/{run_id}", run_id=run_id, status=404)
    assert "event: updates" in await call(
        "POST /runs/stream", {"agent_id": "steps", "input": {"total": 1}, "stream_mode": "updates"}
    )
    waited = await call("POST /runs/wait", {"agent_id": "steps", "input": {"total": 2}})
    assert waited["values"]["done"] == [0, 1]
    await call("POST /runs/wait", {"agent_id": "nothing", "input": {}}, status=422)


async def streams(call: Protocol, url: str) -> None:
    thread_id = str(uuid4())
    start = {"id": 1, "method": "run.start", "params": {"assistant_id": "echoing", "input": {"messages": MESSAGES}}}
    assert (await call("POST /threads/{thread_id}/commands", start, thread_id=thread_id))["type"] == "success"
    call.called.add("POST /threads/{thread_id}/stream")
    path, body = f"/threads/{thread_id}/stream", {"channels": ["values", "lifecycle"], "since": 0}
    async with call.http.stream("POST", path, json=body) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                valid({"$ref": "#/components/schemas/StreamingEvent"}, event)
                if "You said Hello" in line:
                    break
    call.called.add("GET /threads/{thread_id}/stream")
    async with connect(f"{url.replace('http', 'ws')}{path}") as socket:
        await socket.send(json.dumps({"id": 2, "method": "subscription.subscribe", "params": body}))
        valid({"$ref": "#/components/schemas/StreamingCommandResponse"}, json.loads(await socket.recv()))
        valid({"$ref": "#/components/schemas/StreamingEvent"}, json.loads(await socket.recv()))


async def store(call: Protocol) -> None:
    item = {"namespace": ["agent protocol", str(uuid4())], "key": "k"}
    await call("PUT /store/items", {**item, "value": {"a": 1}}, status=204)
    assert (await call("GET /store/items", **item))["value"] == {"a": 1}
    found = await call("POST /store/items/search", {"namespace_prefix": item["namespace"]})
    assert [one["key"] for one in found["items"]] == ["k"]
    assert item["namespace"] in (await call("POST /store/namespaces", {"prefix": ["agent protocol"]}))["namespaces"]
    await call("DELETE /store/items", item, status=204)
    assert (await call.http.get("/store/items", params=item)).json() is None  # no 404, as in LangGraph's API


async def test_background_run_is_cancelled(call: Protocol) -> None:
    thread_id = (await call("POST /threads", {}))["thread_id"]
    body = {"agent_id": "sleeping", "input": {"seconds": 50}, "thread_id": thread_id}
    run_id = (await call("POST /runs", body))["run_id"]
    await call("POST /runs/{run_id}/cancel", run_id=run_id, status=204, wait=True)
    ended = await call("GET /runs/{run_id}/wait", run_id=run_id)
    assert (ended["run"]["status"], ended["run"]["thread_id"]) == ("interrupted", thread_id)


async def test_failed_run_shows_its_error(call: Protocol) -> None:
    ended = await call("POST /runs/wait", {"agent_id": "failing", "input": {"question": "?"}})
    assert ended["run"]["status"] == "error"
    assert ended["error"] == {"error": "ValueError", "message": "boom é <1>"}


async def test_run_names_its_feedback_urls(call: Protocol) -> None:
    body = {"agent_id": "echoing", "messages": MESSAGES, "feedback_keys": ["user_liked"]}
    ended = await call("POST /runs/wait", body)
    assert (await call.http.post(ended["feedback"]["user_liked"], json={"score": 1})).status_code == 200
    feedback = (await call.http.get(f"/runs/{ended['run']['run_id']}/feedback")).json()["feedback"]
    assert [one["score"] for one in feedback] == [1]
    again = await call("GET /runs/{run_id}/wait", run_id=ended["run"]["run_id"])
    assert set(again["feedback"]) == {"user_liked"}


async def test_interrupted_thread_is_resumed(call: Protocol) -> None:
    body = {"agent_id": "asking", "input": {"question": "why?"}, "thread_id": str(uuid4()), "if_not_exists": "create"}
    interrupted = await call("POST /runs/wait", body)
    assert interrupted["values"]["__interrupt__"][0]["value"] == {"question": "why?"}
    answered = await call("POST /runs/wait", {**body, "input": None, "command": {"resume": "because"}})
    assert answered["values"]["answer"] == "because"
