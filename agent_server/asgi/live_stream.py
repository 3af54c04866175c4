"""A response of server-sent events without tasks of its own, on connections of our HTTP protocol.

sse-starlette starts four tasks for each response: one sends, the others wait for the next heartbeat, for the server's
shutdown, and for the client to leave. Here, the request's task sends, and the streams of an event loop share a timer
for their heartbeats and a task that waits for the shutdown. Our HTTP protocol reports a client that leaves, and takes
heartbeats without a task. With another server, a second task waits for the client to leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import takewhile
from typing import Any
from weakref import WeakKeyDictionary

from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message, Receive, Scope, Send

from agent_server.asgi.live_connection import LiveConnection, find_connection

TICKS = 20
"""How often within the interval between heartbeats the timer looks for streams that are due."""
_SENT: list[tuple[bytes, bytes]] = []
"""The headers of streams whose head is sent: they need none, and thousands of lists take memory."""
_HEADERS = ((b"cache-control", b"no-store"), (b"connection", b"keep-alive"), (b"x-accel-buffering", b"no"))


@lru_cache
def _content_type(media_type: str) -> tuple[bytes, bytes]:
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    return b"content-type", f"{media_type}{charset}".encode()


class LiveStream(EventSourceResponse):
    """sse-starlette's response with its behaviour; of its parameters, `data_sender_callable` has no effect.

    A send that takes too long ends the response at the next heartbeat, not to the second.
    """

    def __init__(
        self, *args: Any, heartbeat: Callable[[], bytes], headers: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        self._given_headers = headers or {}
        super().__init__(*args, **options)
        self._send_lock = asyncio.Lock()  # type: ignore[assignment]  # anyio's takes 760 bytes more
        self._heartbeat = heartbeat
        self._connection: LiveConnection | None = None
        self._waiting_since: float | None = None
        """When the client, or a send to it, was first seen to wait."""
        self._pinging: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._is_ending = False

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:  # noqa: ARG002  Starlette's signature
        """Set the given headers and sse-starlette's; its own way to merge them takes longer than all else here."""
        given = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in self._given_headers.items()]
        names = {name for name, _ in given}
        content_type = _content_type(self.media_type)
        self.raw_headers = [*given, *(one for one in (*_HEADERS, content_type) if one[0] not in names)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream until it ends, the client leaves, a send takes too long, or the server stops."""
        if scope["type"] != "http" or scope["method"] == "HEAD":
            await super().__call__(scope, receive, send)
            return
        self._send = send
        self._connection = find_connection(scope, self._note_client_left)
        if self._connection is None:
            self._leaving = asyncio.create_task(self._end_when_client_leaves(receive))
        streams = _list_streams()
        try:
            async with asyncio.timeout(None) as self._until:  # a fifth of the memory of anyio's scope
                streams.add(self)
                await self._stream_response(send)
        except TimeoutError:
            if not self._until.expired():
                raise
        finally:
            self._is_ending = True
            streams.remove(self)
            if self._connection is not None:
                self._connection.release()
            for task in (self._leaving, self._pinging):
                if task is not None:
                    task.cancel()
        if self._failure is not None:
            raise self._failure
        if self.background is not None:
            await self.background()

    def ping(self, now: float) -> None:
        """Send a heartbeat, unless another send still waits for the client to read; end the stream if that takes long.

        The heartbeat goes to the connection at once, if the head of the response is sent.
        """
        connection = self._connection
        if connection is None or not connection.takes_chunks:
            if self._waiting_since is None:
                self._pinging = asyncio.create_task(self._send_heartbeat())
            else:
                self._end_if_stuck(now)
        elif connection.is_blocked:
            self._end_if_stuck(now)
        elif self.active:
            self._waiting_since = None
            self.raw_headers = _SENT
            self._write_heartbeat(connection)

    def _write_heartbeat(self, connection: LiveConnection) -> None:
        try:
            if body := self._heartbeat():
                connection.write(body)
        except Exception as error:
            self._fail(error)

    def stop(self) -> None:
        """Tell the generator of the server's shutdown, and end the response after the grace period."""
        if self._shutdown_event is not None:
            self._shutdown_event.set()
        asyncio.get_running_loop().call_later(self._shutdown_grace_period, self._end)

    def _end_if_stuck(self, now: float) -> None:
        if self._waiting_since is None:
            self._waiting_since = now
        elif self.send_timeout is not None and now - self._waiting_since > self.send_timeout:
            self._fail(SendTimeoutError())

    async def _send_with_timeout(self, send: Send, message: Message) -> None:
        """Send the message, and note since when: a timer for each would take longer than the send."""
        self._waiting_since = asyncio.get_running_loop().time()
        try:
            await send(message)
        finally:
            self._waiting_since = None

    async def _send_heartbeat(self) -> None:
        if self._send_lock.locked():
            return  # the response's last message is being sent
        try:
            async with self._send_lock:
                if self.active:
                    message = {"type": "http.response.body", "body": self._heartbeat(), "more_body": True}
                    await self._send_with_timeout(self._send, message)
        except Exception as error:
            self._fail(error)

    def _note_client_left(self) -> None:
        if self.client_close_handler_callable is None:
            self.active = False
            self._end()
        else:
            self._leaving = asyncio.create_task(self._end_when_client_leaves(_receive_disconnect))

    async def _end_when_client_leaves(self, receive: Receive) -> None:
        try:
            await self._listen_for_disconnect(receive)
        except Exception as error:
            self._fail(error)
        else:
            self._end()

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._end()

    def _end(self) -> None:
        """Cancel the generator, once."""
        if not self._is_ending:
            self._is_ending = True
            self._until.reschedule(asyncio.get_running_loop().time())


async def _receive_disconnect() -> Message:
    return {"type": "http.disconnect"}


class _Streams:
    """The open streams of an event loop, in the order in which their heartbeats are due: all have the same interval."""

    def __init__(self) -> None:
        self._due: dict[LiveStream, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._shutdown: asyncio.Task[None] | None = None

    def add(self, stream: LiveStream) -> None:
        loop = asyncio.get_running_loop()
        self._due[stream] = loop.time() + stream.ping_interval
        if self._timer is None:
            self._timer = loop.call_later(stream.ping_interval / TICKS, self._tick)
        if self._shutdown is None or self._shutdown.done():
            self._shutdown = loop.create_task(self._stop_at_shutdown())

    def remove(self, stream: LiveStream) -> None:
        del self._due[stream]

    def _tick(self) -> None:
        """Send the heartbeats that are due; a timer for each stream would wake an idle process for each."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        for stream in list(takewhile(lambda stream: self._due[stream] <= now, self._due)):
            del self._due[stream]
            self._due[stream] = now + stream.ping_interval
            stream.ping(now)
        if self._due:
            interval = next(iter(self._due)).ping_interval
            self._timer = asyncio.get_running_loop().call_later(interval / TICKS, self._tick)

    async def _stop_at_shutdown(self) -> None:
        await LiveStream._listen_for_exit_signal()
        for stream in list(self._due):
            stream.stop()


_streams: WeakKeyDictionary[asyncio.AbstractEventLoop, _Streams] = WeakKeyDictionary()


def _list_streams() -> _Streams:
    loop = asyncio.get_running_loop()
    if loop not in _streams:
        _streams[loop] = _Streams()
    return _streams[loop]
