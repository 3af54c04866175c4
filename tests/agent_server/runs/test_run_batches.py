"""Several runs at once: batches, cancellations, and lists with selected fields."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent_server.api import Api, serving
from tests.agent_server.backend import unknown_id, until


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path) as api:
        yield api


async def sleeper(api: Api, thread_id: str, **body: Any) -> str:
    """Start a run without an end and return its id."""
    run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": "sleeping_agent", "input": {}, **body})
    return str(run["run_id"])


async def status(api: Api, thread_id: str, run_id: str) -> str:
    return str((await api.get(f"/threads/{thread_id}/runs/{run_id}"))["status"])


async def has_status(api: Api, thread_id: str, run_id: str, wanted: str) -> bool:
    return await status(api, thread_id, run_id) == wanted


async def test_batch_responds_in_order_and_every_run_ends(api: Api) -> None:
    bodies = [{"assistant_id": "echo", "input": {"n": n}} for n in range(5)]
    runs = await api.post("/runs/batch", bodies)
    assert len({run["thread_id"] for run in runs}) == 5
    assert all(run["status"] == "pending" for run in runs)
    assert [await api.get(f"/runs/{run['run_id']}/join") for run in runs] == [{"echo": {"n": n}} for n in range(5)]


async def test_batch_with_a_wrong_run_starts_none(api: Api) -> None:
    good = {"assistant_id": "sleeping_agent", "input": {}}
    assert (await api.refusal("POST", "/runs/batch", [good, {"assistant_id": unknown_id()}]))[0] == 404
    assert (await api.refusal("POST", "/runs/batch", [good, {"input": 1}]))[0] == 422
    assert (await api.refusal("POST", "/runs/batch", []))[0] == 422
    assert (await api.refusal("POST", "/runs/batch", good))[0] == 422
    assert (await api.refusal("POST", "/runs/cancel", {"status": "all"}))[0] == 404


async def test_runs_of_a_thread_are_cancelled_by_id(api: Api) -> None:
    thread_id, other_id = await api.thread(), await api.thread()
    first, second, third = [await sleeper(api, thread_id) for _ in range(3)]
    other = await sleeper(api, other_id)
    body = {"thread_id": thread_id, "run_ids": [second, third, other, unknown_id()]}
    assert (await api.send("POST", "/runs/cancel", body)).status_code == 204
    assert [await status(api, thread_id, run_id) for run_id in (second, third)] == ["interrupted"] * 2
    await until(lambda: has_status(api, thread_id, first, "running"))
    await until(lambda: has_status(api, other_id, other, "running"))
    assert (await api.refusal("POST", "/runs/cancel", body))[0] == 404


@pytest.mark.parametrize(("chosen", "left"), [("pending", ["running"]), ("running", ["running"]), ("all", [])])
async def test_runs_are_cancelled_by_their_status(api: Api, chosen: str, left: list[str]) -> None:
    thread_id = await api.thread()
    first = await sleeper(api, thread_id)
    await until(lambda: has_status(api, thread_id, first, "running"))
    second = await sleeper(api, thread_id)
    assert (await api.send("POST", "/runs/cancel", {"status": chosen})).status_code == 204
    ended = {"pending": [second], "running": [first], "all": [first, second]}[chosen]
    for run_id in ended:
        await until(lambda run_id=run_id: has_status(api, thread_id, run_id, "interrupted"))
    if left:
        [still] = {first, second} - set(ended)
        await until(lambda: has_status(api, thread_id, still, "running"))


async def test_cancelled_with_rollback_runs_are_gone(api: Api) -> None:
    thread_id = await api.thread()
    first = await sleeper(api, thread_id)
    await until(lambda: has_status(api, thread_id, first, "running"))
    await sleeper(api, thread_id)
    assert (await api.send("POST", "/runs/cancel?action=rollback", {"status": "all"})).status_code == 204

    async def none_left() -> bool:
        return bool(await api.get(f"/threads/{thread_id}/runs") == [])

    await until(none_left)
    assert (await api.get(f"/threads/{thread_id}"))["status"] == "idle"


WITHOUT_SELECTION: list[Any] = [
    {},
    {"status": "success"},
    {"thread_id": unknown_id()},
    {"run_ids": [unknown_id()]},
    {"status": "all", "thread_id": unknown_id()},
    {"thread_id": unknown_id(), "run_ids": ["x"]},
    {"thread_id": "x", "run_ids": []},
]


async def test_cancel_without_selection_is_refused(api: Api, subtests: pytest.Subtests) -> None:
    for body in WITHOUT_SELECTION:
        with subtests.test(body=body):
            assert (await api.refusal("POST", "/runs/cancel", body))[0] == 422


async def test_cancel_with_an_unknown_action_is_refused(api: Api) -> None:
    thread_id = await api.thread()
    run_id = await sleeper(api, thread_id)
    assert (await api.refusal("POST", "/runs/cancel?action=bogus", {"status": "all"}))[0] == 422
    assert (await api.refusal("POST", f"/threads/{thread_id}/runs/{run_id}/cancel?action=bogus"))[0] == 422


async def test_list_of_runs_shows_the_fields_asked_for(api: Api) -> None:
    thread_id = await api.thread("echo", {})
    [run] = await api.get(f"/threads/{thread_id}/runs?select=run_id&select=status")
    assert set(run) == {"run_id", "status"}
    assert run["status"] == "success"
    assert (await api.refusal("GET", f"/threads/{thread_id}/runs?select=bogus"))[0] == 422
    assert (await api.refusal("GET", f'/threads/{thread_id}/runs?select=["status"'))[0] == 422
    assert await api.get(f'/threads/{thread_id}/runs?select=["status"]') == [{"status": run["status"]}]
