"""WorkflowAI's unmodified SDKs run agents: the snippets of its documentation, replies, tools and errors."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uuid_utils
import workflowai
from pydantic import BaseModel
from workflowai import Run, WorkflowAIError
from workflowai.core.client.agent import Agent
from workflowai.core.domain.errors import InvalidGenerationError

from tests.clients.node import node
from tests.clients.server_process import ServerProcess

UNKNOWN_RUN = "01900000-0000-7000-8000-000000000000"
CONFIG = Path(__file__).parent / "workflowai" / "langgraph.json"


class MyAgentInput(BaseModel):
    name: str = "Ada"


class MyAgentOutput(BaseModel):
    greeting: str
    tokens: int


class Text(BaseModel):
    text: str = ""


class Messages(BaseModel):
    messages: list[dict[str, Any]] = []


class Numbers(BaseModel):
    numbers: list[int]


class Total(BaseModel):
    total: Any = None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(CONFIG, tmp_path_factory.mktemp("workflowai")) as server:
        yield server


@pytest.fixture(autouse=True)
def sdk(server: ServerProcess) -> None:
    workflowai.init(api_key="any", url=server.url)


@pytest.fixture
async def http(server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client


def agent(name: str, given: type[BaseModel], result: type[BaseModel], **options: Any) -> Agent[Any, Any]:
    return Agent(name, given, result, workflowai.shared_client.api, **options)


@workflowai.agent()
async def my_agent(given: MyAgentInput) -> Run[MyAgentOutput]: ...


async def outcomes(http: httpx.AsyncClient, agent: str, run_id: str) -> list[tuple[Any, ...]]:
    page = (await http.get(f"/v1/_/agents/{agent}/feedback", params={"run_id": run_id})).json()
    return [(item["outcome"], item["comment"], item["user_id"]) for item in page["items"]]


async def test_documents_run_returns_a_token_that_takes_feedback(http: httpx.AsyncClient) -> None:
    run = await my_agent.run(MyAgentInput())
    assert (run.output.greeting, run.output.tokens) == ("Hello Ada \u2028 é\n<1>", 17)
    assert run.duration_seconds is not None
    await workflowai.send_feedback(feedback_token=run.feedback_token, outcome="positive", comment="nice", user_id="ada")
    assert await outcomes(http, "my-agent", run.id) == [("positive", "nice", "ada")]


async def test_documents_stream_ends_with_a_token(http: httpx.AsyncClient) -> None:
    chunks = [chunk async for chunk in my_agent.stream(MyAgentInput(name="Ben"))]
    assert all(chunk.feedback_token is None for chunk in chunks[:-1])
    assert chunks[0].output.tokens == 0
    assert chunks[-1].output.tokens == 17
    await workflowai.send_feedback(feedback_token=chunks[-1].feedback_token, outcome="negative")
    assert await outcomes(http, "my_agent", chunks[-1].id) == [("negative", None, None)]


async def test_javascript_sdk_runs_streams_and_sends_feedback(server: ServerProcess, http: httpx.AsyncClient) -> None:
    shown = json.loads(await node("workflowai_runs.mjs", server.url))
    assert shown["output"]["greeting"] == "Hello Ada \u2028 é\n<1>"
    assert shown["chunks"][-1] == {"text": "one two"}
    assert await outcomes(http, "growing", shown["ids"]) == [("negative", None, None)]
    unknown, failed = shown["failures"]
    assert unknown[:2] == [404, "object_not_found"]
    assert failed == [424, "agent_run_failed", "ValueError: no way é"]


async def test_each_chunk_has_the_whole_output_so_far() -> None:
    chunks = [chunk.output.text async for chunk in agent("growing", Text, Text).stream(Text(text="one two three"))]
    assert chunks[-1] == "one two three"
    assert all("one two three".startswith(text) for text in chunks)
    assert len(set(chunks)) > 1


async def test_messages_grow_token_by_token() -> None:
    given = Messages(messages=[{"role": "user", "content": "hi"}])
    chunks = [chunk async for chunk in agent("talking", Messages, Messages).stream(given)]
    contents = [chunk.output.messages[-1]["content"] for chunk in chunks if chunk.output.messages]
    assert contents[-1] == "You said: hi, after 0"
    assert "You said:" in [content.strip() for content in contents]
    assert [message["content"] for message in chunks[-1].output.messages] == ["hi", "You said: hi, after 0"]


async def test_reply_continues_the_conversation() -> None:
    talking = agent("talking", Messages, Messages)
    run = await talking.run(Messages(messages=[{"role": "user", "content": "hi"}]))
    replied = await run.reply(user_message="and now?")
    assert replied.output.messages[-1]["content"] == "You said: and now?, after 2"
    assert replied.id != run.id
    assert replied.feedback_token != run.feedback_token


async def test_interrupt_is_a_tool_call_of_the_client() -> None:
    async def add(numbers: list[int]) -> int:
        return sum(numbers)

    run = await agent("calling", Numbers, Total, tools=[add]).run(Numbers(numbers=[1, 2, 39]))
    assert run.output.total == 42


async def test_conversation_id_names_a_thread(http: httpx.AsyncClient) -> None:
    name = f"chat {uuid.uuid4()}"
    for expected in (0, 2):
        body = {
            "task_input": {"messages": [{"role": "user", "content": "hi"}]},
            "version": "production",
            "conversation_id": name,
        }
        values = (await http.post("/v1/_/tasks/talking/schemas/1/run", json=body)).json()
        assert values["task_output"]["messages"][-1]["content"] == f"You said: hi, after {expected}"
    state = (await http.get(f"/threads/{values['conversation_id']}/state")).json()
    assert len(state["values"]["messages"]) == 4


async def test_failed_run_is_an_error_with_its_output(http: httpx.AsyncClient) -> None:
    with pytest.raises(InvalidGenerationError) as failure:
        await agent("broken", Text, Text).run(Text(text="way"))
    assert failure.value.code == "agent_run_failed"
    assert failure.value.message == "ValueError: no way é"
    body = {"task_input": {"text": "way"}, "version": "production"}
    response = await http.post("/v1/_/agents/broken/schemas/1/run", json=body)
    assert response.status_code == 424
    sent = {"feedback_token": response.json()["feedback_token"], "outcome": "negative"}
    assert (await http.post("/v1/feedback", json=sent)).status_code == 200


async def test_failed_stream_ends_with_a_typed_error() -> None:
    stream = agent("broken", Text, Text).stream(Text(text="way"))
    assert (await anext(stream)).output.text == "so far"
    with pytest.raises(InvalidGenerationError, match="no way"):
        await anext(stream)


async def test_unknown_agent_is_a_typed_error() -> None:
    with pytest.raises(WorkflowAIError) as failure:
        await agent("nonesuch", Text, Text).run(Text())
    assert (failure.value.code, failure.value.status_code) == ("object_not_found", 404)
    assert "my_agent" in failure.value.message


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("agents/growing/schemas/1/run", {"version": 1}, 422, "bad_request"),
        ("agents/growing/schemas/1/run", {"task_input": [], "version": 1}, 422, "bad_request"),
        ("agents/growing/schemas/1/run", {"task_input": {}, "version": 7}, 404, "object_not_found"),
        ("agents/growing/schemas/1/run", {"task_input": {}, "version": 10**30}, 404, "object_not_found"),
        ("agents/growing/schemas/1/run", {"task_input": {}, "version": "next"}, 404, "object_not_found"),
        ("agents/growing/schemas/1/run", {"task_input": {}, "id": "x"}, 422, "bad_request"),
        ("agents/growing/schemas/1/run", {"task_input": {}, "private_fields": ["a"]}, 400, "bad_request"),
        (f"agents/growing/runs/{UNKNOWN_RUN}/reply", {"user_message": "x"}, 404, "object_not_found"),
        ("agents/growing/runs/none/reply", {"user_message": "x"}, 422, "bad_request"),
        ("agents/growing/versions", {}, 404, "object_not_found"),
    ],
)
async def test_wrong_requests_are_refused_in_its_shape(
    http: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    response = await http.post(f"/v1/_/{path}", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.json()["error"]["status_code"] == status
    assert response.json()["error"]["message"]


async def test_other_tenant_is_not_found(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/acme/agents/growing/schemas/1/run", json={"task_input": {}})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "object_not_found")


async def test_run_has_the_clients_id_once() -> None:
    run_id = str(uuid_utils.uuid7())
    run = await agent("growing", Text, Text).run(Text(text="one"), id=run_id)
    assert run.id == run_id
    with pytest.raises(WorkflowAIError, match="already exists"):
        await agent("growing", Text, Text).run(Text(text="one"), id=run_id)


async def test_assistant_runs_by_slug_at_a_version(http: httpx.AsyncClient) -> None:
    name = f"Growing Bot {uuid.uuid4().hex}"
    assistant = (await http.post("/assistants", json={"graph_id": "growing", "name": name})).json()
    await http.patch(f"/assistants/{assistant['assistant_id']}", json={"config": {"tags": ["second"]}})
    named = name.lower().replace(" ", "-")
    for version, expected in ((1, "1"), ("1", "1"), (2, "2"), ("production", "2")):
        body = {"task_input": {"text": "one"}, "version": version, "metadata": {"from": "test"}}
        response = (await http.post(f"/v1/_/agents/{named}/schemas/1/run", json=body)).json()
        assert (response["version"]["id"], response["metadata"]) == (expected, {"from": "test"})
    await http.post("/assistants", json={"graph_id": "growing", "name": name.upper()})
    response = await http.post(f"/v1/_/agents/{named}/schemas/1/run", json={"task_input": {}})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "conflict")


async def test_silence_is_bridged_without_comments(http: httpx.AsyncClient) -> None:
    body = {"task_input": {"seconds": 6}, "version": "production", "stream": True}
    async with http.stream("POST", "/v1/_/agents/slow/schemas/1/run", json=body, timeout=20) as stream:
        lines = [line async for line in stream.aiter_lines()]
    assert all(line.startswith("data: {") for line in lines if line)
    assert sum('"wait"' in line for line in lines) >= 2
    assert '"done"' in lines[-2] or '"done"' in lines[-1]
