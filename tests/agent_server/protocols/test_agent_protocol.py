"""The Agent Protocol's own routes, on both databases: searches, users' runs, bodies, the switch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_server.config import AuthSettings
from agent_server.config.values import Http
from tests.agent_server.access.test_auth_users import ANNA, BOB, RULES
from tests.agent_server.api import Api, serving

RUN = {"agent_id": "doubling", "input": {"x": 2}}


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path) as api:
        yield api


async def test_runs_are_found_in_pages(api: Api) -> None:
    ids = [(await api.post("/runs/wait", {**RUN, "metadata": {"n": n % 2}}))["run"]["run_id"] for n in range(4)]
    waiting = (await api.post("/runs", {**RUN, "after_seconds": 3600}))["run_id"]

    async def found(**query: Any) -> list[str]:
        return [one["run_id"] for one in await api.post("/runs/search", query)]

    assert await found() == [waiting, *reversed(ids)]
    assert await found(limit=2, offset=1) == [ids[3], ids[2]]
    assert await found(metadata={"n": 1}) == [ids[3], ids[1]]
    assert await found(status="pending") == [waiting]
    assert await found(status="success", agent_id="doubling", limit=1) == [ids[3]]
    assert await found(agent_id="echo") == []
    assert (await api.refusal("POST", "/runs/search", {"thread_id": "x"}))[0] == 422
    assert (await api.refusal("POST", "/runs/search", {"agent_id": "nothing"}))[0] == 404


async def test_body_names_thread_and_messages(api: Api) -> None:
    thread_id = await api.thread()
    body = {"agent_id": "canned", "thread_id": thread_id, "messages": [{"role": "user", "content": "Hi"}]}
    ended = await api.post("/runs/wait", body)
    assert (ended["run"]["thread_id"], ended["values"]) == (thread_id, {})
    assert [one["role"] for one in ended["messages"]] == ["user", "assistant"]
    assert (await api.get(f"/threads/{thread_id}/state"))["values"]["messages"]
    plain = await api.post("/runs/wait", {"assistant_id": "doubling", "thread_id": thread_id, "input": {"x": 1}})
    assert plain["x"] == 2
    missing = {**body, "thread_id": "018f0000-0000-7000-8000-000000000001"}
    assert (await api.refusal("POST", "/runs", missing))[0] == 404


async def test_users_run_on_their_own_threads(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path, auth=AuthSettings(RULES)) as api:
        thread_id = (await api.send("POST", "/threads", {}, **ANNA)).json()["thread_id"]
        body = {**RUN, "thread_id": thread_id}
        statuses = [(await api.send("POST", "/runs/wait", body, **who)).status_code for who in (ANNA, BOB)]
        assert statuses == [200, 404]
        found = [(await api.send("POST", "/runs/search", {}, **who)).json() for who in (ANNA, BOB)]
        assert [len(one) for one in found] == [1, 0]


async def test_protocol_is_switched_off(sqlite_url: str, tmp_path: Path) -> None:
    async with serving(sqlite_url, tmp_path, http=Http(disabled=frozenset({"agent_protocol"}))) as api:
        assert (await api.send("POST", "/agents/search", {})).status_code == 404
        assert (await api.send("POST", "/runs/search", {})).status_code in (404, 405)
        assert (await api.post("/runs/wait", {"assistant_id": "doubling", "input": {"x": 2}}))["x"] == 4
