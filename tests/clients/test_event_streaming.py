"""Event streaming, version 2, with the official Python client: `client.threads.stream(...)`, async and sync."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient, get_sync_client

from tests.agent_server.backend import until
from tests.clients.server_process import ServerProcess

HELLO = {"messages": [{"role": "user", "content": "hello"}]}
KEYS = ["user_liked", "user_disliked"]
TRANSPORTS = ["sse", "websocket"]


@pytest.fixture
def sync_client(graphs: ServerProcess) -> Any:
    with get_sync_client(url=graphs.url, api_key="any") as client:
        yield client


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_messages_come_in_deltas_with_their_node(client: LangGraphClient, transport: Any) -> None:
    async with client.threads.stream(assistant_id="calling", transport=transport) as thread:
        await thread.run.start(input=HELLO)
        texts: list[tuple[str | None, list[str]]] = []

        async def listen(message: Any) -> None:
            texts.append((message.node, [delta async for delta in message.text]))

        async with anyio.create_task_group() as listeners:  # the client yields deltas only while it reads messages
            async for message in thread.messages:
                listeners.start_soon(listen, message)
        values = await thread.output
    assert texts == [("model", ["Let me ", "see"]), ("model", ["It", " ", "is", " ", "done"])]
    assert [message["type"] for message in values["messages"]] == ["human", "ai", "tool", "ai"]


def test_messages_come_in_deltas_to_the_sync_client(sync_client: SyncLangGraphClient) -> None:
    with sync_client.threads.stream(assistant_id="calling") as thread:
        thread.run.start(input=HELLO)
        texts = ["".join(message.text) for message in thread.messages]
        values = thread.output
    assert texts == ["Let me see", "It is done"]
    assert len(values["messages"]) == 4


async def test_tool_calls_have_input_and_output(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="calling") as thread:
        await thread.run.start(input=HELLO)
        [call] = [call async for call in thread.tool_calls]
        output = await call.output
    assert (call.name, call.input, output["content"]) == ("triple", {"number": 2}, "6")


async def test_values_come_as_they_change(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="steps") as thread:
        await thread.run.start(input={"total": 3, "pause": 0.1})
        seen = [(values or {}).get("done") async for values in thread.values]
    assert seen[-1] == [0, 1, 2]
    assert [0] in seen


async def test_subgraphs_are_found_with_what_they_say(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="delegating") as thread:
        await thread.run.start(input=HELLO)
        [helper] = [subgraph async for subgraph in thread.subgraphs]
        messages = [message async for message in helper.messages]
        texts = ["".join([delta async for delta in message.text]) for message in messages]
        calls = [call.name async for call in helper.tool_calls]
        at_root = [message async for message in thread.messages]
    assert (helper.graph_name, helper.status, texts, calls) == (
        *("helper", "completed"),
        *(["Let me see", "It is done"], ["triple"]),
    )
    assert at_root == []


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_interrupt_is_shown_and_answered(client: LangGraphClient, transport: Any) -> None:
    async with client.threads.stream(assistant_id="asking", transport=transport) as thread:
        await thread.run.start(input={"question": "how many?"})
        async for _ in thread.values:
            pass
        assert thread.interrupted
        assert [one["value"] for one in thread.interrupts] == [{"question": "how many?"}]
        await thread.run.respond("three")
        with anyio.fail_after(20):
            assert (await thread.output)["answer"] == "three"
        assert not thread.interrupted


def test_interrupt_is_answered_by_the_sync_client(sync_client: SyncLangGraphClient) -> None:
    with sync_client.threads.stream(assistant_id="asking") as thread:
        thread.run.start(input={"question": "how many?"})
        list(thread.values)
        assert thread.interrupted
        thread.run.respond("three")
        assert thread.output["answer"] == "three"


async def test_interrupt_is_answered_later_by_another_client(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="asking") as first:
        await first.run.start(input={"question": "?"})
        async for _ in first.values:
            pass
    async with client.threads.stream(first.thread_id, assistant_id="asking") as later:
        await until(lambda: later.interrupts)
        with anyio.fail_after(20):
            await later.run.respond("later")
            assert (await later.output)["answer"] == "later"


async def test_failure_is_raised_with_its_text(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="failing") as thread:
        await thread.run.start(input={})
        with pytest.raises(RuntimeError, match="Run errored: boom é <1>"):
            await thread.output


def test_failure_is_raised_to_the_sync_client(sync_client: SyncLangGraphClient) -> None:
    with sync_client.threads.stream(assistant_id="failing") as thread:
        thread.run.start(input={})
        with pytest.raises(RuntimeError, match="boom"):
            _ = thread.output


async def test_refused_command_says_why(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="nobody") as thread:
        with pytest.raises(RuntimeError, match=r"Protocol error \[invalid_argument\]: Invalid assistant"):
            await thread.run.start(input={})


async def test_cancelled_run_ends_the_wait_for_its_output(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="sleeping") as thread:
        run = await thread.run.start(input={"seconds": 600})

        async def is_running() -> bool:
            return (await client.runs.get(thread.thread_id, run["run_id"]))["status"] == "running"

        await until(is_running)
        with anyio.fail_after(20):
            await client.runs.cancel(thread.thread_id, run["run_id"])
            with pytest.raises(RuntimeError, match="The run was cancelled"):
                await thread.output


async def test_second_run_streams_only_its_own_events(client: LangGraphClient) -> None:
    """The official server replays the first run to it, whose end ends the client's projections (recorded, 0.16.7)."""
    thread_id = (await client.threads.create())["thread_id"]
    for turn in range(3):
        async with client.threads.stream(thread_id, assistant_id="tokens") as thread:
            await thread.run.start(input={"count": 3, "pause": 0.02})
            events = [event["params"]["data"] async for event in thread.subscribe(["custom"])]
        assert events == [{"token": number} for number in range(3)], turn


async def test_feedback_urls_come_as_an_extension(client: LangGraphClient) -> None:
    assistant = await client.assistants.create("steps", metadata={"feedback_keys": KEYS})
    async with client.threads.stream(assistant_id=assistant["assistant_id"]) as thread:
        await thread.run.start(input={"total": 1})
        [feedback] = [one async for one in thread.extensions["feedback"]]
        submitted = await client.http.client.post(feedback["payload"]["user_liked"], json={"score": 1})
    assert list(feedback["payload"]) == KEYS
    assert submitted.status_code == 200


def test_feedback_urls_come_to_the_sync_client(sync_client: SyncLangGraphClient) -> None:
    assistant = sync_client.assistants.create("failing", metadata={"feedback_keys": KEYS})
    with sync_client.threads.stream(assistant_id=assistant["assistant_id"]) as thread:
        thread.run.start(input={})
        [feedback] = list(thread.extensions["feedback"])
    assert list(feedback["payload"]) == KEYS


async def test_projections_interleave_in_the_order_of_the_run(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="calling") as thread:
        await thread.run.start(input=HELLO)
        channels = ["values", "updates", "messages", "tool_calls", "tasks", "checkpoints"]
        seen = [name async for name, _ in thread.interleave_projections(channels)]
    order = [name for name in seen if name not in ("tasks", "checkpoints")]
    assert order == [
        *("values", "messages", "updates", "values"),
        *("tool_calls", "updates", "values"),
        *("messages", "updates", "values"),
    ]
    assert seen.count("tasks") == 6
    assert seen.count("checkpoints") == 5
