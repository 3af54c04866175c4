"""Details of responses, recorded from the official server (langgraph-api 0.16.7) beside this one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.agent_server.api import Api, serving
from tests.agent_server.backend import until


@pytest.fixture
async def api(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(sqlite_url, tmp_path) as api:
        yield api


async def test_history_of_a_checkpoint_is_that_one_state(api: Api) -> None:
    thread_id = await api.thread("doubling", {"x": 1})
    states = await api.post(f"/threads/{thread_id}/history", {})
    chosen = {"checkpoint": states[1]["checkpoint"]}
    assert len(states) == 3
    assert await api.post(f"/threads/{thread_id}/history", chosen) == [states[1]]
    assert await api.post(f"/threads/{thread_id}/history", {**chosen, "limit": 1}) == [states[1]]


async def test_states_metadata_name_their_thread(api: Api) -> None:
    thread_id = await api.thread("doubling", {"x": 1})
    states = await api.get(f"/threads/{thread_id}/history")
    assert {state["metadata"]["thread_id"] for state in states} == {thread_id}


async def test_run_created_thread_has_the_runs_metadata(api: Api) -> None:
    run = {"assistant_id": "doubling", "input": {"x": 1}, "if_not_exists": "create"}
    thread_id = str(uuid4())
    await api.post(f"/threads/{thread_id}/runs/wait", {**run, "metadata": {"customer": "ada"}})
    await api.post(f"/threads/{thread_id}/runs/wait", {**run, "metadata": {"customer": "bob", "more": 1}})
    [found] = await api.post("/threads/search", {"metadata": {"customer": "ada"}})
    assert (found["thread_id"], "more" in found["metadata"]) == (thread_id, False)


async def test_command_that_says_nothing_is_no_command(api: Api) -> None:
    response = await api.post("/runs/wait", {"assistant_id": "doubling", "command": {}})
    assert response["__error__"]["error"] == "EmptyInputError"
    given = {"assistant_id": "doubling", "command": {}, "input": {"x": 1}}
    assert (await api.post("/runs/wait", given))["x"] == 2


@pytest.mark.parametrize("path", ["/runs", "/runs/wait", "/runs/stream", "/runs/batch"])
async def test_there_is_nothing_to_resume_without_a_thread(api: Api, path: str) -> None:
    run = {"assistant_id": "asking", "command": {"resume": 1}}
    status, received = await api.refusal("POST", path, [run] if path.endswith("batch") else run)
    assert (status, "/threads/{thread_id}/runs" in received) == (400, True)


async def test_cancelled_run_has_the_official_headers(api: Api) -> None:
    thread_id = await api.thread()
    path = f"/threads/{thread_id}/runs"
    first, second = [(await api.post(path, {"assistant_id": "sleeping_agent"}))["run_id"] for _ in range(2)]
    await until(lambda: _is_running(api, f"{path}/{first}"))
    cancelled = await api.send("POST", f"{path}/{first}/cancel")
    waited = await api.send("POST", f"{path}/{second}/cancel?wait=true")
    assert (cancelled.status_code, cancelled.content) == (202, b"")
    assert (waited.status_code, waited.json()) == (200, {})
    assert waited.headers["content-location"] == f"{path}/{second}"
    assert waited.headers["location"] == f"{path}/{second}/join"


async def _is_running(api: Api, path: str) -> bool:
    status: str = (await api.get(path))["status"]
    return status == "running"


async def test_ok_accepts_head(api: Api) -> None:
    for path in ("/ok", "/"):
        response = await api.send("HEAD", path)
        assert (response.status_code, response.content) == (200, b"")
