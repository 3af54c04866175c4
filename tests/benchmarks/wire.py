"""A lean HTTP client, so that the client is no part of the measurement."""

from __future__ import annotations

import asyncio
import json
import re
from time import perf_counter
from typing import Any, cast

import msgspec

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
REPLY_SECONDS = 60


def request(path: str, body: object) -> bytes:
    """Return the bytes of a POST of `body` as JSON on a kept-alive connection."""
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
    return head.encode() + b"\r\n\r\n" + data


def get(path: str) -> bytes:
    """Return the bytes of a GET on a kept-alive connection."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


class Streamed(msgspec.Struct):
    """What a stream's client received; times are seconds since it sent its request."""

    first_event: float
    end: float
    body: bytes


class Connection:
    """One kept-alive connection for requests in sequence."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int, limit: int = 1 << 24) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=limit))

    def close(self) -> None:
        self._writer.close()

    async def post(self, path: str, body: object) -> Any:
        """Return the JSON of the response."""
        async with asyncio.timeout(REPLY_SECONDS):
            self._writer.write(request(path, body))
            head = await self._head()
            length = _LENGTH.search(head)
            assert length, head
            return json.loads(await self._reader.readexactly(int(length[1])))

    async def send(self, message: bytes) -> None:
        """Send the request and wait for the head of its response."""
        async with asyncio.timeout(REPLY_SECONDS):
            self._writer.write(message)
            await self._head()

    async def stream(self, path: str, body: object) -> Streamed:
        """Read the chunks of a streamed response to its end; without a body the request is a GET."""
        async with asyncio.timeout(REPLY_SECONDS):
            began = perf_counter()
            self._writer.write(get(path) if body is None else request(path, body))
            await self._head()
            first, chunks = 0.0, []
            while size := int(await self._reader.readline(), 16):
                chunks.append(await self._reader.readexactly(size))
                first = first or perf_counter() - began
                await self._reader.readexactly(2)
            await self._reader.readexactly(2)
            return Streamed(first, perf_counter() - began, b"".join(chunks))

    async def _head(self) -> bytes:
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server refused a measured request: {head[:200]!r}")
        return head


class Repeater(asyncio.Protocol):
    """A connection that repeats its request after each response until it is stopped."""

    def __init__(self, message: bytes) -> None:
        self.responses = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._message = message
        self._seen = b""
        self._stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._message)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head, mark, body = self._seen.partition(b"\r\n\r\n")
        length = _LENGTH.search(head) if mark else None
        if length is None or len(body) < int(length[1]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._end(RuntimeError(f"the server refused a measured request: {self._seen[:300]!r}"))
            return
        self.responses += 1
        self._seen = b""
        if self._stopping:
            self._end()
        else:
            self._transport.write(self._message)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionError("the server closed a measured connection"))

    def stop(self) -> None:
        """Send nothing after the response that is awaited now."""
        self._stopping = True

    def _end(self, error: Exception | None = None) -> None:
        if not self.done.done():
            self.done.set_exception(error) if error else self.done.set_result(None)
            self._transport.close()


async def repeat(port: int, messages: list[bytes], seconds: float) -> int:
    """Return how many responses arrive when each message is repeated on its own connection; at least one for each.

    The last requests are sent within `seconds`.
    """
    loop = asyncio.get_running_loop()
    repeaters = []
    for message in messages:
        _, repeater = await loop.create_connection(lambda message=message: Repeater(message), "127.0.0.1", port)
        repeaters.append(repeater)
    await asyncio.sleep(seconds)
    for repeater in repeaters:
        repeater.stop()
    async with asyncio.timeout(REPLY_SECONDS):
        await asyncio.gather(*(repeater.done for repeater in repeaters))
    return sum(repeater.responses for repeater in repeaters)
