"""The logs that this process wrote to Redis: their sizes, and what to trim to stay within the bounds.

The bounds are those of the broker in memory, applied to the logs that this process writes. A log to which several
processes wrote may be larger by the entries of the earlier ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from agent_server.broker.protocol import Frame, FrameId
from agent_server.broker.redis.entries import Command, key

FRAME_COST = 210
"""Bytes that an entry takes in addition to its data: an id, three names and two small values in a stream."""
OPEN_SECONDS = 24 * 3600.0
"""Lifetime of a log that is neither written to nor closed, for instance of a run whose thread was deleted."""

RENEW_SECONDS = 60.0
"""How often the lifetime of an open log is renewed, since a restarted Redis may have lost it."""


class Written:
    """What this process wrote to one log."""

    __slots__ = ("closed", "due", "frames", "renew_at", "size", "top")

    def __init__(self, top: FrameId, due: float) -> None:
        self.frames: deque[tuple[FrameId, int]] = deque()
        self.size = 0
        self.top = top
        """The id of the newest frame, of any process."""
        self.closed = False
        self.due = due
        """When Redis drops it."""
        self.renew_at = 0.0

    def add(self, frame: Frame) -> None:
        """Record a frame that was sent."""
        self.frames.append((frame.id, len(frame.data) + FRAME_COST))
        self.size += self.frames[-1][1]

    def trim(self, limit: int) -> FrameId | None:
        """Trim the record to `limit` bytes; return the id of the first remaining frame if any was trimmed."""
        if self.size <= limit or len(self.frames) < 2:
            return None
        while self.size > limit and len(self.frames) > 1:
            self.size -= self.frames.popleft()[1]
        return self.frames[0][0]


class Ledger:
    """The logs that this process writes, by run id."""

    def __init__(self, keep: float, max_bytes: int, max_total_bytes: int) -> None:
        self._keep = keep
        self._max_bytes = max_bytes
        self._max_total_bytes = max_total_bytes
        self._total = 0
        self._open: dict[str, Written] = {}
        """In the order of their last write."""
        self._closed: dict[str, Written] = {}
        """In the order in which they were closed."""

    def get(self, run_id: str) -> Written | None:
        """Return the record of the log, or None if this process did not write to it recently."""
        return self._open.get(run_id) or self._closed.get(run_id)

    def begin(self, run_id: str, top: FrameId, now: float) -> Written:
        """Start the record of a log that this process writes to."""
        return self._open.setdefault(run_id, Written(top, now + OPEN_SECONDS))

    def add(self, run_id: str, frames: Sequence[Frame], now: float) -> Iterator[Command]:
        """Record sent frames; yield the commands that keep the log alive and all logs within their bounds."""
        written = self._open.pop(run_id)
        self._open[run_id] = written
        before = written.size
        for one in frames:
            written.add(one)
        cut = written.trim(self._max_bytes)
        self._total += written.size - before
        written.due = now + OPEN_SECONDS
        if now >= written.renew_at:
            written.renew_at = now + RENEW_SECONDS
            yield ("PEXPIRE", key(run_id), int(OPEN_SECONDS * 1000))
        if cut is not None:
            yield _trim(run_id, cut)
        if self._total > self._max_total_bytes:
            yield from self._free_space()
        self._forget(now)

    def close(self, run_id: str, now: float) -> Command:
        """Record that the log is complete; return the command that lets it expire."""
        written = self._open.pop(run_id)
        written.closed, written.due = True, now + self._keep
        self._closed[run_id] = written
        self._forget(now)
        return ("PEXPIRE", key(run_id), max(1, int(self._keep * 1000)))

    def _free_space(self) -> Iterator[Command]:
        while self._total > self._max_total_bytes and self._closed:
            run_id = next(iter(self._closed))
            self._drop(self._closed, run_id)
            yield ("UNLINK", key(run_id))
        while self._total > self._max_total_bytes:
            run_id, largest = max(self._open.items(), key=lambda one: one[1].size)
            before = largest.size
            cut = largest.trim(largest.size // 2)
            if cut is None:
                return
            self._total += largest.size - before
            yield _trim(run_id, cut)

    def _forget(self, now: float) -> None:
        """Remove the records of logs that Redis has dropped."""
        for logs in (self._open, self._closed):
            while logs and next(iter(logs.values())).due <= now:
                self._drop(logs, next(iter(logs)))

    def _drop(self, logs: dict[str, Written], run_id: str) -> None:
        self._total -= logs.pop(run_id).size


def _trim(run_id: str, first: FrameId) -> Command:
    return ("XTRIM", key(run_id), "MINID", "~", str(first))
