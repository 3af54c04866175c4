"""A stream's direct access to its connection, for what takes a task by ASGI.

ASGI reports a client that leaves to a task that waits in `receive`, and takes each part of a body in a coroutine. Both
cost much for thousands of streams that only send heartbeats. Our HTTP protocol offers both as plain calls; with another
server, or where an app of the user's wraps the response, there is no live connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import ref

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

CONNECTION = "agent_server_connection"
"""The key in a request's state of a weak reference to what uvicorn calls its cycle: a strong one would be circular."""


class SmallEvent(asyncio.Event):
    """An event whose waiters are in a list: an empty deque takes 760 bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._waiters = []  # type: ignore[assignment]


class Flow(FlowControl):
    """The flow control of one connection, which also reports its loss."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._is_writable_event = SmallEvent()
        self._is_writable_event.set()
        self.on_lost: Callable[[], None] | None = None

    def report_loss(self) -> None:
        """Call `on_lost`, once."""
        on_lost, self.on_lost = self.on_lost, None
        if on_lost is not None:
            on_lost()


class LiveConnection:
    """The connection of one response."""

    __slots__ = ("_cycle", "_flow")

    def __init__(self, cycle: RequestResponseCycle, flow: Flow) -> None:
        self._cycle = cycle
        self._flow = flow

    @property
    def takes_chunks(self) -> bool:
        """Return whether the head of the response is sent, its end is not, and its body is chunked."""
        cycle = self._cycle
        return bool(cycle.response_started and cycle.chunked_encoding and not cycle.response_complete)

    @property
    def is_blocked(self) -> bool:
        """Return whether the client reads so slowly that senders wait."""
        return self._flow.write_paused

    def write(self, body: bytes) -> None:
        """Send `body`, which is not empty, as a part of the response, unless the client has left."""
        if not self._cycle.disconnected:
            self._cycle.transport.write(b"%x\r\n%b\r\n" % (len(body), body))

    def release(self) -> None:
        """Stop the calls of `on_lost`."""
        self._flow.on_lost = None


def find_connection(scope: Any, on_lost: Callable[[], None]) -> LiveConnection | None:
    """Return the connection of the request, if it is known and the request has arrived completely.

    `on_lost` is called once the client leaves.
    """
    reference: ref[RequestResponseCycle] | None = scope.get("state", {}).get(CONNECTION)
    cycle = reference() if reference is not None else None
    if cycle is None or cycle.more_body or cycle.disconnected or not isinstance(cycle.flow, Flow):
        return None
    cycle.flow.on_lost = on_lost
    return LiveConnection(cycle, cycle.flow)
