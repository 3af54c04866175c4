"""The limits of a connection: the size of headers, and the time in which a request must arrive."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from agent_server.asgi import http_protocol
from agent_server.asgi.http_protocol import MAX_HEADER_BYTES, BoundedHttpProtocol
from agent_server.asgi.request_body import detect_client_left
from agent_server.asgi.websocket_protocol import PatientWebSocketProtocol
from agent_server.errors import ClientLeft
from tests.agent_server.backend import until

MESSAGE_BYTES = 16 * 1024 * 1024
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


class Echo:
    """An app that responds with the length of the body and records disconnects."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        if scope["type"] != "http":
            return
        length, more = 0, True
        try:
            while more:
                message = await receive()
                length += len(message.get("body", b""))
                more = message.get("more_body", False)
        except ClientLeft:
            self.left.set()
            return
        body = str(length).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
    config = uvicorn.Config(
        detect_client_left(app),
        port=0,
        interface="asgi3",
        http=BoundedHttpProtocol,
        ws=PatientWebSocketProtocol,
        ws_max_size=MESSAGE_BYTES,
        log_config=None,
        lifespan="off",
        access_log=False,
    )
    server, listening = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server._serve([listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def exchange(port: int, *pieces: bytes, closes: bool = True) -> bytes:
    """Send the pieces and return everything that the server sends until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(-1 if closes else 4096), 20)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"X: " + b"a" * 200_000 + b"\r\n\r\n",
        HEAD + b"".join(b"X%d: y\r\n" % at for at in range(20_000)) + b"\r\n",
        b"GET /?" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        HEAD + b"X: " + b"a" * 200_000,
        HEAD + b"X" * 200_000,
        b"\r\n" * 100_000,
    ],
    ids=["long header", "many headers", "long path", "header without end", "name without end", "empty lines"],
)
async def test_too_large_headers_are_refused(request_: bytes) -> None:
    async with serving(Echo()) as port:
        assert (await exchange(port, request_))[:12] in (b"HTTP/1.1 431", b"")
        pieces = [request_[at : at + 5000] for at in range(0, len(request_), 5000)]
        assert (await exchange(port, *pieces))[:12] in (b"HTTP/1.1 431", b"")
        fits = HEAD + b"X: " + b"a" * (MAX_HEADER_BYTES - 100) + b"\r\nConnection: close\r\n\r\n"
        assert (await exchange(port, fits))[:12] == b"HTTP/1.1 200"


async def test_refusal_says_what_is_right() -> None:
    async with serving(Echo()) as port:
        refused = await exchange(port, HEAD + b"X: " + b"a" * 70_000 + b"\r\n\r\n")
        assert b"431 Request Header Fields Too Large" in refused
        assert b"65,536 bytes" in refused
        assert b"connection: close" in refused


@pytest.mark.parametrize("head", [b"", HEAD, b"GET / HT", b"\r\n"], ids=["nothing", "headers", "line", "empty line"])
async def test_request_that_never_comes_is_given_up(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS", 0.2)
    async with serving(Echo()) as port:
        assert (await exchange(port, head))[:12] == (b"HTTP/1.1 408" if head else b"")


async def test_body_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "BODY_SECONDS", 0.2)
    app = Echo()
    async with serving(app) as port:
        assert (await exchange(port, HEAD + b"Content-Length: 10\r\n\r\nabc"))[:12] == b"HTTP/1.1 408"
        await asyncio.wait_for(app.left.wait(), 10)


async def test_steady_body_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(http_protocol, "BODY_BYTES_PER_SECOND", 1000)
    async with serving(Echo()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Content-Length: 10000\r\nConnection: close\r\n\r\n")
        for _ in range(10):
            writer.write(b"a" * 1000)
            await asyncio.sleep(0.1)
        assert (await asyncio.wait_for(reader.read(), 20)).endswith(b"10000")
        writer.close()


async def test_idle_connection_serves_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS", 0.2)
    async with serving(Echo()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(HEAD + b"Content-Length: 3\r\n\r\nabc")
            assert (await reader.readuntil(b"\r\n\r\n"))[:12] == b"HTTP/1.1 200"
            assert await reader.readexactly(1) == b"3"
            await asyncio.sleep(0.5)
        writer.write(HEAD + b"Content-Length: 1\r\n\r\na" + HEAD + b"Content-Length: 2\r\n\r\nab")
        found = await reader.readuntil(b"\r\n\r\n1") + await reader.readuntil(b"\r\n\r\n2")
        assert found.count(b"HTTP/1.1 200") == 2
        writer.close()


async def test_socket_reads_nothing_before_the_app_does() -> None:
    begun, proceed = asyncio.Event(), asyncio.Event()
    received: list[Any] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        await proceed.wait()  # stands for an `auth` handler that calls another service
        await receive()
        await send({"type": "websocket.accept"})
        received.append(await receive())
        await send({"type": "websocket.close"})

    async with serving(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        await asyncio.wait_for(begun.wait(), 20)
        writer.write(b"\x82\xff" + MESSAGE_BYTES.to_bytes(8) + bytes(4) + bytes(MESSAGE_BYTES))
        with pytest.raises(TimeoutError):  # data beyond the kernel's buffers waits at the client
            await asyncio.wait_for(writer.drain(), 1)
        proceed.set()
        await asyncio.wait_for(writer.drain(), 20)
        await until(lambda: received)
        assert len(received[0]["bytes"]) == MESSAGE_BYTES
        writer.close()


class Slow:
    """An app that sends the head of its response at once, and the body when the test allows."""

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.started, self.may_end = asyncio.Event(), asyncio.Event()
        self._headers = headers

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        self.started.set()
        await self.may_end.wait()
        await send({"type": "http.response.body", "body": b"42"})


async def test_head_waits_for_announced_body() -> None:
    app = Slow([(b"content-length", b"2")])
    async with serving(app) as port:
        reading = asyncio.create_task(exchange(port, HEAD + b"\r\n", closes=False))
        await app.started.wait()
        await asyncio.sleep(0.05)
        assert not reading.done()
        app.may_end.set()
        head, _, body = (await reading).partition(b"\r\n\r\n")
        assert (head[:12], body) == (b"HTTP/1.1 200", b"42")


async def test_head_of_stream_is_sent_without_part() -> None:
    app = Slow([])
    async with serving(app) as port:
        assert (await exchange(port, HEAD + b"\r\n", closes=False))[:12] == b"HTTP/1.1 200"
        app.may_end.set()


async def test_head_of_stream_joins_immediate_part() -> None:
    app = Slow([])
    app.may_end.set()
    async with serving(app) as port:
        seen = await exchange(port, HEAD + b"\r\n", closes=False)
        assert seen.endswith(b"\r\n\r\n2\r\n42\r\n0\r\n\r\n")


async def test_responses_without_body_are_complete() -> None:
    async with serving(Echo()) as port:
        head = b"HEAD / HTTP/1.1\r\nHost: localhost\r\n"
        seen = await exchange(port, head + b"\r\n" + head + b"Connection: close\r\n\r\n")
        assert seen.count(b"HTTP/1.1 200") == 2


async def test_pipelined_responses_come_in_order() -> None:
    async with serving(Echo()) as port:
        requests = [HEAD + b"Content-Length: %d\r\n\r\n" % size + b"x" * size for size in (3, 1, 2)]
        last = HEAD + b"Connection: close\r\n\r\n"
        seen = await exchange(port, b"".join(requests) + last)
        assert [one.partition(b"\r\n\r\n")[2] for one in seen.split(b"HTTP/1.1 200 OK")[1:]] == [b"3", b"1", b"2", b"0"]


async def test_large_head_in_two_pieces_is_refused() -> None:
    async with serving(Echo()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Content-Length: 1\r\n\r\na" + HEAD + b"X: " + b"a" * (MAX_HEADER_BYTES - 5000))
        assert (await reader.readuntil(b"\r\n\r\n1"))[:12] == b"HTTP/1.1 200"
        writer.write(b"a" * 6000 + b"\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 20))[:12] == b"HTTP/1.1 431"
        writer.close()


async def test_each_request_has_its_full_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS", 0.4)
    monkeypatch.setattr(http_protocol, "BODY_SECONDS", 0.4)
    async with serving(Echo()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Content-Length: 1\r\n\r\na")
        await reader.readuntil(b"\r\n\r\n1")
        await asyncio.sleep(0.25)
        began = asyncio.get_running_loop().time()
        writer.write(HEAD)
        assert (await asyncio.wait_for(reader.read(), 20))[:12] == b"HTTP/1.1 408"
        assert asyncio.get_running_loop().time() - began > 0.35
        writer.close()
