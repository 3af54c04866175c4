"""`/a2a` with plain requests: bad input, versions, files, rules, switches, push notifications."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent_server.config import AuthSettings, Http
from agent_server.config.api_keys import parse_api_keys
from agent_server.config.webhooks import WebhookPolicy
from agent_server.protocols.a2a.parts import convert_to_parts, response_parts, run_input
from tests.agent_server.api import Api, serving
from tests.agent_server.backend import until
from tests.agent_server.runs.test_webhooks import OPEN, Receiver, receiving

RULES = str(Path(__file__).parents[1] / "rules.py") + ":auth"
ANNA = {"Authorization": "Bearer token-anna"}
BOB = {"Authorization": "Bearer token-bob"}
NO_TASK = "018f0000-0000-7000-8000-000000000001:018f0000-0000-7000-8000-000000000002"


@pytest.fixture
async def api(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(sqlite_url, tmp_path) as api:
        yield api


def sending(*parts: dict[str, Any], **message: Any) -> dict[str, Any]:
    return {"message": {"role": "ROLE_USER", "messageId": "m1", "parts": list(parts), **message}}


async def rpc(api: Api, graph: str, method: str, params: Any, **headers: str) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    response = await api.send("POST", f"/a2a/{graph}", body, **headers)
    assert response.status_code == 200, response.text
    shown: dict[str, Any] = response.json()
    assert shown["id"] == 7
    return shown


MALFORMED_MESSAGE_IS_AN_ERROR_IN_200: list[Any] = [
    ("{", -32700),
    ("[]", -32600),
    ("{}", -32600),
    ('{"jsonrpc": "2.0", "method": "GetTask"}', -32600),
]


async def test_malformed_message_is_an_error_in_200(api: Api) -> None:
    for body, code in MALFORMED_MESSAGE_IS_AN_ERROR_IN_200:
        headers = {"content-type": "application/json"}
        response = await api._client.post("/a2a/doubling", content=body, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (200, code)


WRONG_MESSAGE_IS_INVALID_PARAMS: list[Any] = [
    ({}, "params.message must be"),
    ({"message": {"role": "ROLE_AGENT"}}, "role must be ROLE_USER"),
    ({"message": {"role": "ROLE_USER", "parts": []}}, "messageId must be"),
    (sending(), "must have parts"),
    (sending({"text": 1}), "must be a string"),
    (sending({"text": "a", "data": {}}), "exactly one of"),
    (sending({"data": 1}), "must be an object"),
    (sending({"text": "a"}), "takes no chat messages"),
    ({**sending({"data": {}}), "configuration": {"historyLength": -1}}, "historyLength must be"),
    ({**sending({"data": {}}), "configuration": {"taskPushNotificationConfig": {}}}, "taskPushNotificationConfig"),
    ({**sending({"data": {}}), "configuration": {"taskPushNotificationConfig": {"url": "http://x"}}}, "https"),
]


async def test_wrong_message_is_invalid_params(api: Api) -> None:
    for params, message in WRONG_MESSAGE_IS_INVALID_PARAMS:
        error = (await rpc(api, "doubling", "SendMessage", params))["error"]
        assert error["code"] == -32602
        assert message in error["message"]


ERRORS_HAVE_THE_PROTOCOLS_CODES: list[Any] = [
    ("Unknown", {}, -32601),
    ("GetTask", {}, -32602),
    ("GetTask", {"id": "x"}, -32001),
    ("GetTask", {"id": NO_TASK}, -32001),
    ("CancelTask", {"id": NO_TASK}, -32001),
    ("SubscribeToTask", {"id": NO_TASK}, -32001),
    ("SubmitFeedback", {"taskId": NO_TASK}, -32001),
    ("SubmitFeedback", {}, -32602),
    ("ListTasks", {"status": "HAPPY"}, -32602),
    ("ListTasks", {"pageSize": 101}, -32602),
    ("ListTasks", {"pageToken": "x"}, -32602),
    ("ListTasks", {"statusTimestampAfter": "x"}, -32602),
    ("CreateTaskPushNotificationConfig", {"taskId": NO_TASK, "url": "https://x"}, -32001),
    ("CreateTaskPushNotificationConfig", {"taskId": NO_TASK}, -32602),
    ("GetTaskPushNotificationConfig", {"taskId": NO_TASK, "id": "a"}, -32001),
    ("DeleteTaskPushNotificationConfig", {"taskId": NO_TASK}, -32602),
    ("tasks/pushNotificationConfig/list", {"id": NO_TASK}, -32001),
    ("tasks/get", {"id": NO_TASK}, -32001),
]


async def test_errors_have_the_protocols_codes(api: Api) -> None:
    for method, params, code in ERRORS_HAVE_THE_PROTOCOLS_CODES:
        assert (await rpc(api, "doubling", method, params))["error"]["code"] == code


async def test_unknown_version_and_agent_are_errors(api: Api) -> None:
    error = (await rpc(api, "doubling", "GetTask", {"id": NO_TASK}, **{"a2a-version": "2.0"}))["error"]
    assert error["code"] == -32009
    assert "Must be either" in (await rpc(api, "nothing", "GetTask", {"id": NO_TASK}))["error"]["message"]
    assert (await api.send("GET", "/a2a/nothing")).status_code == 422


async def test_task_is_only_its_own_assistants(api: Api) -> None:
    task = (await rpc(api, "doubling", "SendMessage", sending({"data": {"x": 1}})))["result"]["task"]
    assert (await rpc(api, "asking", "GetTask", {"id": task["id"]}))["error"]["code"] == -32001
    assert (await rpc(api, "doubling", "GetTask", {"id": task["id"]}))["result"]["id"] == task["id"]


async def test_client_may_name_the_context(api: Api) -> None:
    tasks = []
    for graph, given in (("asking", {"x": 1}), ("asking", {"resume": 2}), ("doubling", {"x": 4})):
        sent = sending({"data": given}, contextId="my context")
        tasks.append((await rpc(api, graph, "SendMessage", sent))["result"]["task"])
    assert [one["contextId"] for one in tasks] == ["my context"] * 3
    assert tasks[0]["id"] == tasks[1]["id"]
    assert tasks[1]["status"]["state"] == "TASK_STATE_COMPLETED"
    listed = (await rpc(api, "asking", "ListTasks", {"contextId": "my context"}))["result"]
    assert [one["id"] for one in listed["tasks"]] == [tasks[0]["id"]]
    assert (await rpc(api, "asking", "ListTasks", {"contextId": "another"}))["result"]["tasks"] == []


async def test_names_of_the_proto_file_are_understood(api: Api) -> None:
    sent = {"message": {"role": "ROLE_USER", "message_id": "m1", "parts": [{"data": {"x": 1, "my_field": 2}}]}}
    task = (await rpc(api, "doubling", "SendMessage", {**sent, "configuration": {"history_length": 0}}))["result"][
        "task"
    ]
    listed = await rpc(api, "doubling", "ListTasks", {"context_id": task["contextId"], "include_artifacts": True})
    assert [one["artifacts"] for one in listed["result"]["tasks"]] == [task["artifacts"]]
    configs = await rpc(api, "doubling", "ListTaskPushNotificationConfigs", {"task_id": task["id"]})
    assert configs["result"] == {"configs": [], "nextPageToken": ""}


async def test_older_version_has_its_shapes(api: Api) -> None:
    message = {"role": "user", "messageId": "m1", "kind": "message", "parts": [{"kind": "data", "data": {"x": 1}}]}
    task = (await rpc(api, "doubling", "message/send", {"message": message}))["result"]
    assert (task["kind"], task["status"]["state"]) == ("task", "completed")
    assert task["artifacts"][0]["parts"][0]["kind"] == "data"
    body = {"jsonrpc": "2.0", "id": 7, "method": "message/stream", "params": {"message": message}}
    text = (await api.send("POST", "/a2a/doubling", body)).text
    results = [json.loads(line[6:])["result"] for line in text.splitlines() if line.startswith("data: ")]
    assert [one["kind"] for one in results] == ["task", "status-update", "artifact-update", "status-update"]
    assert [one["final"] for one in results if "final" in one] == [False, True]


FILES = [
    ({"raw": "aGk=", "mediaType": "image/png"}, {"type": "image", "base64": "aGk=", "mime_type": "image/png"}),
    ({"url": "https://x/a.mp3", "mediaType": "audio/mpeg"},
     {"type": "audio", "url": "https://x/a.mp3", "mime_type": "audio/mpeg"}),
    ({"raw": "aGk=", "filename": "a.bin"}, {"type": "file", "base64": "aGk=", "extras": {"filename": "a.bin"}}),
]  # fmt: skip


@pytest.mark.parametrize(("part", "block"), FILES)
def test_files_are_content_blocks_both_ways(part: dict[str, Any], block: dict[str, Any]) -> None:
    given = run_input([{"text": "Look"}, part], "m1")
    assert given["messages"][0]["content"] == [{"type": "text", "text": "Look"}, block]
    assert convert_to_parts([{"type": "text", "text": "Look"}, block]) == [{"text": "Look"}, part]


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"messages": [{"type": "human", "content": "a"}, {"type": "ai", "content": "b"}]}, [{"text": "b"}]),
        ({"messages": [{"type": "ai", "content": "old"}, {"type": "human", "content": "a"}]}, None),
        ({"messages": [{"type": "ai", "content": "b"}, {"type": "tool", "content": "c"}]}, [{"text": "b"}]),
        ({"x": 1}, [{"data": {"x": 1}}]),
        ("said", [{"text": "said"}]),
        ([1], [{"text": "[1]"}]),
    ],
)
def test_answer_is_the_agents_last_message(values: Any, parts: list[dict[str, Any]] | None) -> None:
    assert response_parts(values) == (parts or [{"data": values}])


PUSHED = [
    ("doubling", "COMPLETED"),
    ("asking", "INPUT_REQUIRED"),
    ("failing", "FAILED"),
    ("sleeping_agent", "CANCELED"),
]


async def test_ends_of_tasks_are_pushed(sqlite_url: str, tmp_path: Path) -> None:
    async with receiving() as receiver, serving(sqlite_url, tmp_path, webhooks=OPEN) as api:
        push = {"url": receiver.url, "token": "t0k", "authentication": {"scheme": "Bearer", "credentials": "s3cret"}}
        configuration = {"taskPushNotificationConfig": push, "returnImmediately": True}
        for graph, state in PUSHED:
            body = {**sending({"data": {"x": 1}}), "configuration": configuration}
            task = (await rpc(api, graph, "SendMessage", body))["result"]["task"]
            stored = (await rpc(api, graph, "GetTaskPushNotificationConfig", {"taskId": task["id"]}))["result"]
            assert stored == {**push, "id": task["id"], "taskId": task["id"]}
            listed = await rpc(api, graph, "ListTaskPushNotificationConfigs", {"taskId": task["id"]})
            assert listed["result"]["configs"] == [stored]
            if state == "CANCELED":
                await rpc(api, graph, "CancelTask", {"id": task["id"]})
            await until(partial(_has, receiver, task["id"]))
            pushed = receiver.bodies[-1]["task"]
            assert pushed["status"]["state"] == f"TASK_STATE_{state}"
            shown = (await rpc(api, graph, "GetTask", {"id": task["id"]}))["result"]
            assert pushed.get("artifacts") == shown.get("artifacts")
        head = receiver.heads[0].lower()
        assert "x-a2a-notification-token: t0k" in head
        assert "authorization: bearer s3cret" in head
        assert "#" not in head
    assert len(receiver.bodies) == len(PUSHED)


async def test_configurations_are_added_to_begun_tasks(database_url: str, tmp_path: Path) -> None:
    async with receiving() as receiver, serving(database_url, tmp_path, webhooks=OPEN) as api:
        now = {"configuration": {"returnImmediately": True}}
        task = (await rpc(api, "sleeping_agent", "SendMessage", sending({"data": {}}) | now))["result"]["task"]
        named = {"taskId": task["id"]}
        for name in ("one", "two", "three"):
            push = {"url": f"{receiver.url}?{name}", "token": name, "id": name}
            made = await rpc(api, "sleeping_agent", "CreateTaskPushNotificationConfig", {**named, **push})
            assert made["result"] == {**push, **named}
        old = {"url": receiver.url, "authentication": {"schemes": ["Basic"], "credentials": "YTpi"}}
        params = {**named, "pushNotificationConfig": {**old, "id": "two"}}
        made = await rpc(api, "sleeping_agent", "tasks/pushNotificationConfig/set", params)
        assert made["result"] == params
        request_body = {"id": task["id"], "pushNotificationConfigId": "three"}
        assert (await rpc(api, "sleeping_agent", "tasks/pushNotificationConfig/delete", request_body))["result"] is None
        method = "ListTaskPushNotificationConfigs"
        queries = ({**named, "pageSize": 1}, {**named, "pageSize": 1, "pageToken": "1"})
        pages = [(await rpc(api, "sleeping_agent", method, query))["result"] for query in queries]
        assert [(page["configs"][0]["id"], page["nextPageToken"]) for page in pages] == [("one", "1"), ("two", "")]
        error = (await rpc(api, "sleeping_agent", "GetTaskPushNotificationConfig", {**named, "id": "three"}))["error"]
        assert (error["code"], "'three'" in error["message"]) == (-32602, True)
        await rpc(api, "sleeping_agent", "CancelTask", {"id": task["id"]})
        await until(lambda: _length(receiver, 2))
        late = {**named, "url": f"{receiver.url}?late", "id": "late"}
        await rpc(api, "sleeping_agent", "CreateTaskPushNotificationConfig", late)
        await until(lambda: _length(receiver, 3))
    assert {body["task"]["status"]["state"] for body in receiver.bodies} == {"TASK_STATE_CANCELED"}
    heads = sorted(head.lower() for head in receiver.heads)
    assert sorted(name for head in heads for name in ("?one", "?late", "basic ytpi") if name in head) == [
        *("?late", "?one", "basic ytpi"),
    ]


async def test_configurations_outlast_a_resumed_run(sqlite_url: str, tmp_path: Path) -> None:
    async with receiving() as receiver, serving(sqlite_url, tmp_path, webhooks=OPEN) as api:
        push = {"configuration": {"taskPushNotificationConfig": {"url": receiver.url}}}
        task = (await rpc(api, "asking", "SendMessage", sending({"data": {"x": 1}}) | push))["result"]["task"]
        await rpc(api, "asking", "SendMessage", sending({"data": {"resume": 2}}, taskId=task["id"]))
        await until(lambda: _length(receiver, 2))
    states = [body["task"]["status"]["state"] for body in receiver.bodies]
    assert sorted(states) == ["TASK_STATE_COMPLETED", "TASK_STATE_INPUT_REQUIRED"]


WRONG_CONFIGURATIONS = [({"url": "ftp://x"}, "https"), ({"url": 1}, "url"), ({"url": "http://10.0.0.1"}, "private")]


async def test_policy_applies_to_added_configurations(sqlite_url: str, tmp_path: Path) -> None:
    policy = WebhookPolicy(require_https=False, disable_private_ips=True)
    async with serving(sqlite_url, tmp_path, webhooks=policy) as api:
        task = (await rpc(api, "doubling", "SendMessage", sending({"data": {"x": 1}})))["result"]["task"]
        for push, message in WRONG_CONFIGURATIONS:
            params = {"taskId": task["id"], **push}
            error = (await rpc(api, "doubling", "CreateTaskPushNotificationConfig", params))["error"]
            assert (error["code"], message in error["message"]) == (-32602, True), error
    async with serving(sqlite_url, tmp_path, webhooks=WebhookPolicy(disabled=True)) as api:
        params = {"taskId": task["id"], "url": "https://example.com"}
        error = (await rpc(api, "doubling", "CreateTaskPushNotificationConfig", params))["error"]
        card = (await api.send("GET", "/a2a/doubling")).json()
    assert (error["code"], card["capabilities"]["pushNotifications"]) == (-32003, False)


async def _length(receiver: Receiver, count: int) -> bool:
    return len(receiver.bodies) == count


async def _has(receiver: Receiver, task_id: str) -> bool:
    return bool(receiver.bodies) and receiver.bodies[-1]["task"]["id"] == task_id


async def test_users_have_their_own_tasks(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path, auth=AuthSettings(RULES)) as api:
        made = await api.send("POST", "/assistants", {"graph_id": "asking", "name": "annas"}, **ANNA)
        hers = made.json()["assistant_id"]
        task = (await rpc(api, hers, "SendMessage", sending({"data": {"x": 1}}), **ANNA))["result"]["task"]
        assert task["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
        listed = (await rpc(api, hers, "ListTasks", {}, **ANNA))["result"]
        assert [one["id"] for one in listed["tasks"]] == [task["id"]]
        for method, params in (
            ("GetTask", {"id": task["id"]}),
            ("CancelTask", {"id": task["id"]}),
            ("SendMessage", sending({"data": {"resume": 1}}, taskId=task["id"])),
            ("ListTasks", {}),
        ):
            assert "not found" in (await rpc(api, hers, method, params, **BOB))["error"]["message"]
        assert (await api.send("GET", f"/a2a/{hers}", **BOB)).status_code == 404
        assert (await api.send("GET", f"/a2a/{hers}")).status_code == 401
        made = await api.send("POST", "/assistants", {"graph_id": "asking", "name": "bobs"}, **BOB)
        his = made.json()["assistant_id"]
        assert (await rpc(api, his, "ListTasks", {}, **BOB))["result"]["totalSize"] == 0
        taken = await rpc(api, his, "SendMessage", sending({"data": {"x": 1}}, contextId=task["contextId"]), **BOB)
        assert "not found" in taken["error"]["message"]
        done = await rpc(api, hers, "SendMessage", sending({"data": {"resume": 2}}, taskId=task["id"]), **ANNA)
    assert done["result"]["task"]["id"] == task["id"]
    assert done["result"]["task"]["artifacts"][0]["parts"][0]["data"]["x"] == 6


async def test_card_declares_the_needed_api_key(sqlite_url: str, tmp_path: Path) -> None:
    key = {"x-api-key": "a-key-that-runs-agents"}
    async with serving(sqlite_url, tmp_path, api_keys=parse_api_keys("a-key-that-runs-agents:run")) as api:
        card = (await api.send("GET", "/a2a/doubling", **key)).json()
        refused: httpx.Response = await api.send("POST", "/a2a/doubling", {"jsonrpc": "2.0", "id": 1, "method": "x"})
    assert card["securitySchemes"].keys() == {"apiKey", "bearer"}
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, -32000)


async def test_protocol_can_be_switched_off(sqlite_url: str, tmp_path: Path) -> None:
    async with serving(sqlite_url, tmp_path, http=Http(disabled=frozenset({"a2a"}))) as api:
        for path in ("/a2a/doubling", "/.well-known/agent-card.json?assistant_id=doubling"):
            assert (await api.send("GET", path)).status_code == 404
