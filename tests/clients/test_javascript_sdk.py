"""The official JavaScript clients, `@langchain/langgraph-sdk` and `langsmith`, unmodified, in Node."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.clients.conftest import StartServer
from tests.clients.cutting_proxy import CuttingProxy
from tests.clients.node import node, run_node
from tests.clients.server_process import ServerProcess

KEYS = ["user_liked", "user_disliked"]

# Copied from the official document on user feedback.
DOCUMENT = """
import { Client } from "@langchain/langgraph-sdk";
const client = new Client({ apiUrl: "<DEPLOYMENT_URL>", apiKey: "<API_KEY>" });
const thread = await client.threads.create();
const threadId = thread.thread_id;
let feedbackUrls = {};
const streamResponse = client.runs.stream(threadId, "agent", {
input: {
messages: [{ role: "user", content: "Tell me a joke about databases." }],
},
streamMode: "updates",
feedbackKeys: ["user_liked", "user_disliked"],
});
for await (const event of streamResponse) {
if (event.event === "feedback") {
// Example: { user_liked: ".../feedback/tokens/<id>", user_disliked: "..." }
feedbackUrls = event.data;
console.log("Feedback URLs:", feedbackUrls);
} else if (event.event === "updates") {
console.log(event.data);
}
}
"""


@pytest.mark.parametrize("package", ["@langchain/langgraph-sdk", "langgraph-sdk-2"])
async def test_documented_snippet_prints_updates_and_feedback_urls(example: ServerProcess, package: str) -> None:
    """Runs with npm's `latest`, and with 2.0.0, which is older despite its number."""
    document = DOCUMENT.replace("@langchain/langgraph-sdk", package).replace("<DEPLOYMENT_URL>", example.url)
    printed = await node("--input-type=module", stdin=document)
    assert printed.startswith("{ answer: { messages: [ [Object] ] } }\nFeedback URLs: {")
    for key in KEYS:
        assert f"{key}: '{example.url}/api/v1/feedback/tokens/" in printed


@pytest.mark.parametrize("thread", [True, False], ids=["on a thread", "stateless"])
async def test_stream_ends_with_feedback(graphs: ServerProcess, thread: bool) -> None:
    events = await stream(graphs.url, "steps", thread, input={"total": 3}, streamMode=["updates", "values"])
    assert [event["event"] for event in events] == ["metadata", "values", *["updates", "values"] * 3, "feedback"]
    assert list(events[-1]["data"]) == KEYS
    assert [event["id"] for event in events] == [f"1-{number}" for number in range(9)]


async def test_failed_run_gives_feedback_and_then_the_error(graphs: ServerProcess) -> None:
    events = await stream(graphs.url, "failing", True, input={"question": "?"}, streamMode="updates")
    assert [event["event"] for event in events] == ["metadata", "feedback", "error"]
    assert events[-1]["data"] == {"error": "ValueError", "message": "boom é <1>"}


async def test_background_run_is_joined_in_selected_modes(graphs: ServerProcess) -> None:
    payload = {"input": {"total": 3, "pause": 0.02}, "streamMode": ["values", "updates", "tasks"]}
    body = {"assistant": "steps", "thread": True, "payload": payload, "background": True}
    for modes, expected in ((["updates", "tasks"], {"updates", "tasks"}), (None, {"values", "updates", "tasks"})):
        printed = await node("stream.mjs", graphs.url, json.dumps({**body, "modes": modes}))
        assert {json.loads(line)["event"] for line in printed.splitlines()} == {"metadata", *expected}


async def test_quiet_stream_is_not_troubled_by_heartbeats(graphs: ServerProcess) -> None:
    events = await stream(graphs.url, "sleeping", False, input={"seconds": 6}, streamMode="updates")
    assert [event["event"] for event in events if event["data"] is not None] == ["metadata", "updates", "feedback"]


@pytest.mark.parametrize("thread", [True, False], ids=["on a thread", "stateless"])
async def test_broken_connection_delivers_every_event_once(graphs: ServerProcess, thread: bool) -> None:
    cuts = [b"id: 1-4\r\n", b'{"step":{"done":[8', b"event: feedback"]
    async with CuttingProxy(graphs.port, cuts).listening() as proxy:
        given = {"total": 12, "pause": 0.02}
        events = await stream(proxy.url, "steps", thread, input=given, streamMode="updates")
    assert cuts == []
    assert [event["id"] for event in events] == [f"1-{number}" for number in range(14)]
    assert [event["data"]["step"]["done"] for event in events[1:-1]] == [[number] for number in range(12)]


@pytest.mark.timeout(120)
async def test_server_restart_never_ends_a_stream(start_server: StartServer) -> None:
    """This client fails if the server is not back when it retries; a client that joins then misses nothing."""
    server = await asyncio.to_thread(start_server)
    payload = {"input": {"total": 40, "pause": 0.1}, "streamMode": ["updates", "values"], "feedbackKeys": KEYS}
    body = {"assistant": "steps", "thread": False, "payload": payload}
    streaming = asyncio.create_task(run_node("stream.mjs", server.url, json.dumps(body)))
    await asyncio.sleep(2)
    assert not streaming.done()
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)
    ending, printed, complaints = await streaming
    events = [json.loads(line) for line in printed.splitlines()]
    if ending != 0:
        assert "Unable to connect to LangGraph server" in complaints
        join = {"runId": events[0]["data"]["run_id"], "lastEventId": events[-1]["id"]}
        printed = await node("stream.mjs", server.url, json.dumps({"join": join}))
        events += [json.loads(line) for line in printed.splitlines()]
    assert [event["data"]["attempt"] for event in events if event["event"] == "metadata"] == [1, 2]
    assert events[-1]["event"] == "feedback"
    assert events[-2]["data"]["done"] == list(range(40))
    received = {number for event in events if event["event"] == "updates" for number in event["data"]["step"]["done"]}
    assert received == set(range(40))


async def test_runs_are_waited_for_resumed_joined_and_listed(graphs: ServerProcess) -> None:
    shown = json.loads(await node("runs.mjs", graphs.url))
    answered = {"question": "why?", "answer": "because"}
    failure = shown.pop("failure")
    assert shown == {
        "asked": {"question": "why?"},
        "status": "interrupted",
        "answered": answered,
        "values": answered,
        "runs": 2,
        "statuses": [{"status": "success"}] * 2,
        "first": "metadata",
        "joined": answered,
        "graph": "asking",
        "missing": 404,
    }
    assert "boom é <1>" in failure


@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1"])
async def test_urls_take_feedback_that_langsmiths_client_reads_back(graphs: ServerProcess, prefix: str) -> None:
    shown = json.loads(await node("feedback.mjs", graphs.url, prefix))
    assert shown == {
        "statuses": [200, 200, 200, 422],
        "tokens": 3,
        "listedToken": True,
        "read": {"run": True, "key": "review", "score": 0.5, "comment": "by hand"},
        "listed": {"review": 0.5, "stars": 4, "user_disliked": 0, "user_liked": 1},
        "source": "api",
    }


async def stream(url: str, assistant: str, thread: bool, **payload: Any) -> list[dict[str, Any]]:
    """Return the events that the JavaScript client receives of a run with feedback keys."""
    body = {"assistant": assistant, "thread": thread, "payload": {**payload, "feedbackKeys": KEYS}}
    return [json.loads(line) for line in (await node("stream.mjs", url, json.dumps(body))).splitlines()]
