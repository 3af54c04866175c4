"""The official Python client when its connection breaks or the server restarts in the middle of a run."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.schema import StreamPart

from tests.clients.conftest import StartServer
from tests.clients.cutting_proxy import CuttingProxy
from tests.clients.server_process import ServerProcess

KEYS = ["user_liked"]
CUTS = {
    "behind an event's name": [b"event: updates"],
    "in an event's data": [b'{"step":{"done":[3'],
    "behind an event's data": [b'{"step":{"done":[3]}}\r\n'],
    "behind an event's id": [b"id: 1-4"],
    "between events": [b"id: 1-4\r\n\r\n"],
    "in the feedback event": [b'{"user_liked":"http'],
    "behind the feedback event, before the end": [b"id: 1-21\r\n\r\n"],
    "again and again": [b"id: 1-4\r\n", b"id: 1-9\r\n", b"event: feedback"],
}


@pytest.mark.parametrize("thread", [True, False], ids=["on a thread", "stateless"])
@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS.keys())
async def test_broken_connection_delivers_every_event_once(
    graphs: ServerProcess, cuts: list[bytes], thread: bool
) -> None:
    async with CuttingProxy(graphs.port, list(cuts)).listening() as proxy, get_client(url=proxy.url) as client:
        thread_id = (await client.threads.create())["thread_id"] if thread else None
        async with asyncio.timeout(40):
            parts = [
                part
                async for part in client.runs.stream(
                    thread_id,
                    "steps",
                    input={"total": 20, "pause": 0.01},
                    stream_mode="updates",
                    feedback_keys=KEYS,
                )
            ]
        assert proxy.cuts == []
    assert [part.event for part in parts] == ["metadata", *["updates"] * 20, "feedback"]
    assert steps_of(parts) == list(range(20))
    assert [part.id for part in parts] == [f"1-{number}" for number in range(22)]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("thread", [True, False], ids=["on a thread", "stateless"])
async def test_stream_continues_over_a_server_restart(start_server: StartServer, thread: bool) -> None:
    server = await asyncio.to_thread(start_server)
    parts: list[StreamPart] = []
    async with get_client(url=server.url) as client:
        thread_id = (await client.threads.create())["thread_id"] if thread else None
        restarting: asyncio.Task[int] | None = None
        async with asyncio.timeout(90):
            async for part in client.runs.stream(
                thread_id,
                "steps",
                input={"total": 40, "pause": 0.1},
                stream_mode=["updates", "values"],
                feedback_keys=KEYS,
            ):
                parts.append(part)
                if part.event == "updates" and restarting is None:
                    restarting = asyncio.create_task(asyncio.to_thread(restart, server))
        assert restarting is not None
        assert await restarting == -signal.SIGTERM  # uvicorn re-raises the signal after its shutdown
    assert [part.data["attempt"] for part in parts if part.event == "metadata"] == [1, 2]
    assert parts[-1].event == "feedback"
    assert parts[-2].data["done"] == list(range(40))
    assert sorted(set(steps_of(parts))) == list(range(40))
    assert_no_trouble_in(server.log())


def restart(server: ServerProcess) -> int:
    status = server.stop()
    server.start()
    return status


def steps_of(parts: list[StreamPart]) -> list[int]:
    """Return the numbers of the steps in the `updates` events."""
    return [number for part in parts if part.event == "updates" for number in part.data["step"]["done"]]


def assert_no_trouble_in(log: str) -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]
    assert [line for line in lines if line["level"] in ("error", "critical", "warning")] == []
    assert not re.search("Traceback", log)
