"""Server-sent events: a part becomes one frame of bytes, once; a stream of frames becomes a response."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from sse_starlette import EventSourceResponse, ServerSentEvent

from agent_server.encoding import encode
from agent_server.schema import StreamPart

HEARTBEAT_SECONDS = 5
SEND_TIMEOUT_SECONDS = 60
"""After this long without the client taking a byte, its connection is cut; it may resume with `Last-Event-ID`."""


def frame(part: StreamPart, event_id: str) -> bytes:
    """The bytes of one event, as the official server lays them out: CRLF, one line of JSON, the id after the data."""
    return b"event: %b\r\ndata: %b\r\nid: %b\r\n\r\n" % (part.event.encode(), encode(part.data), event_id.encode())


def stream_response(chunks: AsyncIterator[bytes], headers: Mapping[str, str]) -> EventSourceResponse:
    """A live `text/event-stream` of `chunks`, with a heartbeat comment every five seconds.

    When the server shuts down the stream is cut, not ended: official clients reconnect after a cut only.
    """
    return EventSourceResponse(
        chunks,
        headers={"Cache-Control": "no-store, no-transform", **headers},
        ping=HEARTBEAT_SECONDS,
        ping_message_factory=lambda: ServerSentEvent(comment="heartbeat"),
        send_timeout=SEND_TIMEOUT_SECONDS,
    )
