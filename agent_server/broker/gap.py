"""The event that marks frames which are no longer stored."""

from __future__ import annotations

from agent_server.asgi.sse import frame
from agent_server.broker.protocol import Frame, FrameId
from agent_server.schema import StreamPart


def gap(after: FrameId, cut: FrameId, following: FrameId) -> Frame:
    """Build the event for missing frames: those after `after` up to `cut`; `following` is the next stored one.

    Its id is that of the last missing frame, so that a reader can resume after it.
    """
    data = {"last_event_id": str(after), "next_event_id": str(following)}
    return Frame(cut, "gap", frame(StreamPart("gap", data), str(cut)))
