"""Two server processes on one PostgreSQL and one Redis, through the official Python client.

The first process is kept busy, so that the second does all other work.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import StreamPart

from agent_server.runs.events.event import TURN
from tests.agent_server.backend import until
from tests.clients.conftest import StartServer
from tests.clients.server_process import ServerProcess
from tests.seams.redis_process import RedisProcess

pytestmark = pytest.mark.timeout(150)
KEYS = ["user_liked"]


@dataclass
class Pair:
    """A busy process, an idle process, and a client of each."""

    busy: ServerProcess
    idle: ServerProcess
    at_busy: LangGraphClient
    at_idle: LangGraphClient
    blocker: tuple[str, str]
    """The thread and the run that keep the first process busy."""


OpenPair = Callable[..., Any]


@pytest.fixture
def own_redis() -> Iterator[RedisProcess]:
    """Start a Redis that the test may stop."""
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        server = RedisProcess(Path(directory))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def open_pair(start_server: StartServer, postgres_url: str) -> OpenPair:
    @asynccontextmanager
    async def opened(redis_url: str = "") -> AsyncIterator[Pair]:
        shared = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url, "AGENT_SERVER_LEASE_SECONDS": "3"}
        busy = await asyncio.to_thread(start_server, AGENT_SERVER_JOBS="1", **shared)
        async with get_client(url=busy.url) as at_busy:
            thread = await at_busy.threads.create()
            run = await at_busy.runs.create(thread["thread_id"], "sleeping", input={"seconds": 600})
            blocker = (thread["thread_id"], run["run_id"])
            await until(lambda: _is_running(at_busy, blocker))
            idle = await asyncio.to_thread(start_server, **shared)
            async with get_client(url=idle.url) as at_idle:
                yield Pair(busy, idle, at_busy, at_idle, blocker)

    return opened


async def _is_running(client: LangGraphClient, run: tuple[str, str]) -> bool:
    return (await client.runs.get(*run))["status"] == "running"


async def test_second_process_streams_joins_cancels_and_stores(open_pair: OpenPair, own_redis: RedisProcess) -> None:
    async with open_pair(own_redis.url) as pair, asyncio.timeout(100):
        run_id, complete = await streamed_at_the_first(pair)
        await replayed_at_either(pair, run_id, complete)
        await events_are_the_same_at_either(pair)
        await submitted_at_the_other(pair, complete[-1].data["user_liked"])
        await cancelled_from_the_other(pair)
        await crons_fire_once(pair)
    for server in (pair.busy, pair.idle):
        assert_no_trouble_in(server)


async def streamed_at_the_first(pair: Pair) -> tuple[tuple[str, str], list[StreamPart]]:
    thread_id = (await pair.at_busy.threads.create())["thread_id"]
    parts: list[StreamPart] = []
    statuses = []
    async for part in pair.at_busy.runs.stream(
        thread_id, "steps", input={"total": 10, "pause": 0.1}, stream_mode="updates", feedback_keys=KEYS
    ):
        parts.append(part)
        if part.event == "updates":
            [run] = await pair.at_idle.runs.list(thread_id)
            statuses.append(run["status"])
    assert [part.event for part in parts] == ["metadata", *["updates"] * 10, "feedback"]
    assert [part.id for part in parts] == [f"1-{number}" for number in range(12)]
    assert statuses[0] == "running"  # the event arrived while the run was active
    assert run["run_id"] in pair.idle.log()
    return (thread_id, run["run_id"]), parts


async def replayed_at_either(pair: Pair, run: tuple[str, str], complete: list[StreamPart]) -> None:
    for client in (pair.at_busy, pair.at_idle):
        assert [part async for part in client.runs.join_stream(*run, last_event_id="-1")] == complete
        assert [part async for part in client.runs.join_stream(*run, last_event_id="1-6")] == complete[7:]
        assert (await client.runs.join(*run))["done"] == list(range(10))


async def events_are_the_same_at_either(pair: Pair) -> None:
    """Two runs by version 2 of the protocol: one process starts them, the other runs them, both send the same ids."""
    thread_id = str(uuid4())
    for total in (3, 6):
        async with pair.at_busy.threads.stream(thread_id, assistant_id="steps") as thread:
            await thread.run.start(input={"total": total, "pause": 0.05})
            steps = [event["params"]["data"]["step"]["done"] async for event in thread.subscribe(["updates"])]
        assert steps == [[number] for number in range(total - 3, total)]
    here, there = [await events_of(server, thread_id, 0) for server in (pair.busy, pair.idle)]
    assert here == there
    for at in (1, 5, 9, 13):
        assert await events_of(pair.busy, thread_id, here[at - 1]["seq"]) == here[at:]


async def events_of(server: ServerProcess, thread_id: str, since: int) -> list[Any]:
    """Return the thread's events up to the end of its second run."""
    events: list[Any] = []
    body = {"channels": ["updates", "values", "lifecycle"], "since": since}
    url = f"{server.url}/threads/{thread_id}/stream/events"
    async with httpx.AsyncClient() as http, http.stream("POST", url, json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line.removeprefix("data: ")))
                if events[-1]["params"]["data"].get("event") == "completed" and events[-1]["seq"] > TURN:
                    break
    return events


async def submitted_at_the_other(pair: Pair, url: str) -> None:
    assert url.startswith(pair.busy.url)
    async with httpx.AsyncClient() as http:
        response = await http.post(url.replace(pair.busy.url, pair.idle.url), json={"score": 1})
        assert response.status_code == 200, response.text
        [feedback] = (await http.get(f"{pair.busy.url}/feedback")).json()
    assert feedback["score"] == 1


async def cancelled_from_the_other(pair: Pair) -> None:
    thread = await pair.at_idle.threads.create()
    run = await pair.at_idle.runs.create(thread["thread_id"], "sleeping", input={"seconds": 600})
    async for part in pair.at_busy.runs.join_stream(thread["thread_id"], run["run_id"]):
        if part.event == "metadata":
            await pair.at_busy.runs.cancel(thread["thread_id"], run["run_id"])
    assert (await pair.at_busy.runs.get(thread["thread_id"], run["run_id"]))["status"] == "interrupted"


async def crons_fire_once(pair: Pair) -> None:
    mark = {"mark": str(uuid4())}
    cron = await pair.at_busy.crons.create(
        "steps", schedule="* * * * * *", input={"total": 1}, metadata=mark, on_run_completed="keep"
    )
    await until(lambda: pair.at_idle.threads.search(metadata=mark, offset=7))
    await pair.at_idle.crons.delete(cron["cron_id"])
    found = await pair.at_idle.threads.search(metadata=mark, limit=100)
    times = sorted(datetime.fromisoformat(str(thread["created_at"])) for thread in found)
    # a busy machine fires late, sometimes twice within a second; two processes would fire twice in each
    assert len(times) <= (times[-1] - times[0]).total_seconds() + 2


async def test_stream_continues_when_the_other_process_dies(open_pair: OpenPair, own_redis: RedisProcess) -> None:
    parts: list[StreamPart] = []
    async with open_pair(own_redis.url) as pair, asyncio.timeout(100):
        thread = await pair.at_busy.threads.create()
        async for part in pair.at_busy.runs.stream(
            thread["thread_id"], "steps", input={"total": 12, "pause": 0.2}, stream_mode="updates", feedback_keys=KEYS
        ):
            parts.append(part)
            if part.id == "1-5":
                await asyncio.to_thread(pair.idle.kill)
                await pair.at_busy.runs.cancel(*pair.blocker)
    assert [part.data["attempt"] for part in parts if part.event == "metadata"] == [1, 2]
    assert sorted(set(steps_of(parts))) == list(range(12))
    assert parts[-1].event == "feedback"


async def test_run_succeeds_though_redis_is_lost(open_pair: OpenPair, own_redis: RedisProcess) -> None:
    parts: list[StreamPart] = []
    async with open_pair(own_redis.url) as pair, asyncio.timeout(100):
        thread = await pair.at_busy.threads.create()
        async for part in pair.at_busy.runs.stream(
            thread["thread_id"],
            "steps",
            input={"total": 30, "pause": 0.2},
            stream_mode=["updates", "values"],
            feedback_keys=KEYS,
        ):
            parts.append(part)
            if part.id == "1-5":
                own_redis.stop()
                own_redis.start()
        [run] = await pair.at_busy.runs.list(thread["thread_id"])
        assert (run["status"], parts[-1].event) == ("success", "feedback")
        assert [part.data for part in parts if part.event == "values"][-1]["done"] == list(range(30))
        later = [part async for part in pair.at_idle.runs.stream(None, "tokens", input={"count": 3})]
        assert later[0].event == "metadata"


async def test_run_ends_well_though_redis_never_returns(open_pair: OpenPair, own_redis: RedisProcess) -> None:
    parts: list[StreamPart] = []
    async with open_pair(own_redis.url) as pair, asyncio.timeout(100):
        async for part in pair.at_busy.runs.stream(
            None, "steps", input={"total": 10, "pause": 0.1}, stream_mode="updates", feedback_keys=KEYS
        ):
            parts.append(part)
            if part.id == "1-5":
                own_redis.stop()
        assert [part.event for part in parts[-4:]] == ["gap", "metadata", "values", "feedback"]
        assert parts[-2].data["done"] == list(range(10))
        assert (await pair.at_idle.runs.wait(None, "steps", input={"total": 2}))["done"] == [0, 1]


async def test_remote_streams_wait_for_the_end_without_redis(open_pair: OpenPair) -> None:
    async with open_pair() as pair, asyncio.timeout(100):
        given = {"total": 5, "pause": 0.1}
        stream = pair.at_busy.runs.stream(None, "steps", input=given, feedback_keys=KEYS)
        parts = [part async for part in stream]
        assert [part.event for part in parts] == ["gap", "metadata", "values", "feedback"]
        assert parts[2].data["done"] == list(range(5))
        assert (await pair.at_busy.runs.wait(None, "steps", input=given))["done"] == list(range(5))


def steps_of(parts: list[StreamPart]) -> list[int]:
    """Return the numbers of the steps in the `updates` events."""
    return [number for part in parts if part.event == "updates" for number in part.data["step"]["done"]]


def assert_no_trouble_in(server: ServerProcess) -> None:
    lines = [json.loads(line) for line in server.log().splitlines()]
    assert [line for line in lines if line["level"] in ("error", "critical", "warning")] == []
