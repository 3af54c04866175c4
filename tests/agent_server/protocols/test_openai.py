"""OpenAI's API with plain requests: usage, tools, images, API keys, rules, switches, errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from agent_server.config import AuthSettings
from agent_server.config.api_keys import parse_api_keys
from agent_server.config.values import Http
from tests.agent_server.access.test_auth_users import ANNA, BOB, RULES
from tests.agent_server.api import Api, serving

CHAT = "/v1/chat/completions"
USED = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7, "input_token_details": {"cache_read": 3}}
CALL = {"name": "pay", "args": {"euros": 3}, "id": "call_1", "type": "tool_call"}


async def metered(_: MessagesState) -> dict[str, Any]:
    first = AIMessage("One", usage_metadata=USED)
    return {"messages": [first, AIMessage("Two", usage_metadata=USED, response_metadata={"finish_reason": "length"})]}


async def calling(_: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage("Wait", tool_calls=[CALL])]}


async def paying(_: MessagesState) -> dict[str, Any]:
    paid = interrupt({"name": "pay", "args": {"euros": 3}})
    return {"messages": [AIMessage(f"Paid {paid}")]}


async def showing(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage(json.dumps(state["messages"][-1].content))]}


async def counting(given: dict[str, Any]) -> AsyncIterator[Any]:
    yield f"{len(given.get('messages', ()))} "
    yield "messages" if "messages" in given else str(given)


def graph(node: Any) -> Any:
    return StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()


AGENTS = {
    "metered": graph(metered),
    "calls": graph(calling),
    "paying": graph(paying),
    "seeing": graph(showing),
    "counting": counting,
}


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path, agents=AGENTS) as api:
        yield api


def body(model: str, content: Any = "Hello", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": content}], **more}


async def chunks(api: Api, body: dict[str, Any]) -> list[Any]:
    text = (await api.send("POST", CHAT, {**body, "stream": True})).text
    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    return [json.loads(event) for event in events]


def refusal(response: httpx.Response) -> tuple[int, Any, Any]:
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return response.status_code, error["type"], error["code"]


async def test_usage_is_the_sum_of_the_messages(api: Api) -> None:
    completion = await api.post(CHAT, body("metered"))
    usage = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
    assert completion["usage"].items() >= usage.items()
    assert completion["usage"]["prompt_tokens_details"] == {"cached_tokens": 6}
    assert completion["choices"][0]["finish_reason"] == "length"
    assert completion["choices"][0]["message"]["content"] == "One\n\nTwo"
    for asks in (True, False):
        streamed = await chunks(api, body("metered", stream_options={"include_usage": asks}))
        assert [one["usage"]["total_tokens"] for one in streamed if "usage" in one] == ([14] if asks else [])
        text = "".join(one["choices"][0]["delta"].get("content", "") for one in streamed if one["choices"])
        assert text == "One\n\nTwo"


async def test_usage_leaves_out_earlier_turns(api: Api) -> None:
    for _ in range(2):
        completion = await api.post(CHAT, body("metered", thread_id="metered thread"))
        assert completion["usage"]["total_tokens"] == 14


async def test_open_tool_calls_are_the_clients(api: Api) -> None:
    choice = (await api.post(CHAT, body("calls")))["choices"][0]
    [call] = choice["message"]["tool_calls"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", "Wait")
    assert (call["id"], json.loads(call["function"]["arguments"])) == ("call_1", {"euros": 3})
    *_, before, last = await chunks(api, body("calls"))
    assert before["choices"][0]["delta"]["tool_calls"] == [{"index": 0, **call}]
    assert last["choices"][0]["finish_reason"] == "tool_calls"


async def test_interrupt_names_the_clients_function(api: Api) -> None:
    tools = [{"type": "function", "function": {"name": "pay"}}]
    interrupted = (await api.post(CHAT, body("paying", store=True, tools=tools)))["choices"][0]
    [call] = interrupted["message"]["tool_calls"]
    assert call["function"] == {"name": "pay", "arguments": '{"euros":3}'}
    unknown = (await api.post(CHAT, body("paying", tools=tools, tool_choice="none", store=True)))["choices"][0]
    assert "tool_calls" not in unknown["message"]
    stateless = (await api.post(CHAT, body("paying", tools=tools)))["choices"][0]
    assert (stateless["finish_reason"], "tool_calls" in stateless["message"]) == ("stop", False)
    result = {"role": "tool", "tool_call_id": call["id"], "content": "in cash"}
    sent = [{"role": "user", "content": "Hello"}, interrupted["message"], result]
    paid = await api.post(CHAT, {"model": "paying", "messages": sent})
    assert paid["choices"][0]["message"]["content"] == "Paid in cash"


async def test_images_and_files_reach_the_graph(api: Api) -> None:
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,QUJD", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}},
    ]
    completion = await api.post(CHAT, body("seeing", parts))
    text, image, address, sound, file = json.loads(completion["choices"][0]["message"]["content"])
    assert text == {"type": "text", "text": "What is it?"}
    assert image == {"type": "image", "base64": "QUJD", "mime_type": "image/jpeg"}
    assert address == {"type": "image", "url": "https://a.example/b.png"}
    assert sound == {"type": "audio", "base64": "QUJD", "mime_type": "audio/mp3"}
    assert file | {"extras": {}} == {"type": "file", "base64": "QUJD", "mime_type": "application/pdf", "extras": {}}


async def test_plain_function_is_a_model(api: Api) -> None:
    for content, expected in (("Hello", "1 messages"), ('{"a": 1}', "0 {'a': 1}")):
        completion = await api.post(CHAT, body("counting", content))
        assert completion["choices"][0]["message"]["content"] == expected
        streamed = await chunks(api, body("counting", content))
        assert "".join(one["choices"][0]["delta"].get("content", "") for one in streamed) == expected
    result = await api.post(CHAT, body("echo", '{"a": 1}'))
    assert json.loads(result["choices"][0]["message"]["content"]) == {"echo": {"a": 1}}
    assert (await api.post(CHAT, body("doubling", '{"x": 2}', response_format={"type": "json_object"})))["choices"]


async def test_models_have_names_that_find_them(api: Api) -> None:
    for name in ("Support Bot", "twin", "Twin", "echo"):
        assert (await api.send("POST", "/assistants", {"graph_id": "doubling", "name": name})).status_code == 200
    models = {one["id"]: one for one in (await api.get("/v1/models"))["data"]}
    assert {"support-bot", "doubling", "echo"} <= set(models)
    assert "twin" not in models
    twins = [one for one in models.values() if one["name"].lower() == "twin"]
    assert [one["id"] for one in twins] == [one["assistant_id"] for one in twins]
    for model_id, model in models.items():
        found = await api.get(f"/v1/models/{model_id}")
        assert found["assistant_id"] == model["assistant_id"]
    ambiguous = await api.send("POST", CHAT, body("twin"))
    assert refusal(ambiguous) == (400, "invalid_request_error", "ambiguous_model")


async def test_users_have_their_own_models_and_threads(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path, agents=AGENTS, auth=AuthSettings(RULES)) as api:
        assert refusal(await api.send("GET", "/v1/models")) == (401, "authentication_error", "invalid_api_key")
        assert refusal(await api.send("POST", CHAT, body("paying")))[0] == 401
        await api.send("POST", "/assistants", {"graph_id": "paying", "name": "Hers"}, **ANNA)
        listed = [
            {one["id"] for one in (await api.send("GET", "/v1/models", **who)).json()["data"]} for who in (ANNA, BOB)
        ]
        assert listed[0] - listed[1] == {"hers"}
        stored = (await api.send("POST", CHAT, body("hers", store=True), **ANNA)).json()
        assert stored["choices"][0]["interrupts"]
        assert refusal(await api.send("POST", CHAT, body("hers"), **BOB)) == (
            404,
            "invalid_request_error",
            "model_not_found",
        )
        for more in ({}, {"resume": 1}):
            taken = await api.send("POST", CHAT, body("paying", thread_id=stored["thread_id"], **more), **BOB)
            assert refusal(taken) == (404, "invalid_request_error", "not_found")
        named = [(await api.send("POST", CHAT, body("canned", thread_id="x"), **who)).json() for who in (ANNA, BOB)]
        assert named[0]["thread_id"] != named[1]["thread_id"]


async def test_key_needs_the_scope_run(sqlite_url: str, tmp_path: Path) -> None:
    keys = parse_api_keys("a-key-that-runs-agents:run,a-key-that-only-reads:feedback-read")
    async with serving(sqlite_url, tmp_path, api_keys=keys) as api:
        sent = [("GET", "/v1/models", None), ("GET", "/v1/models/echo", None), ("POST", CHAT, body("canned"))]
        for method, path, content in sent:
            statuses = [
                await api.send(method, path, content, authorization=f"Bearer {key}")
                for key in ("a-key-that-runs-agents", "a-key-that-only-reads", "wrong")
            ]
            assert [one.status_code for one in statuses] == [200, 403, 401]
            assert refusal(statuses[1])[1:] == ("permission_error", "forbidden")


async def test_errors_have_openais_shape(sqlite_url: str, tmp_path: Path) -> None:
    async with serving(sqlite_url, tmp_path, max_body_bytes=1000) as api:
        assert refusal(await api.send("POST", CHAT, body("canned", "x" * 2000)))[0::2] == (413, "request_too_large")
        assert refusal(await api.send("POST", "/v1/embeddings", {"input": "x"}))[0::2] == (404, "not_found")
        assert refusal(await api.send("DELETE", "/v1/models"))[0::2] == (405, "method_not_allowed")
        for wrong in ("{", "[]", "", '{"model": 7, "messages": []}', '{"messages": []}', '{"other": 1}'):
            refused = await api._client.post(CHAT, content=wrong, headers={"content-type": "application/json"})
            assert refusal(refused)[:2] == (400, "invalid_request_error"), wrong
            assert refused.headers["x-should-retry"] == "false"


async def test_protocol_is_switched_off(sqlite_url: str, tmp_path: Path) -> None:
    async with serving(sqlite_url, tmp_path, http=Http(disabled=frozenset({"openai"}))) as api:
        assert (await api.send("POST", CHAT, body("canned"))).status_code == 404
        assert (await api.send("GET", "/v1/models")).status_code == 404
        assert (await api.send("POST", "/v1/_/agents", {"id": "echo"})).status_code == 200


async def test_users_have_their_own_responses(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path, auth=AuthSettings(RULES)) as api:
        request_body = {"model": "canned", "input": "Hello"}
        response_id = (await api.send("POST", "/v1/responses", request_body, **ANNA)).json()["id"]
        path = f"/v1/responses/{response_id}"
        for method, place in (("GET", path), ("GET", f"{path}?stream=true"), ("POST", f"{path}/cancel")):
            refused = await api.send(method, place, **BOB)
            assert refusal(refused) == (404, "invalid_request_error", "response_not_found"), place
        assert refusal(await api.send("DELETE", path, **BOB))[2] == "response_not_found"
        taken = await api.send("POST", "/v1/responses", {**request_body, "previous_response_id": response_id}, **BOB)
        assert taken.status_code == 404
        assert (await api.send("GET", path, **ANNA)).json()["status"] == "completed"
        assert (await api.send("DELETE", path, **ANNA)).json()["deleted"] is True
