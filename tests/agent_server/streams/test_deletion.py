"""Cancelling and deleting active runs, and threads and assistants that have some, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.agent_server.api import Api, serving
from tests.agent_server.backend import until

stopped: list[int] = []


async def cleaning_up(_: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    try:
        yield {"at": "work"}
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.05)
        stopped.append(1)


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    stopped.clear()
    async with serving(database_url, tmp_path, agents={"cleaning_up": cleaning_up}) as api:
        yield api


async def at_work(api: Api, count: int = 1, **thread: Any) -> tuple[str, list[str]]:
    """Return the path of a thread whose first run is active, and the ids of its runs."""
    path = f"/threads/{await api.thread(**thread)}"
    body = {"assistant_id": "cleaning_up", "input": {}}
    runs = [(await api.post(f"{path}/runs", body))["run_id"] for _ in range(count)]

    async def is_running() -> bool:
        return bool((await api.get(f"{path}/runs/{runs[0]}"))["status"] == "running")

    await until(is_running)
    return path, runs


async def test_deleting_thread_stops_its_runs(api: Api) -> None:
    path, runs = await at_work(api, count=2)
    await api.delete(path)
    assert stopped == [1]  # stopped before the response; the second run never started
    assert (await api.refusal("GET", path))[0] == 404
    assert (await api.refusal("GET", f"{path}/runs/{runs[0]}"))[0] == 404


async def test_deleting_run_stops_it(api: Api) -> None:
    path, [run_id] = await at_work(api)
    await api.delete(f"{path}/runs/{run_id}")
    assert stopped == [1]
    assert (await api.refusal("GET", f"{path}/runs/{run_id}"))[0] == 404
    assert (await api.get(path))["status"] == "interrupted"


async def test_deleting_delayed_run_leaves_thread_idle(api: Api) -> None:
    path = f"/threads/{await api.thread()}"
    body = {"assistant_id": "cleaning_up", "input": {}, "after_seconds": 60}
    run = await api.post(f"{path}/runs", body)
    await api.delete(f"{path}/runs/{run['run_id']}")
    assert (await api.get(path))["status"] == "idle"


async def test_deleting_assistant_stops_runs_of_its_threads(api: Api) -> None:
    assistant = await api.post("/assistants", {"graph_id": "cleaning_up"})
    path = f"/threads/{await api.thread()}"
    await api.post(f"{path}/runs", {"assistant_id": assistant["assistant_id"], "input": {}})
    await api.delete(f"/assistants/{assistant['assistant_id']}?delete_threads=true")
    assert (await api.refusal("GET", path))[0] == 404


async def test_two_deletions_of_one_thread_agree(api: Api) -> None:
    path, _ = await at_work(api)
    statuses: list[int] = []

    async def delete() -> None:
        statuses.append((await api.send("DELETE", path)).status_code)

    async with anyio.create_task_group() as both:
        both.start_soon(delete)
        both.start_soon(delete)
    assert sorted(statuses) == [204, 404] or statuses == [204, 204]
    assert (await api.refusal("GET", path))[0] == 404


async def test_cancelled_run_reads_interrupted_at_once(api: Api) -> None:
    path, [run_id] = await at_work(api)
    assert (await api.send("POST", f"{path}/runs/{run_id}/cancel")).status_code == 202
    assert (await api.get(f"{path}/runs/{run_id}"))["status"] == "interrupted"
    path, [run_id] = await at_work(api)
    which = {"thread_id": path.removeprefix("/threads/"), "run_ids": [run_id]}
    assert (await api.send("POST", "/runs/cancel", which)).status_code == 204
    assert (await api.get(f"{path}/runs/{run_id}"))["status"] == "interrupted"


@pytest.mark.parametrize(("graph", "before"), [(None, "idle"), ("asking", "interrupted"), ("failing", "error")])
@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_cancelled_delayed_run_leaves_status(api: Api, graph: str | None, before: str, action: str) -> None:
    path = f"/threads/{await api.thread(graph, {'x': 1})}"
    body = {"assistant_id": "doubling", "input": {"x": 1}, "after_seconds": 60}
    run = await api.post(f"{path}/runs", body)
    await api.send("POST", f"{path}/runs/{run['run_id']}/cancel?action={action}")
    assert (await api.get(path))["status"] == before


async def test_cancelled_pending_run_leaves_running_one(api: Api) -> None:
    path, runs = await at_work(api, count=2)
    await api.send("POST", f"{path}/runs/{runs[1]}/cancel?wait=true")
    assert (await api.get(path))["status"] == "busy"
    await api.send("POST", f"{path}/runs/{runs[0]}/cancel?wait=true")
    assert (await api.get(path))["status"] == "interrupted"
