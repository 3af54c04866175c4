"""The format of a run's log in Redis: one stream, whose entry ids are the frame ids.

Redis rejects an entry whose id is not greater than all earlier ids of its stream (its error contains `STALE`). That
fences a worker that lost its lease, makes retries harmless, and lets an entry with the greatest possible id close a
log.

Every entry names the id of the frame before it. So a reader notices missing frames, whatever the reason: trimmed,
evicted, not sent during an outage, or lost with a restarted Redis.

Sources: the Redis commands XADD, XREAD and XTRIM (https://redis.io/docs/latest/commands/), Redis 6.2 and later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from agent_server.broker.protocol import START, Frame, FrameId

_GREATEST = 2**64 - 1
END = FrameId(_GREATEST, _GREATEST)
"""The id of the entry that marks a log as complete."""
AT_ONCE = 1000
"""Maximum number of entries in one read."""
STALE = "equal or smaller"

Command = tuple[str | bytes | int, ...]
Entry = tuple[bytes, dict[bytes, bytes]]


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


def append(run_id: str, frame: Frame, before: FrameId) -> Command:
    """Return the command that appends a frame."""
    event = frame.event.encode("utf-8", "surrogatepass")
    return ("XADD", key(run_id), str(frame.id), "p", str(before), "e", event, "d", frame.data)


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


def batch(entries: Sequence[Entry]) -> Batch:
    """Return the frames of a stream's entries."""
    frames = [_frame(number, fields) for number, fields in entries if b"d" in fields]
    last = entries[-1][1] if entries else {}
    end = frame_id(last[b"p"]) if last and b"d" not in last else None
    return Batch(frames, frame_id(entries[0][1][b"p"]) if entries else START, end)


def frame_id(text: bytes) -> FrameId:
    """Parse an id that Redis returned."""
    attempt, _, number = text.partition(b"-")
    return FrameId(int(attempt), int(number))


def _frame(number: bytes, fields: dict[bytes, bytes]) -> Frame:
    return Frame(frame_id(number), fields[b"e"].decode("utf-8", "surrogatepass"), fields[b"d"])
