"""A run's log as events of an A2A task: status, streamed text, artifact."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec

from agent_server.asgi.sse import frame_data
from agent_server.broker import Frame, FrameId, SlowSubscriber
from agent_server.protocols.a2a.parts import convert_to_parts
from agent_server.protocols.a2a.requests import FEEDBACK_URI
from agent_server.protocols.a2a.tasks import agent_message, build_artifact, build_place, build_status
from agent_server.runs.records import Record
from agent_server.schema import JsonObject
from agent_server.streams.run_streams import RunStreams

STREAM_MODES = ["values", "messages-tuple"]
Event = tuple[FrameId | None, JsonObject]
"""An event, and its position in the run's log, if it has one."""


async def stream_working_events(streams: RunStreams, record: Record, after: FrameId) -> AsyncIterator[Event]:
    """Yield the events of a run after a position, until the run ends."""
    has_begun = False
    while True:
        try:
            async for frames in streams.frames(record, after):
                after = frames[-1].id
                for one in frames:
                    if not has_begun and one.event == "metadata":
                        has_begun = True
                        yield one.id, _status_update(record, {"state": "TASK_STATE_WORKING"})
                    for event in _words(record, one):
                        yield one.id, event
            return
        except SlowSubscriber:  # the artifact has the whole text: continue with the retained events
            continue


def last_events(record: Record, feedback: JsonObject | None) -> list[JsonObject]:
    """Return the events of a run that has ended: its artifact, if it has one, and its status."""
    artifact = build_artifact(record, feedback)
    update = {"artifactUpdate": {**build_place(record), "artifact": artifact, "append": False, "lastChunk": True}}
    return [
        *([update] if artifact else []),
        _status_update(record, build_status(record), None if artifact else feedback),
    ]


def _words(record: Record, frame: Frame) -> Iterator[JsonObject]:
    if frame.event != "messages":
        return
    data: Any = msgspec.json.decode(frame_data(frame.data))
    chunk = data[0] if isinstance(data, list) and data else None
    if not isinstance(chunk, dict) or chunk.get("type") not in ("AIMessageChunk", "ai"):
        return
    if parts := convert_to_parts(chunk.get("content")):
        message = agent_message(record, str(chunk.get("id") or frame.id), parts)
        yield _status_update(record, {"state": "TASK_STATE_WORKING", "message": message})


def _status_update(record: Record, status: JsonObject, feedback: JsonObject | None = None) -> JsonObject:
    update = {**build_place(record), "status": status}
    return {"statusUpdate": update | ({"metadata": {FEEDBACK_URI: feedback}} if feedback else {})}
