"""AG-UI's npm client, `HttpAgent` of `@ag-ui/client`, unmodified, against `/agui/{assistant_id}`."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx

from tests.clients.node import node
from tests.clients.server_process import ServerProcess

KEYS = {"feedbackKeys": ["user_liked"]}
CANCELLED = {"__agui_cancelled__": True}


async def run_client(server: ServerProcess, graph: str, *runs: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    """Run the client; return each run's events and error, and the client's messages, state and interrupts after it."""
    body = {"url": f"{server.url}/agui/{graph}", "runs": runs, **options}
    made = json.loads(await node("agui_http.mjs", stdin=json.dumps(body)))
    return [dict(run) for run in made]


def types_of(run: dict[str, Any]) -> list[str]:
    """Return the types of a run's events; a series of the same type counts once."""
    types = [event["type"] for event in run["events"]]
    return [one for at, one in enumerate(types) if types[at - 1 : at] != [one]]


def joined(run: dict[str, Any], kind: str) -> str:
    return "".join(event["delta"] for event in run["events"] if event["type"] == kind)


async def test_words_and_tool_calls_arrive_as_events(graphs: ServerProcess) -> None:
    [first] = await run_client(graphs, "calling", {"say": "Hello"})
    assert types_of(first) == [
        *("RUN_STARTED", "STEP_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"),
        *("TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "STEP_FINISHED"),
        *("STEP_STARTED", "TOOL_CALL_RESULT", "STEP_FINISHED"),
        *("STEP_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "STEP_FINISHED"),
        *("MESSAGES_SNAPSHOT", "RUN_FINISHED"),
    ]
    assert joined(first, "TEXT_MESSAGE_CONTENT") == "Let me seeIt is done"
    assert json.loads(joined(first, "TOOL_CALL_ARGS")) == {"number": 2}
    assert first["events"][-1]["outcome"] == {"type": "success"}
    messages = first["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant"]
    assert messages[1]["toolCalls"][0]["function"] == {"name": "triple", "arguments": '{"number":2}'}
    assert (messages[2]["content"], first["error"]) == ("6", None)


async def test_subgraphs_words_arrive(graphs: ServerProcess) -> None:
    [run] = await run_client(graphs, "delegating", {"say": "Hello"})
    assert joined(run, "TEXT_MESSAGE_CONTENT") == "Let me seeIt is done"
    assert [event["stepName"] for event in run["events"] if event["type"] == "STEP_STARTED"] == ["helper"]
    assert run["messages"][-1]["content"] == "It is done"


async def test_thread_gets_each_message_once(graphs: ServerProcess) -> None:
    thread_id = str(uuid4())
    runs = await run_client(graphs, "echoing", {"say": "One"}, {"say": "Two"}, threadId=thread_id)
    contents = [message["content"] for message in runs[1]["messages"]]
    assert contents == ["One", "You said One", "Two", "You said Two"]
    async with httpx.AsyncClient(base_url=graphs.url) as http:
        state = (await http.get(f"/threads/{thread_id}/state")).json()
        [second, _] = (await http.get(f"/threads/{thread_id}/runs")).json()
    assert [message["content"] for message in state["values"]["messages"]] == contents
    assert second["run_id"] == runs[1]["events"][0]["runId"]


async def test_state_is_shared_by_snapshot_and_delta(graphs: ServerProcess) -> None:
    [first, second] = await run_client(graphs, "steps", {}, {"edit": {"total": 3}}, state={"total": 2})
    assert types_of(first).count("STATE_SNAPSHOT") == 1
    assert (first["state"], second["state"]) == ({"total": 2, "done": [0, 1]}, {"total": 3, "done": [0, 1, 2]})
    assert second["events"][-2]["delta"] == [{"op": "add", "path": "/done/-", "value": 2}]


async def test_interrupt_is_answered_or_abandoned(graphs: ServerProcess) -> None:
    for entry, answer in (
        ({"status": "resolved", "payload": {"sure": True}}, {"sure": True}),
        ({"status": "cancelled"}, CANCELLED),
    ):
        state = {"question": "Really?"}
        [interrupted, done] = await run_client(graphs, "asking", {}, {"answer": entry}, state=state)
        [interrupt] = interrupted["events"][-1]["outcome"]["interrupts"]
        assert interrupt["metadata"]["langgraph"]["raw"] == {"question": "Really?"}
        assert interrupted["interrupts"] == [interrupt]
        assert done["events"][-1]["outcome"] == {"type": "success"}
        assert done["state"]["answer"].items() >= answer.items()


async def test_unknown_interrupt_is_a_conflict(graphs: ServerProcess) -> None:
    entry = {"interruptId": "none", "status": "resolved", "payload": 1}
    [run] = await run_client(graphs, "asking", {"resume": [entry]})
    assert run["error"]["status"] == 409
    assert run["error"]["payload"]["code"] == "conflict"
    assert "No interrupt none waits" in run["error"]["payload"]["message"]


async def test_failure_is_a_run_error(graphs: ServerProcess) -> None:
    [run] = await run_client(graphs, "failing", {})
    assert run["events"][-1] == {"type": "RUN_ERROR", "message": "boom é <1>", "code": "ValueError"}


async def test_abort_cancels_the_run(graphs: ServerProcess) -> None:
    thread_id = str(uuid4())
    state = {"seconds": 50.0}
    [run] = await run_client(graphs, "sleeping", {"abortOn": "STEP_STARTED"}, threadId=thread_id, state=state)
    run_id = run["events"][0]["runId"]
    async with httpx.AsyncClient(base_url=graphs.url, timeout=40) as http:
        await http.get(f"/threads/{thread_id}/runs/{run_id}/join")
        assert (await http.get(f"/threads/{thread_id}/runs/{run_id}")).json()["status"] == "interrupted"


async def test_request_joins_the_run_at_work(graphs: ServerProcess) -> None:
    thread = f"/threads/{uuid4()}/runs"
    given = {"assistant_id": "sleeping", "input": {"seconds": 50.0}, "if_not_exists": "create"}
    async with httpx.AsyncClient(base_url=graphs.url, timeout=30) as http:
        run_id = (await http.post(thread, json=given)).json()["run_id"]
        joining = {"threadId": thread.split("/")[2], "runId": run_id, "messages": [], "protocolVersion": "1.0"}
        async with http.stream("POST", "/agui/sleeping", json=joining) as stream:
            lines = stream.aiter_lines()
            first = json.loads((await anext(lines)).removeprefix("data: "))
            assert (first["type"], first["runId"]) == ("RUN_STARTED", run_id)
            await http.post(f"{thread}/{run_id}/cancel")
            rest = [json.loads(line[6:]) async for line in lines if line.startswith("data: ")]
    assert (rest[-1]["type"], rest[-1]["outcome"]) == ("RUN_FINISHED", {"type": "cancelled"})


async def test_page_does_a_tool_of_its_own(graphs: ServerProcess) -> None:
    tool = {"name": "paint", "description": "Paints the page", "parameters": {"type": "object", "properties": {}}}
    tools = {"tools": [tool], "context": [{"description": "The favourite colour", "value": "red"}]}
    [interrupted, done] = await run_client(
        graphs, "paging", {"say": "Paint", **tools}, {"tool": {"toolCallId": "call_page", "content": "done"}, **tools}
    )
    assert interrupted["events"][-1]["outcome"] == {"type": "success", "pendingToolCallIds": ["call_page"]}
    assert json.loads(joined(interrupted, "TOOL_CALL_ARGS")) == {"colour": "red"}
    assert joined(done, "REASONING_MESSAGE_CONTENT") == "Hm, yes"
    assert types_of(done)[2:9] == [
        *("REASONING_START", "REASONING_MESSAGE_START", "REASONING_MESSAGE_CONTENT"),
        *("REASONING_MESSAGE_END", "REASONING_END", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT"),
    ]
    assert [message["role"] for message in done["messages"]] == ["user", "assistant", "tool", "reasoning", "assistant"]
    assert done["messages"][-1]["content"] == "It is so"


async def test_urls_take_feedback_that_is_read_back(graphs: ServerProcess) -> None:
    [rated, unrated] = await run_client(graphs, "echoing", {"say": "Hello", "forwardedProps": KEYS}, {"say": "Bye"})
    [custom] = [event for event in rated["events"] if event["type"] == "CUSTOM"]
    assert (custom["name"], list(custom["value"])) == ("feedback", ["user_liked"])
    assert rated["events"][-1]["metadata"] == {"feedback": custom["value"]}
    assert "CUSTOM" not in types_of(unrated)
    run_id = rated["events"][0]["runId"]
    async with httpx.AsyncClient(base_url=graphs.url) as http:
        assert (await http.post(custom["value"]["user_liked"], json={"score": 1})).is_success
        [feedback] = (await http.get(f"/runs/{run_id}/feedback")).json()["feedback"]
        capabilities = (await http.get("/agui/echoing")).json()
    assert (feedback["key"], feedback["score"]) == ("user_liked", 1)
    assert capabilities["humanInTheLoop"]["feedback"] is True
