"""Responses of server-sent events: their ends, their heartbeats and their tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import anyio
import pytest
from sse_starlette.sse import AppStatus, SendTimeoutError

from agent_server.asgi.live_stream import LiveStream

GET = {"type": "http", "method": "GET", "path": "/", "headers": []}


class Client:
    """A client that reads while `reads` is set and disconnects when `left` is set."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.reads, self.left, self._grown = anyio.Event(), anyio.Event(), anyio.Event()
        self.reads.set()

    async def receive(self) -> MutableMapping[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await self.reads.wait()
            self.bodies.append(message["body"])
            self._grown.set()
            self._grown = anyio.Event()

    async def open(self, stream: LiveStream) -> None:
        """Read the stream to its end."""
        await stream(GET, self.receive, self.send)

    async def until(self, count: int) -> None:
        """Wait until there are so many bodies."""
        with anyio.fail_after(10):
            while len(self.bodies) < count:
                await self._grown.wait()


class Source:
    """Yield one chunk, then nothing until the stream is closed."""

    def __init__(self) -> None:
        self.closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await anyio.sleep_forever()
        finally:
            self.closed = True


def live(source: Source, **options: Any) -> LiveStream:
    return LiveStream(source.chunks(), heartbeat=lambda: b":", **{"ping": 0.05, **options})


async def test_open_streams_take_two_tasks_each() -> None:
    before = len(asyncio.all_tasks())
    async with anyio.create_task_group() as group:
        clients = [Client() for _ in range(20)]
        for client in clients:
            group.start_soon(client.open, live(Source(), ping=60))
        for client in clients:
            await client.until(1)
        assert len(asyncio.all_tasks()) - before <= 2 * len(clients) + 2  # one waits for the shutdown, one polls
        group.cancel_scope.cancel()


async def test_client_that_leaves_ends_the_stream() -> None:
    client, source = Client(), Source()
    left: list[str] = []

    async def note(message: Any) -> None:
        left.append(message["type"])

    async with anyio.create_task_group() as group:
        group.start_soon(client.open, live(source, client_close_handler_callable=note))
        await client.until(1)
        client.left.set()
    assert source.closed
    assert left == ["http.disconnect"]


async def test_failing_close_handler_fails_the_response() -> None:
    client, source = Client(), Source()
    client.left.set()

    async def fail(_message: Any) -> None:
        raise ValueError("no database")

    with pytest.raises(ValueError, match="no database"), anyio.fail_after(10):
        await client.open(live(source, client_close_handler_callable=fail))


async def test_blocked_client_times_out_beside_live_ones() -> None:
    blocked, reading, source = Client(), Client(), Source()
    blocked.reads = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(reading.open, live(Source()))
        with pytest.raises(SendTimeoutError), anyio.fail_after(10):
            await blocked.open(live(source, send_timeout=0.3))
        assert source.closed
        assert blocked.bodies == []
        assert len(reading.bodies) > 3
        group.cancel_scope.cancel()


async def test_blocked_heartbeat_ends_the_stream() -> None:
    client, source = Client(), Source()
    opened = asyncio.create_task(client.open(live(source, send_timeout=0.2)))
    await client.until(2)
    client.reads = anyio.Event()
    with pytest.raises(SendTimeoutError), anyio.fail_after(10):
        await opened
    assert source.closed


async def test_shutdown_lets_the_generator_say_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    client, closing = Client(), anyio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        await closing.wait()
        yield b"farewell"
        await anyio.sleep_forever()

    stream = LiveStream(chunks(), heartbeat=bytes, ping=60, shutdown_event=closing, shutdown_grace_period=0.2)
    async with anyio.create_task_group() as group:
        group.start_soon(client.open, stream)
        await client.until(1)
        monkeypatch.setattr(AppStatus, "should_exit", True)
        await client.until(2)
    assert client.bodies == [b"first", b"farewell"]  # a cut stream lacks the empty last body


async def test_stream_opened_during_shutdown_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AppStatus, "should_exit", True)
    with anyio.fail_after(10):
        await Client().open(live(Source()))


async def test_head_request_gets_headers_only() -> None:
    client, source = Client(), Source()
    with anyio.fail_after(10):
        await live(source)({**GET, "method": "HEAD"}, client.receive, client.send)
    assert client.bodies == [b""]
