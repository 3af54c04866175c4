"""The official Python client, `langgraph_sdk`, unmodified, against a server on a real port."""

from __future__ import annotations

import ast
import asyncio
import inspect
import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError, UnprocessableEntityError
from langgraph_sdk.schema import StreamPart

from tests.clients.server_process import ServerProcess

KEYS = ["user_liked", "user_disliked"]
JOKE = {"messages": [{"role": "user", "content": "Tell me a joke about databases."}]}

# Copied from the official document on user feedback.
DOCUMENT = """
from langgraph_sdk import get_client
client = get_client(url="<DEPLOYMENT_URL>", api_key="<API_KEY>")
thread = await client.threads.create()
thread_id = thread["thread_id"]
feedback_urls = {}
async for event in client.runs.stream(
    thread_id,
    "agent",
    input={
        "messages": [
            {"role": "user", "content": "Tell me a joke about databases."}
        ]
    },
    stream_mode="updates",
    feedback_keys=["user_liked", "user_disliked"],
):
    if event.event == "feedback":
        # Example: {"user_liked": ".../feedback/tokens/<id>", "user_disliked": "..."}
        feedback_urls = event.data
        print("Feedback URLs:", feedback_urls)
    elif event.event == "updates":
        print(event.data)
"""


async def test_documented_snippet_prints_updates_and_feedback_urls(
    example: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    source = DOCUMENT.replace("<DEPLOYMENT_URL>", example.url)
    names: dict[str, Any] = {}
    code = compile(source, "document", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    done = eval(code, names)
    assert inspect.iscoroutine(done)
    await asyncio.wait_for(done, 20)
    await names["client"].aclose()
    update, feedback = capsys.readouterr().out.splitlines()
    assert update.startswith("{'answer': {'messages': [{'content': ")
    assert feedback == f"Feedback URLs: {names['feedback_urls']}"
    assert list(names["feedback_urls"]) == KEYS
    for url in names["feedback_urls"].values():
        assert url.startswith(f"{example.url}/api/v1/feedback/tokens/")


def test_sync_client_gets_the_same_events(example: ServerProcess) -> None:
    with get_sync_client(url=example.url, api_key="any") as client:
        thread_id = client.threads.create()["thread_id"]
        parts = list(client.runs.stream(thread_id, "agent", input=JOKE, stream_mode="updates", feedback_keys=KEYS))
        assert [part.event for part in parts] == ["metadata", "updates", "feedback"]
        waited = client.runs.wait(thread_id, "agent", input=JOKE)
        assert isinstance(waited, dict)
        assert [message["type"] for message in waited["messages"]] == ["human", "ai"] * 2


async def test_stateless_run_streams_with_feedback(example_client: LangGraphClient) -> None:
    parts = await events(example_client, None, "agent", input=JOKE, stream_mode="updates", feedback_keys=KEYS)
    assert [part.event for part in parts] == ["metadata", "updates", "feedback"]
    assert await example_client.runs.wait(None, "plain", input={"text": "a b"})


async def test_event_ids_are_present_and_increase(client: LangGraphClient) -> None:
    parts = await events(client, None, "steps", input={"total": 3}, stream_mode=["updates", "values"])
    positions = [tuple(map(int, str(part.id).split("-"))) for part in parts]
    assert positions == sorted(set(positions))


async def test_several_modes_share_a_stream_ending_with_feedback(client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    modes: list[Any] = ["values", "updates", "tasks", "checkpoints", "debug", "custom", "events", "messages-tuple"]
    parts = await events(
        client, thread_id, "tokens", input={"count": 3}, stream_mode=modes, stream_resumable=True, feedback_keys=KEYS
    )
    assert parts[0].event == "metadata"
    assert parts[-1].event == "feedback"
    assert {part.event for part in parts} == {
        "metadata", "values", "updates", "tasks", "checkpoints", "debug", "custom", "events", "feedback"
    }  # fmt: skip
    assert [part.data for part in parts if part.event == "custom"] == [{"token": number} for number in range(3)]


async def test_messages_tuple_brings_the_answer_token_by_token(example_client: LangGraphClient) -> None:
    parts = await events(example_client, None, "agent", input=JOKE, stream_mode=["messages-tuple", "values"])
    received = "".join(part.data[0]["content"] for part in parts if part.event == "messages")
    *_, values = [part.data for part in parts if part.event == "values"]
    assert received == values["messages"][-1]["content"]


async def test_failed_run_gives_feedback_and_then_the_error(client: LangGraphClient) -> None:
    parts = await events(client, None, "failing", input={"question": "?"}, stream_mode="updates", feedback_keys=KEYS)
    assert [part.event for part in parts] == ["metadata", "feedback", "error"]
    assert parts[-1].data == {"error": "ValueError", "message": "boom é <1>"}


async def test_waiting_for_a_failed_run_raises_its_error(client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    with pytest.raises(Exception, match="ValueError: boom é <1>"):
        await client.runs.wait(thread_id, "failing", input={"question": "?"})
    waited = await client.runs.wait(None, "failing", input={"question": "?"}, raise_error=False)
    assert waited == {"__error__": {"error": "ValueError", "message": "boom é <1>"}}
    assert (await client.threads.get(thread_id))["status"] == "error"
    [run] = await client.runs.list(thread_id)
    assert run["status"] == "error"


async def test_interrupted_run_sends_feedback_and_is_resumed(client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    parts = await events(
        client, thread_id, "asking", input={"question": "why?"}, stream_mode="updates", feedback_keys=KEYS
    )
    assert [part.event for part in parts] == ["metadata", "updates", "feedback"]
    assert parts[1].data["__interrupt__"][0]["value"] == {"question": "why?"}
    thread = await client.threads.get(thread_id)
    assert thread["status"] == "interrupted"
    assert [asked["value"] for asked in next(iter(thread["interrupts"].values()))] == [{"question": "why?"}]
    resumed = await client.runs.wait(thread_id, "asking", command={"resume": "because"})
    assert resumed == {"question": "why?", "answer": "because"}
    assert (await client.threads.get(thread_id))["status"] == "idle"


@pytest.mark.parametrize("path", ["/runs/wait", "/threads/{thread_id}/runs/wait"])
async def test_wait_answers_with_feedback_urls(client: LangGraphClient, graphs: ServerProcess, path: str) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    body = {"assistant_id": "asking", "input": {"question": "?"}, "feedback_keys": KEYS}
    async with httpx.AsyncClient(base_url=graphs.url, timeout=20) as http:
        values = (await http.post(path.format(thread_id=thread_id), json=body)).json()
        assert list(values["__feedback__"]) == KEYS
        assert values["__interrupt__"][0]["value"] == {"question": "?"}
        for url in values["__feedback__"].values():
            assert (await http.post(url, json={"score": 1})).status_code == 200


async def test_background_run_is_joined_streamed_listed_and_read(client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    run = await client.runs.create(
        thread_id, "steps", input={"total": 4, "pause": 0.02}, stream_mode="updates", metadata={"who": "me"}
    )
    assert run["status"] == "pending"
    joined = [part async for part in client.runs.join_stream(thread_id, run["run_id"])]
    assert [part.data["step"]["done"] for part in joined if part.event == "updates"] == [[0], [1], [2], [3]]
    values = await client.runs.join(thread_id, run["run_id"])
    assert values["done"] == [0, 1, 2, 3]
    read = await client.runs.get(thread_id, run["run_id"])
    assert (read["status"], read["metadata"]["who"]) == ("success", "me")
    assert [listed["run_id"] for listed in await client.runs.list(thread_id)] == [run["run_id"]]
    assert [listed["run_id"] for listed in await client.runs.list(thread_id, status="success")] == [run["run_id"]]
    assert await client.runs.list(thread_id, status="error") == []
    state = await client.threads.get_state(thread_id)
    assert (state["values"]["done"], state["next"]) == ([0, 1, 2, 3], [])


async def test_join_returns_its_runs_own_result(client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    first = await client.runs.create(thread_id, "asking", input={"question": "first"})
    second = await client.runs.create(thread_id, "asking", input={"question": "second"})
    assert (await client.runs.join(thread_id, second["run_id"]))["question"] == "second"
    assert (await client.runs.join(thread_id, first["run_id"]))["question"] == "first"


async def test_finished_runs_stream_is_replayed_with_feedback(client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    parts = await events(client, thread_id, "steps", input={"total": 3}, stream_mode="updates", feedback_keys=KEYS)
    run_id = parts[0].data["run_id"]
    assert [part async for part in client.runs.join_stream(thread_id, run_id)] == parts
    after = client.runs.join_stream(thread_id, run_id, last_event_id=str(parts[1].id))
    assert [part async for part in after] == parts[2:]


async def test_cancel_interrupts_a_run(client: LangGraphClient) -> None:
    thread_id, run_id = await running(client)
    await client.runs.cancel(thread_id, run_id, wait=True)
    assert (await client.runs.get(thread_id, run_id))["status"] == "interrupted"
    assert (await client.threads.get(thread_id))["status"] == "interrupted"


async def test_rollback_removes_the_run_and_what_it_did(client: LangGraphClient) -> None:
    thread_id, run_id = await running(client)
    await client.runs.cancel(thread_id, run_id, wait=True, action="rollback")
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, run_id)
    assert await client.runs.list(thread_id) == []
    assert not (await client.threads.get_state(thread_id))["values"]
    assert (await client.threads.get(thread_id))["status"] == "idle"


async def test_busy_thread_rejects_a_run_on_request(client: LangGraphClient) -> None:
    thread_id, run_id = await running(client)
    with pytest.raises(ConflictError, match="already running a task"):
        await client.runs.create(thread_id, "steps", input={"total": 1}, multitask_strategy="reject")
    await client.runs.cancel(thread_id, run_id, wait=True)


async def test_newer_run_interrupts_an_older_on_request(client: LangGraphClient) -> None:
    thread_id, run_id = await running(client)
    await client.runs.wait(thread_id, "asking", input={"question": "?"}, multitask_strategy="interrupt")
    assert (await client.runs.get(thread_id, run_id))["status"] == "interrupted"


async def test_run_is_cancelled_on_disconnect_on_request(client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    stream = client.runs.stream(thread_id, "sleeping", input={"seconds": 30}, on_disconnect="cancel")
    part = await anext(stream)
    await stream.aclose()
    assert await ended(client, thread_id, part.data["run_id"]) == "interrupted"


async def test_run_goes_on_when_its_client_leaves(client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    stream = client.runs.stream(thread_id, "sleeping", input={"seconds": 0.5})
    part = await anext(stream)
    await stream.aclose()
    assert await ended(client, thread_id, part.data["run_id"]) == "success"


async def test_unknown_things_are_not_found(client: LangGraphClient) -> None:
    unknown = str(uuid.uuid4())
    thread_id = (await client.threads.create())["thread_id"]
    for asking in (
        client.threads.get(unknown),
        client.threads.get_state(unknown),
        client.runs.create(unknown, "steps", input={}),
        client.runs.create(thread_id, unknown, input={}),
        client.runs.get(thread_id, unknown),
        client.runs.list(unknown),
        client.runs.join(thread_id, unknown),
        client.runs.cancel(thread_id, unknown),
        client.assistants.get(unknown),
        events(client, unknown, "steps"),
    ):
        with pytest.raises((NotFoundError, httpx.HTTPStatusError)) as raised:
            await asking
        assert raised.value.response.status_code == 404


async def test_malformed_requests_say_what_would_be_right(client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    with pytest.raises(UnprocessableEntityError, match="steps"):
        await client.runs.create(thread_id, "nonesuch", input={})
    with pytest.raises(UnprocessableEntityError, match="bogus"):
        await client.runs.create(thread_id, "steps", input={}, stream_mode="bogus")
    with pytest.raises(UnprocessableEntityError, match="UUID"):
        await client.threads.get("nonesuch")


async def test_every_graph_has_an_assistant(client: LangGraphClient) -> None:
    found = await client.assistants.search(graph_id="steps")
    assert isinstance(found, list)
    [assistant] = [one for one in found if one["metadata"] == {"created_by": "system"}]  # other tests create more
    assert (await client.assistants.get(assistant["assistant_id"]))["graph_id"] == "steps"
    waited = await client.runs.wait(None, assistant["assistant_id"], input={"total": 1})
    assert isinstance(waited, dict)
    assert waited["done"] == [0]


async def test_threads_are_created_found_changed_and_deleted(client: LangGraphClient) -> None:
    mark = uuid.uuid4().hex
    thread = await client.threads.create(metadata={"mark": mark})
    found = await client.threads.search(metadata={"mark": mark})
    assert [one["thread_id"] for one in found] == [thread["thread_id"]]
    changed = await client.threads.update(thread["thread_id"], metadata={"more": 1})
    assert changed is None or changed["metadata"] == {"mark": mark, "more": 1}
    with pytest.raises(ConflictError):
        await client.threads.create(thread_id=thread["thread_id"])
    await client.threads.delete(thread["thread_id"])
    with pytest.raises(NotFoundError):
        await client.threads.get(thread["thread_id"])


async def events(client: LangGraphClient, thread_id: str | None, agent: str, **more: Any) -> list[StreamPart]:
    """Return everything that the run's stream yields."""
    async with asyncio.timeout(20):
        return [part async for part in client.runs.stream(thread_id, agent, **more)]


async def running(client: LangGraphClient) -> tuple[str, str]:
    """Start a long run on a new thread; return both ids once it runs."""
    thread_id = (await client.threads.create())["thread_id"]
    long = {"total": 1000, "pause": 0.05}
    run = await client.runs.create(thread_id, "steps", input=long, stream_mode="updates")
    async with asyncio.timeout(20):
        async for part in client.runs.join_stream(thread_id, run["run_id"]):
            if part.event == "updates":
                break
    return thread_id, run["run_id"]


async def ended(client: LangGraphClient, thread_id: str, run_id: str) -> str:
    """Wait for the run's end and return its status."""
    async with asyncio.timeout(20):
        await client.runs.join(thread_id, run_id)
    return (await client.runs.get(thread_id, run_id))["status"]
