"""What a run's log looks like in Redis: one stream, whose entries' ids are those of the frames.

Redis refuses an entry whose id is not greater than all that its stream ever had (and says so in the words of `STALE`).
That fences a worker that lost its lease, makes sending again harmless, and lets an entry with the greatest id of all be
the mark that closes a log.

Every entry names the id of the frame before it. So a reader knows what it misses, however that was lost: cut off by the
bounds, evicted, never sent for an outage, or forgotten by a Redis that began anew.

Sources: the Redis commands XADD, XREAD and XTRIM (https://redis.io/docs/latest/commands/), Redis 6.2 and later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from agent_server.broker.protocol import START, Frame, FrameId

_GREATEST = 2**64 - 1
END = FrameId(_GREATEST, _GREATEST)
"""The id of the mark that a log is complete."""
AT_ONCE = 1000
"""The most entries of a stream that are read at once."""
STALE = "equal or smaller"

Command = tuple[str | bytes | int, ...]
Entry = tuple[bytes, dict[bytes, bytes]]


class Batch(NamedTuple):
    """A piece of a log, as it was read."""

    frames: Sequence[Frame] = ()
    before: FrameId = START
    """The id of the frame before the first of these."""
    end: FrameId | None = None
    """The id of the last frame that was published, where the log is complete and was read to its end."""


def key(run_id: str) -> str:
    """The name of the run's stream."""
    return f"agent_server:run:{run_id}"


def append(run_id: str, frame: Frame, before: FrameId) -> Command:
    """The command that appends a frame."""
    event = frame.event.encode("utf-8", "surrogatepass")
    return ("XADD", key(run_id), str(frame.id), "p", str(before), "e", event, "d", frame.data)


def complete(run_id: str, last: FrameId) -> Command:
    """The command that marks the log as complete; `last` is the id of its last frame."""
    return ("XADD", key(run_id), str(END), "p", str(last))


def read(run_id: str, after: FrameId) -> Command:
    """The command that reads what follows `after`, without waiting for it."""
    return ("XREAD", "COUNT", AT_ONCE, "STREAMS", key(run_id), within(after))


def within(position: FrameId) -> str:
    """The position as Redis takes it: a client may name one that is beyond all numbers, but none is beyond the mark."""
    beyond = FrameId(_GREATEST, _GREATEST - 1)
    return str(min(FrameId(min(position.attempt, _GREATEST), min(position.number, _GREATEST)), beyond))


def streams(reply: Any) -> Iterable[tuple[bytes, list[Entry]]]:
    """The streams of a reply to XREAD, each with its entries."""
    return reply.items() if isinstance(reply, dict) else (reply or ())


def batch(entries: Sequence[Entry]) -> Batch:
    """The frames of a stream's entries."""
    frames = [_frame(number, fields) for number, fields in entries if b"d" in fields]
    last = entries[-1][1] if entries else {}
    end = frame_id(last[b"p"]) if last and b"d" not in last else None
    return Batch(frames, frame_id(entries[0][1][b"p"]) if entries else START, end)


def frame_id(text: bytes) -> FrameId:
    """The id that Redis gives as bytes."""
    attempt, _, number = text.partition(b"-")
    return FrameId(int(attempt), int(number))


def _frame(number: bytes, fields: dict[bytes, bytes]) -> Frame:
    return Frame(frame_id(number), fields[b"e"].decode("utf-8", "surrogatepass"), fields[b"d"])
