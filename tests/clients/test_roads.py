"""A run's output reaches the official clients in every way: in all modes, from subgraphs, joined, replayed."""

from __future__ import annotations

import json
import time
from contextlib import closing
from http.client import HTTPConnection
from typing import Any, get_args

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import StreamMode

from tests.agent_server.backend import until
from tests.clients.node import node
from tests.clients.server_process import ServerProcess

KEYS = ["user_liked"]
LONG = {"total": 1000, "pause": 0.05}


@pytest.mark.parametrize("stateless", [True, False])
async def test_all_stream_modes_come_in_one_stream(client: LangGraphClient, stateless: bool) -> None:
    modes: list[Any] = [mode for mode in get_args(StreamMode) if mode != "messages-tuple"]
    thread_id: Any = None if stateless else (await client.threads.create())["thread_id"]
    seen = [
        part.event
        async for part in client.runs.stream(
            thread_id, "tokens", input={"count": 2}, stream_mode=modes, feedback_keys=KEYS
        )
    ]
    expected = {"metadata", "values", "updates", "custom", "tasks", "debug", "events", "feedback"}
    assert set(seen) == expected | (set() if stateless else {"checkpoints"})
    assert (seen[0], seen[-1]) == ("metadata", "feedback")


async def test_subgraph_events_come_on_request(client: LangGraphClient) -> None:
    for wanted in (True, False):
        thread_id = (await client.threads.create())["thread_id"]
        parts = [
            part
            async for part in client.runs.stream(
                thread_id, "nested", input={"total": 2}, stream_mode="updates", stream_subgraphs=wanted
            )
        ]
        inner = [part for part in parts if part.event.startswith("updates|inner:")]
        assert [part.data for part in inner] == ([{"step": {"done": [0]}}, {"step": {"done": [1]}}] if wanted else [])
        [outer] = [part.data for part in parts if part.event == "updates"]
        assert outer["inner"]["done"] == [0, 1]


async def test_joining_client_may_cancel_on_disconnect(client: LangGraphClient) -> None:
    run = await client.runs.create(None, "steps", input=LONG, on_completion="keep")
    joined = client.runs.join_stream(run["thread_id"], run["run_id"], cancel_on_disconnect=True)
    await anext(joined)
    await joined.aclose()  # type: ignore[attr-defined]  # it is a generator

    async def interrupted() -> bool:
        return (await client.runs.get(run["thread_id"], run["run_id"]))["status"] == "interrupted"

    await until(interrupted)


@pytest.mark.parametrize("stateless", [True, False])
async def test_javascript_client_replays_a_run_from_any_event(
    client: LangGraphClient, graphs: ServerProcess, stateless: bool
) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    body = {"assistant_id": "steps", "input": {"total": 2}, "stream_mode": "updates", "feedback_keys": KEYS}
    run: Any = await client.http.post("/runs" if stateless else f"/threads/{thread_id}/runs", json=body)
    await client.runs.join(run["thread_id"], run["run_id"])
    place = {"threadId": None if stateless else thread_id, "runId": run["run_id"]}
    complete = await replayed(graphs.url, place, None)
    assert [event["event"] for event in complete] == ["metadata", "updates", "updates", "feedback"]
    for at, event in enumerate(complete[:-1]):
        assert await replayed(graphs.url, place, event["id"]) == complete[at + 1 :]


async def replayed(url: str, place: dict[str, Any], last_event_id: str | None) -> list[dict[str, Any]]:
    body = {"join": {**place, **({"lastEventId": last_event_id} if last_event_id else {})}}
    printed = await node("stream.mjs", url, json.dumps(body))
    return [json.loads(line) for line in printed.splitlines()]


async def test_durability_exit_keeps_one_checkpoint_of_a_run(client: LangGraphClient) -> None:
    stored = {}
    for durability in ("exit", "async"):
        thread_id = (await client.threads.create())["thread_id"]
        given: Any = {"input": {"total": 3}, "durability": durability}
        assert (await client.runs.wait(thread_id, "steps", **given))["done"] == [0, 1, 2]  # type: ignore[call-overload]  # it is an object
        stored[durability] = len(await client.threads.get_history(thread_id, limit=10))
    assert stored == {"exit": 1, "async": 5}


def test_idle_connection_accepts_the_next_request(
    graphs: ServerProcess,
) -> None:
    statuses = []
    with closing(HTTPConnection("127.0.0.1", graphs.port, timeout=10)) as connection:
        for pause in (0, 6):  # httpx in the official client closes idle connections after five seconds
            time.sleep(pause)
            connection.request("GET", "/ok")
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
            connection.auto_open = 0  # do not reopen a closed connection
    assert statuses == [200, 200]


@pytest.mark.parametrize("way", ["wait", "join"])
async def test_answer_that_takes_its_time_is_kept_alive(graphs: ServerProcess, way: str) -> None:
    body = {"assistant_id": "sleeping", "input": {"seconds": 6}}
    async with httpx.AsyncClient(base_url=graphs.url, timeout=20) as http:
        if way == "wait":
            response = await http.post("/runs/wait", json=body)
        else:
            run_id = (await http.post("/runs", json=body)).json()["run_id"]
            response = await http.get(f"/runs/{run_id}/join")
    assert response.content.startswith(b"\n")
    assert response.json()["slept"] is True
