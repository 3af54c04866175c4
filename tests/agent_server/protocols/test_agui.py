"""`/agui` with plain requests: bad input, resumption, joining, ids, rules, switches, conversions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonpatch import JsonPatch

from agent_server.config import AuthSettings, Http
from agent_server.config.api_keys import parse_api_keys
from agent_server.protocols.agui.messages import chat_messages, convert_to_agui_messages
from agent_server.protocols.agui.open_messages import Chunk, OpenMessages
from agent_server.protocols.agui.schema import run_agent_input
from agent_server.protocols.agui.state import json_patch
from tests.agent_server.api import Api, serving

RULES = str(Path(__file__).parents[1] / "rules.py") + ":auth"
ANNA = {"Authorization": "Bearer token-anna"}
BOB = {"Authorization": "Bearer token-bob"}
USER = {"id": "m1", "role": "user", "content": "Hello"}


@pytest.fixture
async def api(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(sqlite_url, tmp_path) as api:
        yield api


def run_input(**fields: Any) -> dict[str, Any]:
    return {"threadId": str(uuid4()), "runId": str(uuid4()), "messages": [], "protocolVersion": "1.0", **fields}


async def ran(api: Api, graph: str, body: dict[str, Any], **headers: str) -> list[tuple[str | None, dict[str, Any]]]:
    """Run the graph and return the run's events, each with its id if it has one."""
    response = await api.send("POST", f"/agui/{graph}", body, **headers)
    assert response.status_code == 200, response.text
    return events_of(response.text)


def events_of(text: str) -> list[tuple[str | None, dict[str, Any]]]:
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            events.append((fields.get("id"), json.loads(fields["data"])))
    return events


def types_of(events: list[tuple[str | None, dict[str, Any]]]) -> list[str]:
    return [event["type"] for _, event in events]


WRONG_INPUT: list[tuple[Any, str]] = [
    ([], "must be a RunAgentInput"),
    ({}, "threadId"),
    ({"threadId": 1, "runId": "r", "messages": []}, "threadId"),
    ({"threadId": "", "runId": "r", "messages": []}, "threadId must not be empty"),
    ({"threadId": "t", "runId": "r"}, "messages"),
    ({"threadId": "t", "runId": "r", "messages": [{"role": "user", "content": "a"}]}, "`id`"),
    ({"threadId": "t", "runId": "r", "messages": [{"role": "robot", "id": "a"}]}, "robot"),
    ({"threadId": "t", "runId": "r", "messages": [{**USER, "content": [{"type": "image"}]}]}, "source"),
    ({"threadId": "t", "runId": "r", "messages": [], "tools": [{}]}, "tools"),
    ({"threadId": "t", "runId": "r", "messages": [], "resume": [{"interruptId": "i", "status": "x"}]}, "status"),
    ({"threadId": "t", "runId": "r", "messages": [], "forwardedProps": {"feedbackKeys": "k"}}, "feedbackKeys"),
    ({"threadId": "t", "runId": "r", "messages": [], "forwardedProps": {"webhook": "ftp://x"}}, "Webhook must"),
]


async def test_wrong_input_is_a_clear_run_error(api: Api) -> None:
    for body, message in WRONG_INPUT:
        response = await api.send("POST", "/agui/doubling", body)
        error = response.json()
        assert (response.status_code, error["type"], error["code"]) == (422, "RUN_ERROR", "invalid_input"), body
        assert message in error["message"], error


async def test_errors_have_codes_of_their_status(api: Api) -> None:
    headers = {"content-type": "application/json"}
    unreadable = await api._client.post("/agui/doubling", content="{", headers=headers)
    assert (unreadable.status_code, unreadable.json()["code"]) == (422, "invalid_input")
    unknown = await api.send("POST", f"/agui/{uuid4()}", run_input())
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    lost = await api.send("POST", "/agui/doubling", run_input(), **{"last-event-id": "1-2"})
    assert (lost.status_code, lost.json()["code"]) == (404, "not_found")
    malformed = await api.send("POST", "/agui/doubling", run_input(), **{"last-event-id": "x"})
    assert "Last-Event-ID" in malformed.json()["message"]
    assert (await api.send("GET", f"/agui/{uuid4()}")).json()["type"] == "RUN_ERROR"


async def test_stream_resumes_after_any_event(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path) as api:
        body = run_input(messages=[USER])
        whole = await ran(api, "chat", body)
        assert types_of(whole)[0] == "RUN_STARTED"
        assert await ran(api, "chat", body) == whole
        places = [place for place, _ in whole if place]
        assert len(set(places)) == len(places) > 4
        for place in places:
            rest = whole[[at for at, _ in whole].index(place) + 1 :]
            assert await ran(api, "chat", body, **{"last-event-id": place}) == rest
        runs = await api.get(f"/threads/{body['threadId']}/runs")
    assert [run["run_id"] for run in runs] == [body["runId"]]


async def test_run_id_of_another_run_conflicts(api: Api) -> None:
    body = run_input(state={"x": 1})
    await ran(api, "doubling", body)
    for graph, other in (("writing", body), ("doubling", {**body, "threadId": str(uuid4())})):
        response = await api.send("POST", f"/agui/{graph}", other)
        assert (response.status_code, response.json()["code"]) == (409, "conflict")


async def test_ids_may_be_any_text(api: Api) -> None:
    body = run_input(threadId="my thread", runId="first", state={"x": 1})
    events = await ran(api, "doubling", body)
    started, finished = events[0][1], events[-1][1]
    assert [(one["threadId"], one["runId"]) for one in (started, finished)] == [("my thread", "first")] * 2
    assert await ran(api, "doubling", body) == events
    again = await ran(api, "doubling", {**body, "runId": "second", "state": {"x": 5}})
    assert again[0][1]["metadata"]["thread_id"] == started["metadata"]["thread_id"]
    run = await api.get(f"/threads/{started['metadata']['thread_id']}/runs/{started['metadata']['run_id']}")
    assert run["status"] == "success"


async def test_clients_before_1_0_get_what_they_know(api: Api) -> None:
    body = run_input(state={"x": 1}, protocolVersion=None)
    events = await ran(api, "asking", body)
    [custom] = [event for _, event in events if event["type"] == "CUSTOM"]
    assert (custom["name"], json.loads(custom["value"])) == ("on_interrupt", {"question": "how many?"})
    resumed = {**body, "runId": str(uuid4()), "forwardedProps": {"command": {"resume": "2"}}}
    done = await ran(api, "asking", resumed)
    assert done[-1][1]["outcome"] == {"type": "success"}
    assert (await api.get(f"/threads/{body['threadId']}/state"))["values"]["x"] == 6


async def test_forwarded_props_are_options_of_the_run(api: Api) -> None:
    props = {
        "config": {"recursion_limit": 7, "configurable": {"tone": "kind"}},
        "metadata": {"page": "start"},
        "interruptBefore": ["double"],
        "multitaskStrategy": "reject",
        "streamSubgraphs": False,
        "unknown": 1,
    }
    body = run_input(state={"x": 1}, forwardedProps=props)
    events = await ran(api, "doubling", body)
    assert events[-1][1]["type"] == "RUN_FINISHED"
    run = await api.get(f"/threads/{body['threadId']}/runs/{body['runId']}")
    assert run["metadata"]["page"] == "start"
    assert run["multitask_strategy"] == "reject"
    kwargs = run["kwargs"]
    assert (kwargs["interrupt_before"], kwargs["subgraphs"], kwargs["config"]["recursion_limit"]) == (
        ["double"],
        False,
        7,
    )
    assert kwargs["config"]["configurable"]["tone"] == "kind"


async def test_plain_agent_gets_state_and_messages(api: Api) -> None:
    tool = {"name": "paint", "description": "Paints"}
    events = await ran(api, "echo", run_input(messages=[USER], state={"text": "a"}, tools=[tool]))
    [custom] = [event for _, event in events if event["type"] == "CUSTOM"]
    given = custom["value"]["echo"]
    assert (given["text"], given["messages"]) == ("a", [USER])
    assert given["tools"][0]["function"]["name"] == "paint"
    assert given["ag-ui"]["tools"] == given["tools"]


async def test_written_stream_is_custom_events(api: Api) -> None:
    events = await ran(api, "writing", run_input(state={"x": 1}))
    custom = [(event["name"], event["value"]) for _, event in events if event["type"] == "CUSTOM"]
    assert custom == [("custom", {"step": 1}), ("custom", "bare")]


async def test_users_have_their_own_runs(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path, auth=AuthSettings(RULES)) as api:
        body = run_input(state={"x": 1})
        events = await ran(api, "asking", body, **ANNA)
        [interrupt] = events[-1][1]["outcome"]["interrupts"]
        entry = {"interruptId": interrupt["id"], "status": "resolved", "payload": 2}
        resumed = {**body, "runId": str(uuid4()), "resume": [entry]}
        for taken in (body, resumed):
            response = await api.send("POST", "/agui/asking", taken, **BOB)
            assert (response.status_code, response.json()["code"]) == (404, "not_found")
        assert (await api.send("POST", "/agui/asking", body)).json()["code"] == "unauthorized"
        assert (await api.send("GET", "/agui/asking")).status_code == 401
        made = await api.send("POST", "/assistants", {"graph_id": "asking", "name": "annas"}, **ANNA)
        hers = f"/agui/{made.json()['assistant_id']}"
        assert (await api.send("POST", hers, run_input(state={"x": 1}), **BOB)).json()["code"] == "not_found"
        assert [(await api.send("GET", hers, **who)).status_code for who in (ANNA, BOB)] == [200, 404]
        named = [await ran(api, "doubling", run_input(threadId="mine", state={"x": 1}), **who) for who in (ANNA, BOB)]
        assert named[0][0][1]["metadata"]["thread_id"] != named[1][0][1]["metadata"]["thread_id"]
        done = await ran(api, "asking", resumed, **ANNA)
    assert done[-1][1]["outcome"] == {"type": "success"}


async def test_api_key_needs_the_scope_run(sqlite_url: str, tmp_path: Path) -> None:
    keys = parse_api_keys("a-key-that-runs-agents:run,a-key-that-reads-feedback:feedback-read")
    async with serving(sqlite_url, tmp_path, api_keys=keys) as api:
        body = run_input(state={"x": 1})
        for key, status in ((None, 401), ("a-key-that-reads-feedback", 403), ("a-key-that-runs-agents", 200)):
            headers = {"x-api-key": key} if key else {}
            assert (await api.send("POST", "/agui/doubling", body, **headers)).status_code == status
            assert (await api.send("GET", "/agui/doubling", **headers)).status_code == status


async def test_protocol_can_be_switched_off(sqlite_url: str, tmp_path: Path) -> None:
    async with serving(sqlite_url, tmp_path, http=Http(disabled=frozenset({"agui"}))) as api:
        for method in ("GET", "POST"):
            assert (await api.send(method, "/agui/doubling", run_input())).status_code == 404


async def test_large_body_is_413(sqlite_url: str, tmp_path: Path) -> None:
    async with serving(sqlite_url, tmp_path, max_body_bytes=1000) as api:
        response = await api.send("POST", "/agui/doubling", run_input(state={"text": "x" * 1000}))
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


async def test_capabilities_name_what_is_known(api: Api) -> None:
    graph, plain = await api.get("/agui/doubling"), await api.get("/agui/echo")
    assert graph["transport"]["resumable"] is graph["humanInTheLoop"]["interrupts"] is True
    assert (graph["tools"]["clientProvided"], plain["tools"]["clientProvided"]) == (False, True)
    assert plain["state"]["persistentState"] is plain["humanInTheLoop"]["feedback"] is False


MEDIA: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}},
     {"type": "image", "base64": "aGk=", "mime_type": "image/png"}),
    ({"type": "audio", "source": {"type": "url", "value": "https://x/a.mp3"}}, {"type": "audio", "url": "https://x/a.mp3"}),
    ({"type": "document", "source": {"type": "file", "value": "file-1"}}, {"type": "file", "file_id": "file-1"}),
]  # fmt: skip


@pytest.mark.parametrize(("part", "block"), MEDIA, ids=["image", "audio", "document"])
def test_media_are_content_blocks_both_ways(part: dict[str, Any], block: dict[str, Any]) -> None:
    message = {**USER, "content": [{"type": "text", "text": "Look"}, part]}
    [chat] = chat_messages(run_agent_input(run_input(messages=[message])).messages)
    assert chat["content"] == [{"type": "text", "text": "Look"}, block]
    assert convert_to_agui_messages([{**chat, "type": "human"}]) == [message]


def test_roles_are_chat_messages_both_ways() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "paint", "arguments": '{"a":1}'}}
    messages: list[dict[str, Any]] = [
        {"id": "1", "role": "system", "content": "Be kind"},
        {"id": "2", "role": "user", "content": "Paint"},
        {"id": "3", "role": "assistant", "content": "", "toolCalls": [call]},
        {"id": "4", "role": "tool", "content": "no", "toolCallId": "c1", "error": "no"},
    ]
    only_shown = [{"id": "5", "role": "activity", "activityType": "a", "content": {}},
                  {"id": "6", "role": "reasoning", "content": "Hm"}]  # fmt: skip
    chat = chat_messages(run_agent_input(run_input(messages=[*messages, *only_shown])).messages)
    assert convert_to_agui_messages(chat) == messages


SHAPES_OF_REASONING: list[dict[str, Any]] = [
    {"content": [{"type": "reasoning", "reasoning": "Hm"}, {"type": "text", "text": "Yes"}]},
    {"content": [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Yes"}]},
    {"content": [{"type": "reasoning", "summary": [{"text": "Hm"}]}, {"type": "text", "text": "Yes"}]},
    {"content": "Yes", "additional_kwargs": {"reasoning_content": "Hm"}},
]


@pytest.mark.parametrize("shape", SHAPES_OF_REASONING, ids=range(len(SHAPES_OF_REASONING)))
def test_reasoning_precedes_the_words(shape: dict[str, Any]) -> None:
    [reasoning, message] = convert_to_agui_messages([{"id": "m", "type": "ai", **shape}]) or []
    assert (reasoning["role"], reasoning["content"], message["content"]) == ("reasoning", "Hm", "Yes")
    events = OpenMessages().convert(Chunk("ai", "m", **shape), "")
    assert [event["type"] for event in events] == [
        *("REASONING_START", "REASONING_MESSAGE_START", "REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_END"),
        *("REASONING_END", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"),
    ]


def test_parallel_tool_calls_end_one_by_one() -> None:
    opened = OpenMessages()
    pieces = [("a", 0, "{"), (None, 0, "}"), ("b", 1, "{}")]
    events = [
        event
        for call_id, index, args in pieces
        for event in opened.convert(
            Chunk("AIMessageChunk", "m", tool_call_chunks=[{"id": call_id, "name": "n", "index": index, "args": args}]),
            "",
        )
    ]
    events += opened.close()
    assert [(event["type"].removeprefix("TOOL_CALL_"), event["toolCallId"]) for event in events] == [
        *(("START", "a"), ("ARGS", "a"), ("ARGS", "a"), ("END", "a")),
        *(("START", "b"), ("ARGS", "b"), ("END", "b")),
    ]
    assert opened.unanswered_calls == ["a", "b"]


NAMES = st.sampled_from(["a", "b", "~1", "/"])
VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 1, "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(VALUES, VALUES)
def test_patch_turns_one_state_into_the_other(old: Any, new: Any) -> None:
    patched = JsonPatch(json_patch(old, new)).apply(old)
    assert json.dumps(patched, sort_keys=True) == json.dumps(new, sort_keys=True)
