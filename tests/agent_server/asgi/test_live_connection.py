"""Streams on connections of our HTTP protocol: without tasks of their own, with the same ends and heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from agent_server import Config
from agent_server.asgi.custom_app import HttpApp
from agent_server.asgi.live_stream import LiveStream
from agent_server.routes.run_responses import respond_or_not_found
from tests.agent_server.asgi.test_http_protocol import serving
from tests.agent_server.backend import until

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
BEAT = b"1\r\n:\r\n"
LARGE = b"x" * (8 * 1024 * 1024)


class Streams:
    """An app that responds with streams of a first chunk and heartbeats."""

    def __init__(self, first: bytes = b"first", heartbeat: Callable[[], bytes] = lambda: b":", **options: Any) -> None:
        self.open = 0
        self.errors: list[Exception] = []
        self._first, self._heartbeat = first, heartbeat
        self._options = {"ping": 0.05, **options}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await LiveStream(self.chunks(), heartbeat=self._heartbeat, **self._options)(scope, receive, send)
        except Exception as error:
            self.errors.append(error)

    async def chunks(self) -> AsyncIterator[bytes]:
        self.open += 1
        try:
            yield self._first
            await anyio.sleep_forever()
        finally:
            self.open -= 1


@asynccontextmanager
async def connected(port: int, request: bytes = REQUEST) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    try:
        writer.write(request)
        yield reader
    finally:
        writer.transport.abort()


async def test_stream_takes_the_task_of_its_request() -> None:
    app = Streams(ping=60)
    async with serving(app) as port, connected(port) as first:
        await first.readuntil(b"first")
        before = len(asyncio.all_tasks())
        async with connected(port) as second:
            await second.readuntil(b"first")
            assert len(asyncio.all_tasks()) == before + 1


async def test_heartbeats_follow_the_chunks_before() -> None:
    async with serving(Streams()) as port, connected(port) as reader:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head
        assert await reader.readexactly(10 + 2 * len(BEAT)) == b"5\r\nfirst\r\n" + 2 * BEAT


async def test_client_that_leaves_ends_its_stream_only() -> None:
    app = Streams()
    async with serving(app) as port, connected(port) as staying:
        async with connected(port) as leaving:
            await leaving.readuntil(b"first")
            assert app.open == 2
        await until(lambda: app.open == 1)
        await staying.readuntil(2 * BEAT)
    assert app.errors == []


async def test_close_handler_is_awaited_before_the_end() -> None:
    left: list[int] = []

    async def note(_message: Any) -> None:
        await asyncio.sleep(0.2)
        left.append(app.open)

    app = Streams(client_close_handler_callable=note)
    async with serving(app) as port:
        async with connected(port) as reader:
            await reader.readuntil(b"first")
        await until(lambda: app.open == 0)
    assert left == [1]


async def test_pipelined_request_does_not_hide_the_end() -> None:
    app = Streams()
    async with serving(app) as port:
        async with connected(port, REQUEST + REQUEST) as reader:
            await reader.readuntil(2 * BEAT)
        await until(lambda: app.open == 0)


async def test_client_that_stops_reading_times_out() -> None:
    app = Streams(LARGE, send_timeout=0.3)
    async with serving(app) as port, connected(port), connected(port) as reading:
        for _ in range(len(LARGE) // 4096):
            await reading.read(4096)
        await until(lambda: len(app.errors) == 1)
        assert type(app.errors[0]).__name__ == "SendTimeoutError"


async def test_failing_heartbeat_ends_its_stream_only() -> None:
    beats = iter([b":", b"", ValueError("no heartbeat")])

    def fail() -> bytes:
        beat = next(beats)
        if isinstance(beat, ValueError):
            raise beat
        return beat

    failing, app = Streams(heartbeat=fail), Streams()
    async with serving(failing) as other, serving(app) as port, connected(port) as reader:
        async with connected(other) as ended:
            assert (await ended.read()).endswith(b"first\r\n" + BEAT)
        await reader.readuntil(2 * BEAT)
        await reader.readuntil(2 * BEAT)
    assert [str(error) for error in failing.errors] == ["no heartbeat"]


async def test_heartbeat_sends_the_head_of_a_join() -> None:
    async def wait() -> AsyncIterator[bytes]:
        await anyio.sleep_forever()
        yield b""

    joins = respond_or_not_found(wait(), lambda chunks: LiveStream(chunks, heartbeat=lambda: b":", ping=0.05))
    async with serving(joins) as port, connected(port) as reader:
        assert (await reader.readuntil(3 * BEAT)).endswith(b"\r\n\r\n" + 3 * BEAT)


async def test_heartbeats_pass_through_the_users_middleware(tmp_path: Path) -> None:
    front = HttpApp(Config(directory=tmp_path), "not loaded")
    app = front.mount_before(Streams())
    front._user_app = Starlette(routes=[Mount("", app=front._ours)], middleware=[Middleware(Doubling)])
    async with serving(app) as port, connected(port) as reader:
        assert (await reader.readuntil(b"2\r\n::\r\n")).endswith(b"firstfirst\r\n2\r\n::\r\n")


class Doubling:
    """Middleware that sends every part of a body twice as long."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def double(message: Any) -> None:
            await send({**message, "body": 2 * message["body"]} if "body" in message else message)

        await self._app(scope, receive, double)
