"""A TCP proxy that cuts the connections of live streams where a test chooses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class CuttingProxy:
    """Forward connections to a server and cut each stream behind its entry of `cuts`, in the order of the streams.

    An empty cut comes before the stream's first byte: the server has the request, and the client gets no response.
    """

    def __init__(self, target_port: int, cuts: list[bytes]) -> None:
        self.cuts = cuts
        self.port = 0
        self._target_port = target_port
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[CuttingProxy]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()  # without `wait_closed`: since Python 3.12 it waits for clients, which keep connections open
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target_port)
        upwards = asyncio.create_task(_forward(reader, to_server))
        try:
            await self._answer(from_server, writer)
        finally:
            upwards.cancel()
            for one in (writer, to_server):
                one.close()
                with suppress(OSError):
                    await one.wait_closed()

    async def _answer(self, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = b""
        with suppress(OSError):
            while data := await from_server.read(65536):
                before = len(seen)
                seen += data
                stream = seen.rfind(b"text/event-stream")  # skip earlier responses of a kept-alive connection
                mark = self.cuts[0] if self.cuts and stream >= 0 else None
                if mark == b"" and stream >= before:
                    self.cuts.pop(0)
                    return
                if mark and (found := seen.find(mark, max(stream, before - 100))) >= 0:
                    self.cuts.pop(0)
                    writer.write(data[: max(0, len(data) - (len(seen) - found - len(mark)))])
                    await writer.drain()
                    return
                writer.write(data)
                await writer.drain()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
