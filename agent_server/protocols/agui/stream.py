"""The stream of a run's events as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from agent_server.asgi.json_codec import encode
from agent_server.broker import START, FrameId, SlowSubscriber
from agent_server.protocols.agui.ending import last_events
from agent_server.protocols.agui.open_messages import Event
from agent_server.protocols.agui.schema import PROTOCOL_VERSION, RunIds
from agent_server.protocols.agui.translation import Translation
from agent_server.runs.records import Record
from agent_server.streams.run_streams import LAST, RunStreams


async def run_events(
    streams: RunStreams, record: Record, ids: RunIds, after: FrameId, speaks_1_0: bool
) -> AsyncIterator[bytes]:
    """Yield a run's events after a position, to its end.

    The log is always read from its start: what is open at the position follows from the frames before it. The last
    event of each frame has the frame's id.
    """
    translation, place = Translation(), START
    if after == START:
        yield b"".join(_encode_events([_build_run_started(ids)], None))
    while True:
        try:
            async for frames in streams.frames(record, place):
                place = frames[-1].id
                sent = (one for frame in frames if (events := translation.translate(frame)) and frame.id > after
                        for one in _encode_events(events, frame.id))  # fmt: skip
                if chunk := b"".join(sent):
                    yield chunk
            break
        except SlowSubscriber:  # the end has the whole state and all messages: continue with the retained events
            continue
    record = await streams.reload_record(record)
    end = FrameId(max(record.attempt, 1), LAST)
    if end > after:
        yield b"".join(_encode_events(last_events(record, ids, translation, speaks_1_0), end))


def _build_run_started(ids: RunIds) -> Event:
    return {
        "type": "RUN_STARTED",
        "threadId": ids.shown_thread_id,
        "runId": ids.shown_run_id,
        "protocolVersion": PROTOCOL_VERSION,
        "metadata": {"thread_id": ids.thread_id, "run_id": ids.run_id},
    }


def _encode_events(events: Sequence[Event], place: FrameId | None) -> Iterator[bytes]:
    """Yield the events as server-sent events. Clients split the stream at `\\n\\n`, so lines end without `\\r`."""
    for at, event in enumerate(events, 1):
        named = b"id: %b\n" % str(place).encode() if place and at == len(events) else b""
        yield b"%bdata: %b\n\n" % (named, encode(event))
