"""The format of a run's log in Redis: one stream, whose entries have consecutive frames and the id of the last one.

Redis rejects an entry whose id is not greater than all earlier ids of its stream (its error contains `STALE`). That
fences a worker that lost its lease, makes retries harmless, and lets an entry with the greatest possible id close a
log.

Every entry names the id of the frame before its first one. So a reader notices missing frames, whatever the reason:
trimmed, evicted, not sent during an outage, or lost with a restarted Redis. Frames that are ready together share an
entry: each entry costs the writer and its readers several times what a frame in it does.

Sources: the Redis commands XADD, XREAD and XTRIM (https://redis.io/docs/latest/commands/), Redis 6.2 and later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from agent_server.broker.protocol import START, Frame, FrameId

_GREATEST = 2**64 - 1
END = FrameId(_GREATEST, _GREATEST)
"""The id of the entry that marks a log as complete."""
AT_ONCE = 1000
"""Maximum number of entries in one read."""
ENTRY_BYTES = 16 * 1024
"""Size of an entry from which on it takes no more frames."""
STALE = "equal or smaller"

Command = tuple[str | bytes | int, ...]
Entry = tuple[bytes, dict[bytes, bytes]]
FramePart = tuple[int, bytes, bytes]
"""A frame in an entry: its number, event and data."""


class Batch(NamedTuple):
    """Consecutive frames of a log, as read from Redis."""

    frames: Sequence[Frame] = ()
    before: FrameId = START
    """The id of the frame before the first of these."""
    end: FrameId | None = None
    """The id of the last published frame, if the log is complete and was read to its end."""


def key(run_id: str) -> str:
    """Return the name of the run's stream."""
    return f"agent_server:run:{run_id}"


def to_part(frame: Frame) -> FramePart:
    """Return the frame as a part of an entry."""
    return frame.id.number, _encode_event(frame.event), frame.data


@lru_cache(maxsize=1024)
def _encode_event(event: str) -> bytes:
    return event.encode("utf-8", "surrogatepass")


def append(run_id: str, parts: Sequence[FramePart], last: FrameId, before: FrameId) -> Command:
    """Return the command that appends consecutive frames of one attempt as an entry; `last` is the id of the last."""
    return ("XADD", key(run_id), str(last), "p", str(before), "f", _encoder.encode(parts))


def complete(run_id: str, last: FrameId) -> Command:
    """Return the command that marks the log as complete; `last` is the id of its last frame."""
    return ("XADD", key(run_id), str(END), "p", str(last))


def read(run_id: str, after: FrameId) -> Command:
    """Return the command that reads the frames after `after`, without waiting."""
    return ("XREAD", "COUNT", AT_ONCE, "STREAMS", key(run_id), clip_position(after))


def clip_position(position: FrameId) -> str:
    """Return the position within Redis's range: a client may name any number, but none beyond the end mark."""
    beyond = FrameId(_GREATEST, _GREATEST - 1)
    return str(min(FrameId(min(position.attempt, _GREATEST), min(position.number, _GREATEST)), beyond))


def streams(reply: Any) -> Iterable[tuple[bytes, list[Entry]]]:
    """Return the streams of a reply to XREAD, each with its entries."""
    return reply.items() if isinstance(reply, dict) else (reply or ())


def batch(entries: Sequence[Entry], after: FrameId = START) -> Batch:
    """Return the frames of a stream's entries, without those up to `after`, which the first entry may begin with."""
    frames = [one for last, fields in entries if b"f" in fields for one in _unpack(last, fields[b"f"])]
    if frames and frames[0].id <= after:
        frames = [one for one in frames if one.id > after]
    newest = entries[-1][1] if entries else {}
    end = frame_id(newest[b"p"]) if newest and b"f" not in newest else None
    return Batch(frames, frame_id(entries[0][1][b"p"]) if entries else START, end)


def frame_id(text: bytes) -> FrameId:
    """Parse an id that Redis returned."""
    attempt, _, number = text.partition(b"-")
    return FrameId(int(attempt), int(number))


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[FramePart])


def _unpack(last: bytes, packed: bytes) -> Iterable[Frame]:
    """Yield the frames of the entry with the id `last`."""
    attempt = frame_id(last).attempt
    for number, event, data in _decoder.decode(packed):
        yield Frame(FrameId(attempt, number), event.decode("utf-8", "surrogatepass"), data)
