"""The `a2a-sdk` package, unmodified, against the server: version 1.0, and the older client of version 0.3."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from a2a.client import Client, ClientCallContext, ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.service_parameters import ServiceParametersFactory, with_a2a_extensions
from a2a.helpers import get_data_parts, get_stream_response_text, new_data_message, new_text_message
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    GetExtendedAgentCardRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import InvalidParamsError, TaskNotCancelableError, TaskNotFoundError, UnsupportedOperationError
from google.protobuf.json_format import MessageToDict

from tests.clients.server_process import ServerProcess

FEEDBACK = "https://agent-server.dev/a2a/feedback/v1"
WITH_FEEDBACK = ClientCallContext(service_parameters=ServiceParametersFactory.create([with_a2a_extensions([FEEDBACK])]))
VERSIONS = ("1.0", "0.3")
Connect = Callable[..., Any]


@pytest.fixture
def connect(graphs: ServerProcess) -> Connect:
    """Return a function that connects a client of a version with one of the tests' own graphs."""

    @asynccontextmanager
    async def connected(graph: str, version: str = "1.0", streaming: bool = False) -> AsyncIterator[Client]:
        async with httpx.AsyncClient(timeout=30) as http:
            card = await A2ACardResolver(http, f"{graphs.url}/a2a/{graph}").get_agent_card()
            only(card, version)
            factory = ClientFactory(ClientConfig(httpx_client=http, streaming=streaming))
            async with factory.create(card) as client:
                yield client

    return connected


def only(card: AgentCard, version: str) -> None:
    """Remove the interfaces of other versions from the card."""
    remaining = [one for one in card.supported_interfaces if one.protocol_version == version]
    del card.supported_interfaces[:]
    card.supported_interfaces.extend(remaining)


def text(content: str, task: Task | None = None, context_id: str | None = None) -> Message:
    message = new_text_message(content, role=Role.ROLE_USER)
    return about(message, task, context_id)


def data(content: dict[str, Any], task: Task | None = None, context_id: str | None = None) -> Message:
    return about(new_data_message(content, role=Role.ROLE_USER), task, context_id)


def about(message: Message, task: Task | None, context_id: str | None) -> Message:
    if task is not None:
        message.task_id, message.context_id = task.id, task.context_id
    elif context_id:
        message.context_id = context_id
    return message


async def sent(client: Client, message: Message, **options: Any) -> Task:
    """Send the message and return its task at the end."""
    request = SendMessageRequest(message=message, configuration=options.pop("configuration", None))
    [response] = [one async for one in client.send_message(request, **options)]
    return response.task


async def streamed(client: Client, message: Message, **options: Any) -> list[StreamResponse]:
    return [one async for one in client.send_message(SendMessageRequest(message=message), **options)]


@pytest.mark.parametrize(
    "path", ["/a2a/echoing/.well-known/agent-card.json", "/a2a/echoing/.well-known/agent.json", "/a2a/echoing"]
)
async def test_card_is_at_every_path(graphs: ServerProcess, path: str) -> None:
    async with httpx.AsyncClient(base_url=graphs.url) as http:
        card = (await http.get(path)).json()
        assert card == (await http.get("/.well-known/agent-card.json?assistant_id=echoing")).json()
        unnamed = await http.get("/.well-known/agent-card.json")
    assert card["name"] == "echoing"
    assert card["skills"][0]["metadata"]["inputSchema"]["supportsA2A"] is True
    assert unnamed.status_code == 422
    assert "several agents" in unnamed.json()["detail"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_message_completes_a_task(connect: Connect, version: str) -> None:
    async with connect("echoing", version) as client:
        task = await sent(client, text("Hello"))
        assert task.status.state == TaskState.TASK_STATE_COMPLETED
        assert task.artifacts[0].name == "Assistant Response"
        assert task.artifacts[0].parts[0].text == "You said Hello"
        assert [(one.role, one.parts[0].text) for one in task.history] == [
            (Role.ROLE_USER, "Hello"),
            (Role.ROLE_AGENT, "You said Hello"),
        ]
        again = await client.get_task(GetTaskRequest(id=task.id, history_length=1))
    assert [one.parts[0].text for one in again.history] == ["You said Hello"]
    assert again.artifacts[0].artifact_id == task.artifacts[0].artifact_id


async def test_context_carries_the_conversation(connect: Connect) -> None:
    async with connect("echoing") as client:
        first = await sent(client, text("One"))
        second = await sent(client, text("Two", context_id=first.context_id))
    assert second.id != first.id
    assert [one.parts[0].text for one in second.history] == ["One", "You said One", "Two", "You said Two"]


async def test_data_is_the_agents_input(connect: Connect) -> None:
    async with connect("steps") as client:
        task = await sent(client, data({"total": 2}))
        assert get_data_parts(task.artifacts[0].parts)[0]["done"] == [0, 1]
        with pytest.raises(InvalidParamsError, match="takes no chat messages; send a part with data"):
            await sent(client, text("Hello"))


@pytest.mark.parametrize("version", VERSIONS)
async def test_stream_brings_words_then_the_artifact(connect: Connect, version: str) -> None:
    async with connect("talking", version, streaming=True) as client:
        events = await streamed(client, text("Hello"))
    kinds = [one.WhichOneof("payload") for one in events]
    assert kinds[0] == "task"
    assert kinds[-2:] == ["artifact_update", "status_update"]
    assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
    words = [one.status_update.status.message.parts for one in events if one.HasField("status_update")]
    assert "".join(parts[0].text for parts in words if parts) == "All is well"
    assert get_stream_response_text(events[-2]) == "All is well"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("answer", ["text", "data"])
async def test_interrupted_task_is_resumed(connect: Connect, version: str, answer: str) -> None:
    async with connect("asking", version) as client:
        interrupted = await sent(client, data({"question": "Really?"}))
        assert interrupted.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        assert get_data_parts(interrupted.artifacts[0].parts)[0]["value"] == {"question": "Really?"}
        reply = text("Yes", interrupted) if answer == "text" else data({"resume": "Yes"}, interrupted)
        done = await sent(client, reply)
        assert (done.id, done.status.state) == (interrupted.id, TaskState.TASK_STATE_COMPLETED)
        assert get_data_parts(done.artifacts[0].parts)[0]["answer"] == "Yes"
        again = await client.get_task(GetTaskRequest(id=interrupted.id))
        assert again.status.state == TaskState.TASK_STATE_COMPLETED
        with pytest.raises(UnsupportedOperationError if version == "1.0" else Exception, match="has ended"):
            await sent(client, text("Again", interrupted))


async def test_message_in_a_waiting_context_resumes(connect: Connect) -> None:
    async with connect("asking", streaming=True) as client:
        events = await streamed(client, data({"question": "Really?"}))
        assert events[-1].status_update.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        assert events[-2].artifact_update.artifact.name == "Interrupt"
        done = await streamed(client, text("Yes", context_id=events[0].task.context_id))
    assert done[0].task.id == events[0].task.id
    assert done[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


@pytest.mark.parametrize("version", VERSIONS)
async def test_failure_is_a_failed_task(connect: Connect, version: str) -> None:
    async with connect("failing", version) as client:
        task = await sent(client, data({"question": "?"}))
    assert task.status.state == TaskState.TASK_STATE_FAILED
    assert task.status.message.parts[0].text == "ValueError: boom é <1>"
    assert not task.artifacts


@pytest.mark.parametrize("version", VERSIONS)
async def test_task_is_canceled_once(connect: Connect, version: str) -> None:
    async with connect("sleeping", version) as client:
        at_once = SendMessageConfiguration(return_immediately=True)
        task = await sent(client, data({"seconds": 50.0}), configuration=at_once)
        assert task.status.state in (TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING)
        canceled = await client.cancel_task(CancelTaskRequest(id=task.id))
        assert canceled.status.state == TaskState.TASK_STATE_CANCELED
        with pytest.raises(TaskNotCancelableError if version == "1.0" else Exception, match="nothing to cancel"):
            await client.cancel_task(CancelTaskRequest(id=task.id))


async def test_subscriber_gets_the_rest(connect: Connect) -> None:
    async with connect("sleeping", streaming=True) as client:
        sending = client.send_message(SendMessageRequest(message=data({"seconds": 50.0})))
        first = await anext(aiter(sending))
        await sending.aclose()
        subscribed = aiter(client.subscribe(SubscribeToTaskRequest(id=first.task.id)))
        assert (await anext(subscribed)).task.id == first.task.id
        await client.cancel_task(CancelTaskRequest(id=first.task.id))
        events = [one async for one in subscribed]
        assert events[-1].status_update.status.state == TaskState.TASK_STATE_CANCELED
        with pytest.raises(UnsupportedOperationError, match="has ended"):
            [one async for one in client.subscribe(SubscribeToTaskRequest(id=first.task.id))]


@pytest.mark.parametrize(
    "task_id", ["nothing", "018f0000-0000-7000-8000-000000000001:018f0000-0000-7000-8000-000000000002"]
)
async def test_unknown_task_is_not_found(connect: Connect, task_id: str) -> None:
    calls: list[Callable[[Client], Awaitable[Any]]] = [
        lambda client: client.get_task(GetTaskRequest(id=task_id)),
        lambda client: client.cancel_task(CancelTaskRequest(id=task_id)),
        lambda client: sent(client, text("Hello", Task(id=task_id))),
    ]
    async with connect("echoing") as client:
        for call in calls:
            with pytest.raises(TaskNotFoundError):
                await call(client)


async def test_tasks_are_listed_in_pages(connect: Connect) -> None:
    async with connect("asking") as client:
        interrupted = await sent(client, data({"question": "1"}))
        await sent(client, text("Yes", interrupted))
        waiting = await sent(client, data({"question": "2"}, context_id=interrupted.context_id))
        listed = [
            await client.list_tasks(ListTasksRequest(context_id=interrupted.context_id, page_size=1, page_token=token))
            for token in ("", "1")
        ]
        found = await client.list_tasks(
            ListTasksRequest(
                context_id=interrupted.context_id, status=TaskState.TASK_STATE_INPUT_REQUIRED, include_artifacts=True
            )
        )
    assert [[task.id for task in page.tasks] for page in listed] == [[waiting.id], [interrupted.id]]
    assert [(page.total_size, page.next_page_token) for page in listed] == [(2, "1"), (2, "")]
    assert [task.id for task in found.tasks] == [waiting.id]
    assert found.tasks[0].artifacts[0].name == "Interrupt"


async def test_extended_card_names_the_extension(connect: Connect) -> None:
    async with connect("echoing") as client:
        card = await client.get_extended_agent_card(GetExtendedAgentCardRequest())
    [extension] = card.capabilities.extensions
    assert extension.uri == FEEDBACK
    assert extension.params["method"] == "SubmitFeedback"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("streaming", [False, True])
async def test_urls_take_feedback_that_is_read_back(
    connect: Connect, graphs: ServerProcess, version: str, streaming: bool
) -> None:
    message = text("Hello")
    message.metadata.update({FEEDBACK: {"keys": ["user_liked"]}})
    async with connect("echoing", version, streaming) as client:
        if streaming:
            events = await streamed(client, message, context=WITH_FEEDBACK)
            artifact = next(one.artifact_update.artifact for one in events if one.HasField("artifact_update"))
        else:
            artifact = (await sent(client, message, context=WITH_FEEDBACK)).artifacts[0]
    assert list(artifact.extensions) == [FEEDBACK]
    received = MessageToDict(artifact.metadata)[FEEDBACK]
    assert received.keys() == {"urls", "keys", "expiresAt"}
    run_id = artifact.artifact_id.removesuffix("-response")
    async with httpx.AsyncClient(base_url=graphs.url) as http:
        assert (await http.post(received["urls"]["user_liked"], json={"score": 1})).status_code == 200
        feedback = (await http.get(f"/runs/{run_id}/feedback")).json()["feedback"]
    assert [(one["key"], one["score"]) for one in feedback] == [("user_liked", 1)]


async def test_feedback_is_off_without_the_extension(connect: Connect) -> None:
    message = text("Hello")
    message.metadata.update({FEEDBACK: {"keys": ["user_liked"]}})
    async with connect("echoing") as client:
        artifact = (await sent(client, message)).artifacts[0]
    assert not artifact.extensions
    assert not artifact.metadata


@pytest.mark.parametrize(("by", "source"), [("user", "app"), ("agent", "model")])
async def test_method_submits_feedback(connect: Connect, graphs: ServerProcess, by: str, source: str) -> None:
    message = text("Hello")
    message.metadata.update({FEEDBACK: {"keys": ["user_liked"]}})
    async with connect("echoing") as client:
        task = await sent(client, message, context=WITH_FEEDBACK)
    params = {"taskId": task.id, "artifactId": task.artifacts[0].artifact_id, "score": 0, "comment": "No", "by": by}
    async with httpx.AsyncClient(base_url=graphs.url) as http:
        call = {"jsonrpc": "2.0", "id": 1, "method": "SubmitFeedback", "params": params}
        stored = (await http.post("/a2a/echoing", json=call)).json()["result"]
        run_id = task.artifacts[0].artifact_id.removesuffix("-response")
        [one] = (await http.get(f"/runs/{run_id}/feedback")).json()["feedback"]
    assert (one["id"], one["key"], one["score"], one["comment"]) == (stored["id"], "user_liked", 0, "No")
    assert one["feedback_source"]["type"] == stored["source"] == source
