"""An event of the streaming protocol, its number in the thread, and its frame in the log of its run.

Numbers (`seq`) increase over all runs of a thread. Each claim of a run is a turn of its thread, counted from 0 in the
thread's row; an event's number is the first of its turn plus the number of its frame in that attempt's log. So every
replay of a log, in any process, yields the same numbers, and clients resume after a number.

Source of the shapes: `langchain_protocol` 0.0.20, and the behaviour of the official server (langgraph-api 0.16.7).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from agent_server.asgi.sse import frame, frame_data
from agent_server.broker import Frame, FrameId
from agent_server.schema import StreamPart

TURN = 10**9
"""Numbers in a turn: more than a run has events, and few enough for nine million turns (2**53)."""
_IN_LOG = "event:"
GAP = "gap"
"""The method of the event, on no channel, that reports that earlier events are no longer kept."""


class Event(NamedTuple):
    """An event without a number."""

    method: str
    namespace: Sequence[str]
    """The path of the subgraph that emits it; empty for the graph itself."""
    data: Any


def get_channel(event: Event) -> str:
    """Return the channel for subscriptions to the event; `custom:<name>` for a named one."""
    if event.method == "custom" and isinstance(event.data, dict) and isinstance(name := event.data.get("name"), str):
        return f"custom:{name}" if name else "custom"
    return "input" if event.method == "input.requested" else event.method


def event_frame(event: Event, seq: int, position: FrameId) -> Frame:
    """Return the event's frame with everything a client receives: encoded once for all readers."""
    params = {"namespace": event.namespace, "timestamp": int(time.time() * 1000), "data": event.data}
    fields = {"type": "event", "event_id": str(seq), "seq": seq, "method": event.method, "params": params}
    name = "|".join([str(len(event.namespace)), *event.namespace, get_channel(event)])
    return Frame(position, _IN_LOG + name, frame(StreamPart(event.method, fields), str(seq)))


@lru_cache(maxsize=4096)
def address(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the channel and the namespace from a frame's name in a log; None where it is not a protocol event."""
    if not name.startswith(_IN_LOG):
        return None
    depth, _, path = name.removeprefix(_IN_LOG).partition("|")
    *namespace, channel = path.split("|", int(depth))  # a channel's name may contain any character
    return channel, tuple(namespace)


def read_seq(one: Frame) -> int:
    """Return the number of the event in a protocol frame."""
    return int(one.data[one.data.rindex(b"id: ") + 4 :])


class _Params(msgspec.Struct):
    data: Raw


class _ProtocolEvent(msgspec.Struct):
    params: _Params


_decoder = msgspec.json.Decoder(_ProtocolEvent)
CLASSIC = ("values", "updates", "custom", "tasks", "checkpoints", "tools")


def as_classic(one: Frame) -> Frame | None:
    """Return the frame as the older routes stream it; None where they have no such event."""
    found = address(one.event)
    if found is None:
        return one
    channel, namespace = found
    mode = channel.partition(":")[0]
    if mode not in CLASSIC:
        return None
    name = "|".join([mode, *namespace])
    data = _decoder.decode(frame_data(one.data)).params.data
    return Frame(one.id, name, frame(StreamPart(name, data), str(one.id)))
