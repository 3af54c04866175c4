"""HTTP/1.1 connections with bounds: uvicorn's httptools protocol with a cap on headers and deadlines for requests.

uvicorn bounds incomplete headers only in its slower h11 protocol, and has no deadline for a request that never ends.
Without bounds, a client without credentials can exhaust memory (endless headers) and hold connections open forever
(slowloris). The rates are those that Apache's mod_reqtimeout recommends.
"""

from __future__ import annotations

import asyncio
import http
import json
from typing import Any, Literal
from weakref import ref

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from agent_server.asgi.joined_response import JoinedResponse
from agent_server.asgi.live_connection import CONNECTION, Flow, SmallEvent

MAX_HEADER_BYTES = 64 * 1024
"""The request line and all headers together."""
HEADER_SECONDS = 20.0
"""From the first byte of a request (or from the connection) to the end of its headers."""
BODY_SECONDS = 20.0
"""Seconds that a request body may take, plus one for each `BODY_BYTES_PER_SECOND` that arrive."""
BODY_BYTES_PER_SECOND = 500

_Phase = Literal["head", "body", "answer"]


class _HeadersTooLarge(Exception):
    """Stops the parser; the client gets 431."""


class _Queue(list[Any]):
    """The pipelined requests of a connection, nearly always none: what uvicorn uses of a deque."""

    __slots__ = ()

    def appendleft(self, request: Any) -> None:
        self.insert(0, request)


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection. A request with too large headers gets 431, one that arrives too slowly 408."""

    __slots__ = (
        "_carried",
        "_due",
        "_phase",
        "_piece",
        "_received",
        "_since",
        "_timer",
        "_timer_at",
        "_too_large",
    )  # beside uvicorn's dictionary, whose keys CPython shares between connections as long as they are at most 30

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pipeline = _Queue()  # type: ignore[assignment]
        self._phase: _Phase = "head"
        self._since = 0.0
        self._received = 0
        self._carried = 0
        self._piece = 0
        self._too_large = False
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline: a connection on which no request arrives is closed, too."""
        super().connection_made(transport)
        self.flow: Flow = Flow(transport)
        self._restart("head")

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the deadline."""
        self._stop_timer()
        super().connection_lost(exc)
        self.flow.report_loss()

    def data_received(self, data: bytes) -> None:
        """Parse the data, then check the size of headers that are not complete yet."""
        self._piece = len(data)
        if self._phase == "answer":  # bytes of the next request on this connection
            self._restart("head")
        if self._phase == "head":
            self._received += len(data)
        super().data_received(data)
        if self._phase == "head" and self._received > MAX_HEADER_BYTES and not self.transport.is_closing():
            self._refuse_headers()

    def handle_websocket_upgrade(self) -> None:
        """Stop the deadline: the connection is a WebSocket from here on, with limits of its own."""
        self._stop_timer()
        self._phase = "answer"
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        """Reset the counters: several requests may arrive in one piece of data."""
        super().on_message_begin()
        if self._phase != "head":
            self._restart("head")
            self._carried = self._piece

    def on_headers_complete(self) -> None:
        """Refuse complete headers that are too large before the application sees the request; join its response."""
        if self._received + self._carried > MAX_HEADER_BYTES and self._size_of_head() > MAX_HEADER_BYTES:
            self._too_large = True
            raise _HeadersTooLarge
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self.cycle.message_event = SmallEvent()
            self.scope["state"][CONNECTION] = ref(self.cycle)
        if self.cycle is not before and self.scope["method"] != "HEAD":
            self.cycle.transport = JoinedResponse(self.transport)  # type: ignore[assignment]
        self._restart("body")

    def on_body(self, body: bytes) -> None:
        """Count the body's bytes, each of which extends the deadline."""
        self._received += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the deadline: the application takes over."""
        super().on_message_complete()
        self._phase = "answer"

    def send_400_response(self, msg: str) -> None:
        """Send the error for a request that the parser refuses: 431 if the headers are too large, otherwise 400."""
        if self._too_large:
            self._refuse_headers()
        else:
            self._refuse(400, msg)

    def _refuse_headers(self) -> None:
        self._refuse(431, f"The request's headers have more than {MAX_HEADER_BYTES:,} bytes; send smaller ones")

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _restart(self, phase: _Phase) -> None:
        self._phase, self._received, self._carried, self._since = phase, 0, 0, self.loop.time()
        self._set_deadline(self._since, HEADER_SECONDS if phase == "head" else BODY_SECONDS)

    def _set_deadline(self, now: float, seconds: float) -> None:
        """Set the deadline; a timer that runs already is kept, and waits for the rest when it ends too early."""
        self._due = now + seconds
        if self._timer is None or self._due < self._timer_at:
            self._stop_timer()
            self._timer_at = self._due
            self._timer = self.loop.call_later(seconds, self._check_deadline)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_deadline(self) -> None:
        self._timer = None
        if self.transport.is_closing() or self._phase == "answer":
            return
        now = self.loop.time()
        if now < self._due:
            self._set_deadline(now, self._due - now)
            return
        if self._phase == "body":
            if self.flow.read_paused:  # the application reads slowly, not the client
                self._restart("body")
                return
            left = self._since + BODY_SECONDS + self._received / BODY_BYTES_PER_SECOND - now
            if left > 0:
                self._set_deadline(now, left)
                return
        self._refuse(408, "The request did not arrive completely in time; send it again without a pause")

    def _refuse(self, status: int, detail: str) -> None:
        """Send an error if no response has begun, and close the connection."""
        self._stop_timer()
        cycle, transport = self.cycle, self.transport
        is_silent = self._phase == "head" and not self._received  # such as a connection that a browser keeps in reserve
        is_owed = cycle is None or cycle.response_complete or (self._phase == "body" and not cycle.response_started)
        if is_owed and not is_silent:
            transport.write(_error_response(status, detail))
        transport.close()
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            self.flow.report_loss()


def _error_response(status: int, detail: str) -> bytes:
    body = json.dumps({"detail": detail}).encode()
    head = (
        f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
