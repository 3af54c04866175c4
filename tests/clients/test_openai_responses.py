"""The `openai` package, unmodified, against the server: responses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from tests.agent_server.backend import until
from tests.clients.server_process import ServerProcess

KEYS = {"feedback_keys": ["user_liked"]}
QUESTION = '{"question": "why?"}'
FUNCTION: Any = {"type": "function", "name": "interrupt", "parameters": {"type": "object"}, "strict": False}


@pytest.fixture
async def client(graphs: ServerProcess) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{graphs.url}/v1", api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
async def http(graphs: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=graphs.url) as http:
        yield http


async def test_response_is_stored_and_continued(client: AsyncOpenAI, http: httpx.AsyncClient) -> None:
    first: Any = await client.responses.create(
        model="echoing", input="One", instructions="Be kind", metadata={"app": "shop"}, user="ada"
    )
    assert (first.status, first.output_text, first.metadata) == ("completed", "You said One", {"app": "shop"})
    parts: Any = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Two"}]}]
    second: Any = await client.responses.create(
        model="echoing", input=parts, instructions="Be terse", previous_response_id=first.id
    )
    assert second.previous_response_id == first.id
    stored = await client.responses.retrieve(second.id)
    assert (stored.output_text, stored.output[0].id) == ("You said Two", second.output[0].id)
    state = (await http.get(f"/threads/{second.thread_id}/state")).json()["values"]["messages"]
    assert [one["content"] for one in state] == ["Be terse", "One", "You said One", "Two", "You said Two"]
    with pytest.raises(openai.BadRequestError, match=f"continue from {second.id}"):
        await client.responses.create(model="echoing", input="Three", previous_response_id=first.id)


async def test_conversation_has_a_thread(client: AsyncOpenAI, http: httpx.AsyncClient) -> None:
    name = f"talk {uuid4()}"
    first: Any = await client.responses.create(model="echoing", input="One", conversation=name)
    second: Any = await client.responses.create(
        model="echoing", input="Two", conversation={"id": first.conversation.id}
    )
    assert second.thread_id == first.thread_id
    state = (await http.get(f"/threads/{first.thread_id}/state")).json()["values"]["messages"]
    assert [one["content"] for one in state] == ["One", "You said One", "Two", "You said Two"]


async def test_unstored_response_is_gone(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="echoing", input="One", store=False)
    assert response.output_text == "You said One"
    with pytest.raises(openai.NotFoundError, match="store: false") as gone:
        await client.responses.retrieve(response.id)
    assert gone.value.code == "response_not_found"
    with pytest.raises(openai.NotFoundError) as refused:
        await client.responses.create(model="echoing", input="Two", previous_response_id=response.id)
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")


async def test_stream_makes_the_same_response(client: AsyncOpenAI) -> None:
    async with client.responses.stream(model="calling", input="Hello", extra_body=KEYS) as stream:
        events = [event async for event in stream]
        final: Any = await stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [part.content[0].text for part in final.output] == ["Let me see", "It is done"]
    assert set(final.feedback) == {"user_liked"}
    again = await client.responses.retrieve(final.id)
    assert [(one.id, one.content[0].text) for one in again.output] == [  # type: ignore[union-attr]
        (one.id, one.content[0].text) for one in final.output
    ]
    assert set(again.feedback) == {"user_liked"}  # type: ignore[attr-defined]


async def test_stream_goes_on_after_an_event(client: AsyncOpenAI) -> None:
    stream: Any = await client.responses.create(model="calling", input="Hello", stream=True)
    events = [event async for event in stream]
    rest: Any = await client.responses.retrieve(events[0].response.id, stream=True, starting_after=7)
    assert [event.type async for event in rest] == [event.type for event in events[8:]]


async def test_urls_take_feedback_that_is_read_back(client: AsyncOpenAI, http: httpx.AsyncClient) -> None:
    response: Any = await client.responses.create(model="echoing", input="Hello", extra_body=KEYS)
    assert (await http.post(response.feedback["user_liked"], json={"score": 1})).status_code == 200
    sent = {"feedback_token": response.feedback_token, "outcome": "negative", "user_id": "ben"}
    assert (await http.post("/v1/feedback", json=sent)).status_code == 200
    feedback = (await http.get(f"/runs/{response.id.removeprefix('resp_')}/feedback")).json()["feedback"]
    assert {one["score"] for one in feedback} == {0, 1}


@pytest.mark.parametrize("stream", [False, True])
async def test_question_is_a_function_call(client: AsyncOpenAI, stream: bool) -> None:
    if stream:
        async with client.responses.stream(model="asking", input=QUESTION, tools=[FUNCTION]) as events:
            interrupted: Any = await events.get_final_response()
    else:
        interrupted = await client.responses.create(model="asking", input=QUESTION, tools=[FUNCTION])
    [call] = interrupted.output
    assert (call.type, json.loads(call.arguments)) == ("function_call", {"value": {"question": "why?"}})
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": '{"because": 1}'}
    sent: Any = [{"role": "user", "content": QUESTION}, call.to_dict(), result]
    for more in ({"input": [result], "previous_response_id": interrupted.id}, {"input": sent})[stream:][:1]:
        answered = await client.responses.create(model="asking", **more)  # type: ignore[call-overload]
        assert json.loads(answered.output_text)["answer"] == {"because": 1}


async def test_question_is_answered_by_text(client: AsyncOpenAI) -> None:
    asked: Any = await client.responses.create(model="asking", input=QUESTION)
    assert (asked.output_text, asked.interrupts[0]["value"]) == ("why?", {"question": "why?"})
    answered = await client.responses.create(model="asking", input="because", previous_response_id=asked.id)
    assert json.loads(answered.output_text)["answer"] == "because"


async def test_background_response_is_cancelled(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="sleeping", input='{"seconds": 50}', background=True)
    assert response.status in ("queued", "in_progress")

    async def is_at_work() -> bool:
        return (await client.responses.retrieve(response.id)).status == "in_progress"

    await until(is_at_work)
    assert (await client.responses.cancel(response.id)).status == "cancelled"
    with pytest.raises(openai.ConflictError, match="already ended"):
        await client.responses.cancel(response.id)
    await client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(response.id)


async def test_background_response_outlives_its_client(client: AsyncOpenAI) -> None:
    stream: Any = await client.responses.create(
        model="steps", input='{"total": 3, "pause": 0.05}', background=True, stream=True
    )
    created = await anext(aiter(stream))
    await stream.close()

    async def is_done() -> bool:
        return (await client.responses.retrieve(created.response.id)).status == "completed"

    await until(is_done)
    assert json.loads((await client.responses.retrieve(created.response.id)).output_text)["done"] == [0, 1, 2]


async def test_run_stops_when_its_client_leaves(client: AsyncOpenAI) -> None:
    stream: Any = await client.responses.create(model="sleeping", input='{"seconds": 50}', stream=True)
    created = await anext(aiter(stream))
    await stream.close()

    async def is_cancelled() -> bool:
        return (await client.responses.retrieve(created.response.id)).status == "cancelled"

    await until(is_cancelled)


async def test_failed_run_is_an_error(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="ValueError: boom é <1>") as failed:
        await client.responses.create(model="failing", input='{"question": "?"}')
    assert (failed.value.status_code, failed.value.code) == (424, "agent_run_failed")
    stream: Any = await client.responses.create(model="failing", input='{"question": "?"}', stream=True)
    *_, last = [event async for event in stream]
    assert (last.type, last.response.error.message) == ("response.failed", "ValueError: boom é <1>")
    stored = await client.responses.retrieve(last.response.id)
    assert stored.error is not None
    assert (stored.status, stored.error.message) == ("failed", "ValueError: boom é <1>")


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"input": []}, "messages"),
        ({"input": [{"type": "web_search_call"}]}, "input[0].type"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "x"}]}, "input[0].arguments"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, "input[0].content[0]"),
        ({"conversation": {"id": 7}}, "conversation"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"background": True, "store": False}, "store"),
        ({"tools": [FUNCTION], "tool_choice": "required"}, "tool_choice"),
        ({"extra_body": {"resume": 1}}, "resume"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_wrong_request_names_its_parameter(client: AsyncOpenAI, options: Any, parameter: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.create(**{"model": "echoing", "input": "Hello", **options})
    assert refused.value.param == parameter
