"""The `openai` package, unmodified, against the server: models and chat completions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import httpx
import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk

from tests.agent_server.backend import until
from tests.clients.server_process import ServerProcess

KEYS = {"feedback_keys": ["user_liked"]}
FUNCTION: Any = {"type": "function", "function": {"name": "interrupt", "parameters": {"type": "object"}}}


@pytest.fixture
async def client(graphs: ServerProcess) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{graphs.url}/v1", api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
async def http(graphs: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=graphs.url) as http:
        yield http


def user(content: Any) -> Any:
    return {"role": "user", "content": content}


def run_id_of(completion: Any) -> str:
    return str(completion.id).removeprefix("chatcmpl-")


async def streamed(client: AsyncOpenAI, model: str, content: Any, **options: Any) -> list[ChatCompletionChunk]:
    stream = await client.chat.completions.create(model=model, messages=[user(content)], stream=True, **options)
    return [chunk async for chunk in stream]


async def test_assistants_are_models(client: AsyncOpenAI) -> None:
    models = {model.id: model async for model in client.models.list()}
    assert {"echoing", "asking", "steps"} <= set(models)
    assert models["echoing"].owned_by == "agent-server"
    found = await client.models.retrieve("Echoing")
    assert (found.id, found.object, found.created) == ("Echoing", "model", models["echoing"].created)
    with pytest.raises(openai.NotFoundError, match="no agent 'nothing'") as refused:
        await client.models.retrieve("nothing")
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


async def test_conversation_is_answered(client: AsyncOpenAI, http: httpx.AsyncClient) -> None:
    messages: Any = [
        {"role": "developer", "content": "Be kind"},
        user("One"),
        {"role": "assistant", "content": "You said One"},
        user([{"type": "text", "text": "Two"}]),
    ]
    completion = await client.chat.completions.create(
        model="echoing", messages=messages, user="ada", temperature=0.3, max_tokens=5, metadata={"app": "shop"}
    )
    [choice] = completion.choices
    assert (choice.message.content, choice.finish_reason) == ("You said Two", "stop")
    assert completion.metadata == {"app": "shop"}
    assert completion.usage is None
    run = (await http.get(f"/runs/{run_id_of(completion)}/join")).json()
    assert [one["content"] for one in run["messages"]] == ["Be kind", "One", "You said One", "Two", "You said Two"]


async def test_stream_brings_words_then_feedback(client: AsyncOpenAI) -> None:
    *words, last = await streamed(client, "calling", "Hello", extra_body=KEYS)
    assert len({chunk.id for chunk in words} | {last.id}) == 1
    assert words[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in words) == "Let me see\n\nIt is done"
    assert [chunk.choices[0].finish_reason for chunk in (words[-1], last)] == [None, "stop"]
    assert set(last.choices[0].feedback) == {"user_liked"}  # type: ignore[attr-defined]
    assert all(not hasattr(chunk.choices[0], "feedback_token") for chunk in words)


@pytest.mark.parametrize("asks", [{"extra_body": KEYS}, {"metadata": {"feedback_keys": "user_liked, other"}}], ids=str)
async def test_urls_take_feedback_that_is_read_back(
    client: AsyncOpenAI, http: httpx.AsyncClient, asks: dict[str, Any]
) -> None:
    completion = await client.chat.completions.create(model="echoing", messages=[user("Hello")], **asks)
    choice: Any = completion.choices[0]
    assert (await http.post(choice.feedback["user_liked"], json={"score": 1})).status_code == 200
    sent = {"feedback_token": choice.feedback_token, "outcome": "negative", "user_id": "ben"}
    assert (await http.post("/v1/feedback", json=sent)).status_code == 200
    feedback = (await http.get(f"/runs/{run_id_of(completion)}/feedback")).json()["feedback"]
    assert {one["score"] for one in feedback} == {0, 1}


async def test_thread_carries_the_conversation(client: AsyncOpenAI, http: httpx.AsyncClient) -> None:
    name = f"chat {uuid4()}"
    first = await client.chat.completions.create(
        model="echoing",
        messages=[{"role": "system", "content": "Be kind"}, user("One")],
        metadata={"thread_id": name},
    )
    history: Any = [{"role": "system", "content": "Be kind"}, user("One"), first.choices[0].message.to_dict()]
    second: Any = await client.chat.completions.create(
        model="echoing", messages=[*history, user("Two")], extra_headers={"X-Thread-Id": name}
    )
    state = (await http.get(f"/threads/{second.thread_id}/state")).json()["values"]["messages"]
    assert [one["content"] for one in state] == ["Be kind", "One", "You said One", "Two", "You said Two"]
    assert second.choices[0].message.content == "You said Two"


async def test_question_is_answered_by_text(client: AsyncOpenAI) -> None:
    asked: Any = await client.chat.completions.create(
        model="asking", messages=[user('{"question": "why?"}')], store=True
    )
    assert (asked.choices[0].message.content, asked.choices[0].finish_reason) == ("why?", "stop")
    assert asked.choices[0].interrupts[0]["value"] == {"question": "why?"}
    answered = await client.chat.completions.create(
        model="asking", messages=[user("because")], extra_body={"thread_id": asked.thread_id}
    )
    assert json.loads(answered.choices[0].message.content or "")["answer"] == "because"


async def test_resume_answers_with_any_value(client: AsyncOpenAI) -> None:
    thread_id = str(uuid4())
    for body, expected in ({}, None), ({"resume": {"so": [1]}}, {"so": [1]}):
        completion = await client.chat.completions.create(
            model="asking", messages=[user('{"question": "why?"}')], extra_body={"thread_id": thread_id, **body}
        )
        answer = completion.choices[0].message.content or ""
        assert answer == "why?" if expected is None else json.loads(answer)["answer"] == expected
    with pytest.raises(openai.BadRequestError, match="asks nothing"):
        await client.chat.completions.create(
            model="asking", messages=[], extra_body={"thread_id": thread_id, "resume": 1}
        )


@pytest.mark.parametrize("stream", [False, True])
async def test_question_is_a_call_of_a_function(client: AsyncOpenAI, stream: bool) -> None:
    given = user('{"question": "why?"}')
    create = client.chat.completions.create
    if stream:
        chunks = await streamed(client, "asking", given["content"], store=True, tools=[FUNCTION])
        assert chunks[-1].choices[0].finish_reason == "tool_calls"
        [call] = [one for chunk in chunks for one in chunk.choices[0].delta.tool_calls or ()]
    else:
        interrupted = await create(model="asking", messages=[given], store=True, tools=[FUNCTION])
        assert (interrupted.choices[0].finish_reason, interrupted.choices[0].message.content) == ("tool_calls", None)
        [call] = interrupted.choices[0].message.tool_calls or ()  # type: ignore[assignment]
    assert json.loads(call.function.arguments) == {"value": {"question": "why?"}}  # type: ignore[union-attr,arg-type]
    calls: Any = {"role": "assistant", "tool_calls": [{"index": 0, "type": "function", **call.to_dict()}]}
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": '{"because": 1}'}
    answered = await create(model="asking", messages=[given, calls, result], tools=[FUNCTION])
    assert json.loads(answered.choices[0].message.content or "")["answer"] == {"because": 1}
    with pytest.raises(openai.NotFoundError, match="does not wait"):
        await create(model="asking", messages=[given, calls, result])


async def test_failed_run_is_an_error(client: AsyncOpenAI) -> None:
    given = '{"question": "?"}'
    with pytest.raises(openai.APIStatusError, match="ValueError: boom é <1>") as failed:
        await client.with_options(max_retries=2).chat.completions.create(model="failing", messages=[user(given)])
    assert (failed.value.status_code, failed.value.code) == (424, "agent_run_failed")
    with pytest.raises(openai.APIError, match="ValueError: boom é <1>") as ended:
        await streamed(client, "failing", given)
    assert (ended.value.type, ended.value.code) == ("agent_error", "agent_run_failed")


async def test_run_stops_when_its_client_leaves(client: AsyncOpenAI, http: httpx.AsyncClient) -> None:
    given = [user('{"seconds": 50}')]
    threads = [str(uuid4()), str(uuid4())]
    stream = await client.chat.completions.create(
        model="sleeping", messages=given, stream=True, extra_body={"thread_id": threads[0]}
    )
    await anext(aiter(stream))
    await stream.close()
    with pytest.raises(openai.APITimeoutError):
        await client.chat.completions.create(
            model="sleeping", messages=given, extra_body={"thread_id": threads[1]}, timeout=1
        )
    for thread_id in threads:
        await until(has_stopped(http, thread_id))


def has_stopped(http: httpx.AsyncClient, thread_id: str) -> Callable[[], Any]:
    async def look() -> bool:
        return [one["status"] for one in (await http.get(f"/threads/{thread_id}/runs")).json()] == ["interrupted"]

    return look


@pytest.mark.parametrize(
    ("model", "messages", "options", "parameter"),
    [
        ("echoing", [], {}, "messages"),
        ("echoing", [{"role": "robot", "content": "x"}], {}, "messages[0].role"),
        ("echoing", [user(7)], {}, "messages[0].content"),
        ("echoing", [user([{"type": "video"}])], {}, "messages[0].content[0]"),
        ("echoing", [user([{"type": "file", "file": {"file_id": "f"}}])], {}, "messages[0].content[0]"),
        ("echoing", [user("x"), {"role": "tool", "content": "x"}], {}, "messages[1].tool_call_id"),
        ("echoing", [user("x")], {"n": 2}, "n"),
        ("echoing", [user("x")], {"logprobs": True}, "logprobs"),
        ("echoing", [user("x")], {"tools": [FUNCTION], "tool_choice": "required"}, "tool_choice"),
        ("echoing", [user("x")], {"response_format": {"type": "json_object"}}, "response_format"),
        ("echoing", [user("x")], {"metadata": {"feedback_keys": ","}, "extra_body": {"context": 7}}, "context"),
        ("steps", [user("Hello")], {}, "messages"),
    ],
)
async def test_wrong_request_names_its_parameter(
    client: AsyncOpenAI, model: str, messages: Any, options: Any, parameter: str
) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(model=model, messages=messages, stream=stream, **options)
        assert (refused.value.param, refused.value.type) == (parameter, "invalid_request_error")
