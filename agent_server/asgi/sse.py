"""Server-sent events: encode each part once as a frame of bytes; send a stream of frames as a response."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from functools import lru_cache

import anyio

from agent_server.asgi.json_codec import encode
from agent_server.asgi.live_stream import LiveStream
from agent_server.schema import StreamPart

HEARTBEAT_SECONDS = 5
SEND_TIMEOUT_SECONDS = 60
"""The connection is cut after this time without a byte read; the client may resume with `Last-Event-ID`."""
FAREWELL_SECONDS = 1.0
"""How long a stream continues after `closing` is set, to send the last events of agents that stop then."""


def frame(part: StreamPart, event_id: str) -> bytes:
    """Return the bytes of one event in the official server's layout: CRLF, one line of JSON, the id after the data."""
    data = encode(part.data)
    if 10 in data or 13 in data:  # line breaks in JSON that is passed through, such as a request's input
        data = data.translate(None, b"\r\n")
    return b"event: %b\r\ndata: %b\r\nid: %b\r\n\r\n" % (_event_name(part.event), data, event_id.encode())


_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\ud800-\udfff]")


@lru_cache(maxsize=1024)
def _event_name(event: str) -> bytes:
    """Return the event's name without line breaks; names of subgraphs in it may contain some."""
    return _NOT_IN_A_LINE.sub("\ufffd", event).encode()


def frame_data(event: bytes) -> bytes:
    """Return the JSON of a frame that `frame` made."""
    return event.split(b"\r\n", 2)[1].removeprefix(b"data: ")


def _heartbeat() -> bytes:
    return b": heartbeat\r\n\r\n"


def stream_response(
    chunks: AsyncIterator[bytes],
    headers: Mapping[str, str],
    closing: anyio.Event | None = None,
    keep_alive: Callable[[], bytes] | None = None,
) -> LiveStream:
    """Return a live `text/event-stream` of `chunks`, with a heartbeat comment every five seconds.

    `keep_alive` replaces the comment for clients that cannot read comments.

    At shutdown, `closing` is set, and a second later the stream is cut, not ended: official clients reconnect only
    after a cut.
    """
    return LiveStream(
        chunks,
        headers={"Cache-Control": "no-store, no-transform", **headers},
        ping=HEARTBEAT_SECONDS,
        heartbeat=keep_alive or _heartbeat,
        send_timeout=SEND_TIMEOUT_SECONDS,
        shutdown_event=closing,
        shutdown_grace_period=FAREWELL_SECONDS if closing else 0,
    )


def json_response(chunks: AsyncIterator[bytes], headers: Mapping[str, str]) -> LiveStream:
    """Return a delayed JSON document as a response; until then a newline every five seconds keeps proxies waiting.

    A shutdown cuts it, like a stream.
    """
    return LiveStream(
        chunks,
        headers=headers,
        media_type="application/json",
        ping=HEARTBEAT_SECONDS,
        heartbeat=lambda: b"\n",
        send_timeout=SEND_TIMEOUT_SECONDS,
    )
