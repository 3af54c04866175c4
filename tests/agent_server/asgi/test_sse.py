"""A stream part is encoded as one event; chunks are sent as a response."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import msgspec
import pytest
from langgraph_sdk.sse import BytesLineDecoder, SSEDecoder
from sse_starlette import EventSourceResponse

from agent_server.asgi import sse
from agent_server.asgi.sse import frame, frame_data, json_response, stream_response
from agent_server.schema import StreamPart


def parsed(raw: bytes) -> list[tuple[str, Any]]:
    """Return the events that the official client reads from these bytes."""
    lines, events = BytesLineDecoder(), SSEDecoder()
    read = [events.decode(bytes(line)) for line in [*lines.decode(raw), *lines.flush()]]
    return [(one.event, one.data) for one in read if one is not None]


def test_frame_has_the_bytes_of_the_official_server() -> None:
    part = StreamPart("updates", {"node": {"text": "é <1>"}})
    assert frame(part, "1-0") == 'event: updates\r\ndata: {"node":{"text":"é <1>"}}\r\nid: 1-0\r\n\r\n'.encode()


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "\u2028\u2029\x85", "data: x\n\nevent: y", "\ud800", ""])
def test_frame_stays_one_event_with_any_text(text: str) -> None:
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    raw = frame(StreamPart("custom", {"text": text}), "1-0")
    assert parsed(raw + raw) == [("custom", {"text": expected})] * 2


def test_multiline_json_is_sent_on_one_line() -> None:
    pretty = msgspec.Raw(b'{\r\n  "a": [\n    1,\r    "x\\ny"\n  ]\n}')
    raw = frame(StreamPart("values", {"input": pretty}), "1-0")
    assert parsed(raw) == [("values", {"input": {"a": [1, "x\ny"]}})]


def test_name_of_a_subgraph_cannot_break_the_event() -> None:
    raw = frame(StreamPart("values|a\r\ndata: 1\n\nnode\ud800:é", 1), "1-0")
    assert parsed(raw) == [("values|a\ufffd\ufffddata: 1\ufffd\ufffdnode\ufffd:é", 1)]


def test_data_can_be_taken_from_a_frame_again() -> None:
    data = {"text": "data: \r\n"}
    assert json.loads(frame_data(frame(StreamPart("custom", data), "1-0"))) == data


async def sent(response: EventSourceResponse) -> tuple[dict[str, str], bytes]:
    """Send the response and return its headers and its body."""
    messages: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()  # the client stays connected
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    async with asyncio.timeout(20):
        await response({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)
    assert messages[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return headers, b"".join(message.get("body", b"") for message in messages)


async def chunks(*parts: bytes | float) -> AsyncIterator[bytes]:
    """Yield these chunks; a number is a pause in seconds."""
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            await asyncio.sleep(part)


async def test_stream_headers_prevent_proxy_buffering() -> None:
    raw = frame(StreamPart("values", 1), "1-0"), frame(StreamPart("values", 2), "1-1")
    headers, body = await sent(stream_response(chunks(*raw), {"Location": "/runs/1/stream"}))
    assert body == b"".join(raw)
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-store, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["location"] == "/runs/1/stream"


async def test_quiet_stream_has_a_heartbeat_that_clients_ignore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.05)
    first, last = frame(StreamPart("values", 1), "1-0"), frame(StreamPart("values", 2), "1-1")
    _, body = await sent(stream_response(chunks(first, 0.5, last), {}))
    assert body.startswith(first + b": heartbeat\r\n\r\n")
    assert parsed(body) == [("values", 1), ("values", 2)]


async def test_slow_json_is_preceded_by_newlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.05)
    headers, body = await sent(json_response(chunks(0.5, b'{"a":1}'), {"Location": "/runs/1"}))
    assert headers["content-type"].startswith("application/json")
    assert headers["location"] == "/runs/1"
    assert body.startswith(b"\n")
    assert body.strip(b"\n") == b'{"a":1}'
