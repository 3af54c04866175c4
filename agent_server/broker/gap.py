"""The event that tells a reader which frames are no longer kept."""

from __future__ import annotations

from agent_server.asgi.sse import frame
from agent_server.broker.protocol import Frame, FrameId
from agent_server.schema import StreamPart


def gap(after: FrameId, cut: FrameId, following: FrameId) -> Frame:
    """Says that the frames behind `after`, up to `cut`, are gone, and that `following` is the next.

    Its id is the last of theirs, so that one may resume after it.
    """
    data = {"last_event_id": str(after), "next_event_id": str(following)}
    return Frame(cut, "gap", frame(StreamPart("gap", data), str(cut)))
