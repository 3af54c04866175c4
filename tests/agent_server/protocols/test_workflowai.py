"""WorkflowAI's run endpoint, on both databases: the owner of its runs, and the switch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uuid_utils

from agent_server.assistants.slugs import slug
from agent_server.config import AuthSettings
from agent_server.config.api_keys import parse_api_keys
from agent_server.config.values import Http
from tests.agent_server.access.test_auth_users import ANNA, BOB, RULES
from tests.agent_server.api import Api, serving

RUN = "/v1/_/agents/{}/schemas/1/run"
BODY = {"task_input": {"x": 1}, "version": "production"}


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path) as api:
        yield api


@pytest.fixture
async def guarded(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """Open a server with an application's own rules: users reach only what they created."""
    async with serving(database_url, tmp_path, auth=AuthSettings(RULES)) as api:
        yield api


def problem(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize("name", ["echo", "ECHO", "Echo"])
async def test_agent_is_found_whatever_its_spelling(api: Api, name: str) -> None:
    response = await api.post(RUN.format(name), BODY)
    assert response["task_output"] == {"echo": {"x": 1}}
    made = await api.post("/v1/_/agents", {"id": name, "input_schema": {}, "output_schema": {}})
    assert (made["id"], made["schema_id"]) == (name, 1)
    assert made["uid"] > 0


async def test_assistant_is_found_by_slug_and_version(api: Api) -> None:
    body = {"graph_id": "showing", "name": "My Bot é", "config": {"configurable": {"n": 1}}}
    assistant = (await api.post("/assistants", body))["assistant_id"]
    await api.patch(f"/assistants/{assistant}", {"config": {"configurable": {"n": 2}}})
    for version, expected in ((1, 1), (2, 2), ("production", 2)):
        response = await api.post(RUN.format("my-bot-é"), {**BODY, "version": version})
        assert response["task_output"]["log"][0]["n"] == expected
    missing = await api.send("POST", RUN.format("my-bot-é"), {**BODY, "version": 3})
    assert problem(missing) == (404, "object_not_found")


async def test_clients_run_id_is_taken_once(api: Api) -> None:
    body = {**BODY, "id": str(uuid_utils.uuid7())}
    assert (await api.post(RUN.format("echo"), body))["id"] == body["id"]
    assert problem(await api.send("POST", RUN.format("echo"), body)) == (409, "conflict")


async def test_version_properties_reach_the_graph(api: Api) -> None:
    response = await api.post(RUN.format("showing"), {**BODY, "version": {"model": "m", "temperature": 0.5}})
    assert response["version"]["properties"] == {"model": "m", "temperature": 0.5}
    assert response["task_output"]["log"][0]["version_properties"] == {"model": "m", "temperature": 0.5}


async def test_runs_and_conversations_are_the_callers(guarded: Api) -> None:
    body = {**BODY, "conversation_id": "same name"}
    hers, his = [(await guarded.send("POST", RUN.format("doubling"), body, **who)).json() for who in (ANNA, BOB)]
    assert hers["conversation_id"] != his["conversation_id"]
    for who, mine, others in ((ANNA, hers, his), (BOB, his, hers)):
        thread = await guarded.send("GET", f"/threads/{mine['conversation_id']}", **who)
        assert thread.status_code == 200
        for conversation in (others["conversation_id"],):
            refused = await guarded.send(
                "POST", RUN.format("doubling"), {**BODY, "conversation_id": conversation}, **who
            )
            assert problem(refused) == (404, "object_not_found")
        reply = f"/v1/_/agents/doubling/runs/{others['id']}/reply"
        gone = f"/v1/_/agents/doubling/runs/{uuid4()}/reply"
        responses = [await guarded.send("POST", path, {"user_message": "hi"}, **who) for path in (reply, gone)]
        assert [problem(one) for one in responses] == [(404, "object_not_found")] * 2


async def test_slug_finds_the_callers_assistants_only(guarded: Api) -> None:
    body = {"graph_id": "doubling", "name": "Shared Name"}
    for who in (ANNA, BOB):
        assert (await guarded.send("POST", "/assistants", body, **who)).status_code == 200
    for who in (ANNA, BOB):
        response = await guarded.send("POST", RUN.format("shared-name"), BODY, **who)
        assert response.status_code == 200, response.text


async def test_other_projects_run_takes_no_reply(database_url: str, tmp_path: Path) -> None:
    keys = parse_api_keys("key-of-the-shops-app:run@shop,key-of-the-blogs-app:run@blog")
    async with serving(database_url, tmp_path, api_keys=keys) as api:
        made = (await api.send("POST", RUN.format("echo"), BODY, **{"x-api-key": "key-of-the-shops-app"})).json()
        path = f"/v1/_/agents/echo/runs/{made['id']}/reply"
        for key, status in (("key-of-the-blogs-app", 404), ("key-of-the-shops-app", 200)):
            response = await api.send("POST", path, {"user_message": "hi"}, authorization=f"Bearer {key}")
            assert response.status_code == status
        for tenant, status in (("shop", 200), ("blog", 404)):
            path = f"/v1/{tenant}/agents/echo/schemas/1/run"
            response = await api.send("POST", path, BODY, **{"x-api-key": "key-of-the-shops-app"})
            assert response.status_code == status
        assert problem(await api.send("POST", RUN.format("echo"), BODY)) == (401, "invalid_api_key")


async def test_protocol_is_switched_off(sqlite_url: str, tmp_path: Path) -> None:
    async with serving(sqlite_url, tmp_path, http=Http(disabled=frozenset({"workflowai"}))) as api:
        assert (await api.send("POST", RUN.format("echo"), BODY)).status_code == 404
        assert (await api.send("POST", "/runs/wait", {"assistant_id": "echo", "input": {}})).status_code == 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [("My Agent", "my-agent"), ("my_agent", "my-agent"), ("MY-AGENT", "my-agent"), ("(a) b!", "a-b"), ("", "")],
)
def test_slug_of_a_name(name: Any, expected: str) -> None:
    assert slug(name) == expected
