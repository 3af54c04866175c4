"""A response of server-sent events in two tasks: one sends, the other waits for the client to leave.

sse-starlette starts four tasks for each response: one sends, the others wait for the next heartbeat, for the server's
shutdown, and for the client to leave. Here, the streams of an event loop share a timer for their heartbeats and a task
that waits for the shutdown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import takewhile
from typing import Any
from weakref import WeakKeyDictionary

import anyio
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message, Receive, Scope, Send

TICKS = 20
"""How often within the interval between heartbeats the timer looks for streams that are due."""


class LiveStream(EventSourceResponse):
    """sse-starlette's response with its behaviour; of its parameters, `data_sender_callable` has no effect.

    A send that takes too long ends the response at the next heartbeat, not to the second.
    """

    def __init__(self, *args: Any, heartbeat: Callable[[], bytes], **options: Any) -> None:
        super().__init__(*args, **options)
        self._heartbeat = heartbeat
        self._sending_since: float | None = None
        self._pinging: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream until it ends, the client leaves, a send takes too long, or the server stops."""
        if scope["type"] != "http" or scope["method"] == "HEAD":
            await super().__call__(scope, receive, send)
            return
        self._send = send
        with anyio.CancelScope() as self._scope:
            streams = _list_streams()
            streams.add(self)
            leaving = asyncio.create_task(self._end_when_client_leaves(receive))
            try:
                await self._stream_response(send)
            finally:
                streams.remove(self)
                leaving.cancel()
                if self._pinging is not None:
                    self._pinging.cancel()
        if self._failure is not None:
            raise self._failure
        if self.background is not None:
            await self.background()

    def ping(self, now: float) -> None:
        """Send a heartbeat from a task of its own, unless another send still waits for the client to read."""
        if self._sending_since is None:
            self._pinging = asyncio.create_task(self._send_heartbeat())
        elif self.send_timeout is not None and now - self._sending_since > self.send_timeout:
            self._fail(SendTimeoutError())

    def stop(self) -> None:
        """Tell the generator of the server's shutdown, and end the response after the grace period."""
        if self._shutdown_event is not None:
            self._shutdown_event.set()
        asyncio.get_running_loop().call_later(self._shutdown_grace_period, self._scope.cancel)

    async def _send_with_timeout(self, send: Send, message: Message) -> None:
        """Send the message, and note since when: a timer for each would take longer than the send."""
        self._sending_since = asyncio.get_running_loop().time()
        try:
            await send(message)
        finally:
            self._sending_since = None

    async def _send_heartbeat(self) -> None:
        try:
            self._send_lock.acquire_nowait()
        except anyio.WouldBlock:
            return  # the response's last message is being sent
        try:
            if self.active:
                message = {"type": "http.response.body", "body": self._heartbeat(), "more_body": True}
                await self._send_with_timeout(self._send, message)
        except Exception as error:
            self._fail(error)
        finally:
            self._send_lock.release()

    async def _end_when_client_leaves(self, receive: Receive) -> None:
        try:
            await self._listen_for_disconnect(receive)
        except Exception as error:
            self._fail(error)
        else:
            self._scope.cancel()

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._scope.cancel()


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
