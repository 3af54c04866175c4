"""Event streaming over broken connections: no event is lost or doubled, and a cut never looks like an end."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import get_sync_client

from tests.clients.conftest import StartServer
from tests.clients.cutting_proxy import CuttingProxy
from tests.clients.server_process import ServerProcess

CUTS = {
    "behind an event's name": [b"event: updates"],
    "in an event's data": [b'{"step":{"done":[3'],
    "behind an event's data": [b'{"step":{"done":[3]}}}}\r\n'],
    "between events": [b'{"step":{"done":[3]}}}}\r\nid: 21\r\n\r\n'],
    "in the feedback event": [b'{"name":"feedback"'],
    "again and again": [b'{"step":{"done":[3', b'{"step":{"done":[9', b'{"name":"feedback"'],
}
KEYS = {"feedback_keys": ["user_liked"]}


@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS.keys())
async def test_broken_connection_delivers_every_event_once(graphs: ServerProcess, cuts: list[bytes]) -> None:
    async with CuttingProxy(graphs.port, list(cuts)).listening() as proxy, get_client(url=proxy.url) as client:
        assistant = await client.assistants.create("steps", metadata=KEYS)
        async with asyncio.timeout(50), client.threads.stream(assistant_id=assistant["assistant_id"]) as thread:
            await thread.run.start(input={"total": 20, "pause": 0.02})
            events: list[Any] = [event async for event in thread.subscribe(["updates", "custom:feedback"])]
            values = await thread.output
        assert proxy.cuts == []
    updates = [event["params"]["data"] for event in events if event["method"] == "updates"]
    assert updates == [{"step": {"done": [number]}} for number in range(20)]
    assert [event["params"]["data"]["name"] for event in events if event["method"] == "custom"] == ["feedback"]
    assert values["done"] == list(range(20))


async def test_broken_connection_delivers_the_whole_text(graphs: ServerProcess) -> None:
    cuts = [b'"text":"Let me "', b'"args":"{\\"num"', b'"text":"It"']
    async with (
        CuttingProxy(graphs.port, cuts).listening() as proxy,
        get_client(url=proxy.url) as client,
        asyncio.timeout(50),
        client.threads.stream(assistant_id="calling") as thread,
    ):
        await thread.run.start(input={"messages": [{"role": "user", "content": "hello"}]})
        messages = [message async for message in thread.messages]
        texts = ["".join([delta async for delta in message.text]) for message in messages]
    assert cuts == []
    assert texts == ["Let me see", "It is done"]


async def test_sync_client_goes_on_behind_a_cut(graphs: ServerProcess) -> None:
    async with CuttingProxy(graphs.port, [b'{"step":{"done":[3']).listening() as proxy:

        def streamed() -> list[Any]:
            with get_sync_client(url=proxy.url) as client, client.threads.stream(assistant_id="steps") as thread:
                thread.run.start(input={"total": 10, "pause": 0.02})
                return [event["params"]["data"]["step"]["done"] for event in thread.subscribe(["updates"])]

        assert await asyncio.to_thread(streamed) == [[number] for number in range(10)]
        assert proxy.cuts == []


@pytest.mark.timeout(150)
async def test_restarted_server_continues_the_stream(start_server: StartServer) -> None:
    server = await asyncio.to_thread(start_server)
    thread_id, seen, since = str(uuid4()), [], 0
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
        params = {"assistant_id": "steps", "input": {"total": 30, "pause": 0.1}}
        await http.post(f"/threads/{thread_id}/commands", json={"id": 1, "method": "run.start", "params": params})
        for is_first in (True, False):
            try:
                async for event in _events(http, thread_id, since):
                    seen.append(event)
                    since = event["seq"]
                    if is_first and event["params"]["data"] == {"step": {"done": [3]}}:
                        server.terminate()
                    if event["params"]["data"].get("event") == "completed":
                        break
                assert not is_first, "the stream ended without an error"
            except httpx.RemoteProtocolError:
                assert is_first
                await asyncio.to_thread(server.stop)
                await asyncio.to_thread(server.start)
    updates = [event["params"]["data"]["step"]["done"] for event in seen if event["method"] == "updates"]
    assert updates == [[number] for number in range(30)]
    assert [event["seq"] for event in seen] == sorted({event["seq"] for event in seen})
    assert [event["method"] for event in seen].count("gap") == 0


async def _events(http: httpx.AsyncClient, thread_id: str, since: int) -> Any:
    body = {"channels": ["updates", "lifecycle"], "since": since}
    async with http.stream("POST", f"/threads/{thread_id}/stream/events", json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))
