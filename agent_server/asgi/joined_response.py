"""JoinedResponse: sends a response's head and the first part of its body in one write.

uvicorn writes them one by one: two system calls and, for the client, two packets. A head that announces the body's
length waits for that body, as ASGI wants it ("must not start sending the response to the client until it has received
at least one Response Body event"). A stream may have nothing to send for long, so its head waits for a few turns of the
event loop only: in these, a run that has just been created sends its first event.
"""

from __future__ import annotations

import asyncio

TURNS = 4
"""For how many turns of the event loop the head of a stream waits for the first part."""
_STREAMED = b"chunked\r\n\r\n"
"""The end of the heads that uvicorn writes for responses without a `Content-Length`."""
_CONTINUE = b"HTTP/1.1 100 "


class JoinedResponse:
    """The transport of one response to a request that is not `HEAD`."""

    __slots__ = ("_head", "_is_new", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._is_new = True

    def write(self, data: bytes) -> None:
        """Write `data`, except a head, which waits for the body."""
        if self._head:
            data, self._head = self._head + data, b""
        elif self._is_new and not data.startswith(_CONTINUE):
            self._is_new = False
            self._head = data
            if data.endswith(_STREAMED):
                self._write_head_after(TURNS)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Write what waits, and close the connection."""
        if self._head:
            self.write(b"")
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether the connection is closed or being closed."""
        return self._transport.is_closing()

    def _write_head_after(self, turns: int) -> None:
        if not self._head or self.is_closing():
            return
        if turns:
            asyncio.get_running_loop().call_soon(self._write_head_after, turns - 1)
        else:
            self.write(b"")
