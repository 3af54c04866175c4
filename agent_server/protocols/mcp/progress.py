"""A run's progress as MCP notifications and its end as the response, in one event stream.

An event's id is the run's id and the position in its log, so that clients of the handshake era can resume.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec

from agent_server.asgi.json_codec import encode
from agent_server.asgi.sse import frame_data
from agent_server.broker import Frame, FrameId, SlowSubscriber
from agent_server.errors import Invalid
from agent_server.runs.records import Record
from agent_server.schema import JsonObject
from agent_server.streams.run_streams import LAST, RunStreams, position

_IN_AN_ATTEMPT = 1_000_000_000_000


class Progress:
    """Turns the frames of a run into progress notifications.

    Each step of the agent counts one; a graph that writes `{"progress": …, "total": …, "message": …}` to its stream
    reports its own progress instead.
    """

    def __init__(self, token: str | int) -> None:
        self._token = token
        self._last = float("-inf")
        self._counts_itself = False

    def build_notification(self, frame: Frame) -> JsonObject | None:
        """Return the notification for a frame; None if there is nothing to report."""
        name = frame.event.split("|")[0]
        if name not in ("updates", "custom"):
            return None
        data = msgspec.json.decode(frame_data(frame.data))
        own = _own_report(data) if name == "custom" else None
        self._counts_itself = self._counts_itself or own is not None
        if self._counts_itself and own is None:
            return None
        report = own or {"progress": _place(frame.id), "message": _message(name, data)}
        if report["progress"] <= self._last:
            return None
        self._last = report["progress"]
        return {
            "jsonrpc": "2.0",
            "method": "notifications/progress",
            "params": {"progressToken": self._token, **report},
        }


def _place(frame_id: FrameId) -> int:
    """Return a number that increases along the run's log, over all attempts."""
    return (frame_id.attempt - 1) * _IN_AN_ATTEMPT + frame_id.number


def _own_report(data: Any) -> JsonObject | None:
    """Return the progress that a graph itself reports, or None."""
    if not isinstance(data, dict) or not _is_number(data.get("progress")):
        return None
    report = {"progress": data["progress"]}
    if _is_number(data.get("total")):
        report["total"] = data["total"]
    if isinstance(data.get("message"), str):
        report["message"] = data["message"]
    return report


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _message(name: str, data: Any) -> str:
    if name == "updates" and isinstance(data, dict):
        return ", ".join(data)
    return data if isinstance(data, str) else encode(data).decode()


async def progress_events(
    streams: RunStreams, record: Record, token: str | int, after: FrameId, has_ids: bool
) -> AsyncIterator[bytes]:
    """Yield the run's notifications after a position, to its end."""
    progress = Progress(token)
    while True:
        try:
            async for frames in streams.frames(record, after):
                after = frames[-1].id
                for event in _events(progress, record, frames, has_ids):
                    yield event
            return
        except SlowSubscriber:  # missed progress does not matter: continue with the retained events
            continue


def _events(progress: Progress, record: Record, frames: Any, has_ids: bool) -> Iterator[bytes]:
    for one in frames:
        if (notification := progress.build_notification(one)) is not None:
            yield sse_message(notification, event_id(record, one.id) if has_ids else None)


def sse_message(message: JsonObject, message_id: str | None) -> bytes:
    """Encode a message as a server-sent event."""
    named = f"id: {message_id}\r\n".encode() if message_id else b""
    return b"event: message\r\ndata: %b\r\n%b\r\n" % (encode(message), named)


def event_id(record: Record, place: FrameId | None = None) -> str:
    """Return the event id of a position in the run's log; without a position, that of the response."""
    return f"{record.run.run_id}/{place or FrameId(max(record.attempt, 1), LAST)}"


def parse_event_id(last_event_id: str) -> tuple[str, FrameId]:
    """Return the run id and the position in a `Last-Event-ID`. Errors: `Invalid`."""
    run_id, slash, place = last_event_id.partition("/")
    if not slash:
        raise Invalid("Last-Event-ID is not one of this server's; send the id of the last event that was received")
    return run_id, position(place)
