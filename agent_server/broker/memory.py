"""The broker of one process: logs in memory, on one event loop.

A log grows at its end and is trimmed at its start. A subscriber is a position: the count of frames before the next one
that it reads. So it cannot miss a frame or read one twice, and costs nothing while it waits. All subscribers of a log
wait for one event, `grown`, which is set and cleared in one step of the event loop: subscribers that wait at that
moment wake, and all others look at the log before they wait again.

Only a subscriber that has read everything awaits. Every other method is one step of the event loop, and `publish` never
waits for a subscriber.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import islice
from operator import attrgetter

from agent_server.broker.gap import gap
from agent_server.broker.notifications import LocalSubscription, Notifications
from agent_server.broker.protocol import START, Frame, FrameId, SlowSubscriber, unknown_end

FRAME_COST = 210
"""Bytes that a frame takes in addition to its data, so that the bounds limit memory. Measured: tracemalloc, CPython
3.11."""

_id = attrgetter("id")
_size = attrgetter("size")


class MemoryBroker:
    """A `Broker` for one process. Not thread-safe: use it on the event loop that entered it.

    `keep` is in seconds, the bounds in bytes. A log holds at most `max_bytes`, all logs together `max_total_bytes`;
    every log keeps its newest frame. A log above its bound loses its oldest frames. For the total, closed logs are
    dropped first, in the order in which they were closed, then the older half of the largest log.
    """

    def __init__(
        self, *, keep: float = 120.0, max_bytes: int = 16 * 1024**2, max_total_bytes: int = 256 * 1024**2
    ) -> None:
        self._keep = keep
        self._max_bytes = max_bytes
        self._max_total_bytes = max_total_bytes
        self._total = 0
        self._logs: dict[str, _Log] = {}
        self._closed: dict[str, float] = {}
        """When each closed log is dropped; in the order in which they were closed."""
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._subscriptions = Notifications()

    async def __aenter__(self) -> MemoryBroker:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        self._logs.clear()
        self._closed.clear()
        self._total = 0

    async def check(self) -> None:
        """Return at once: nothing here can fail."""

    async def publish(self, run_id: str, frames: Sequence[Frame]) -> None:
        if not frames:
            return
        log = self._log(run_id)
        self._total += log.append(frames, self._max_bytes)
        if self._total > self._max_total_bytes:
            self._free_space()

    async def rescue(self, run_id: str, attempt: int) -> None:
        log = self._log(run_id)
        if log.blank:
            log.cut = unknown_end(attempt)

    async def flush(self) -> None:
        """Return at once: no frame outlives the process."""

    def subscribe(self, run_id: str, after: FrameId = START) -> AsyncIterator[list[Frame]]:
        # The log is looked up now, not at the first iteration, so that an earlier result of `holds` stays true.
        return self._read(run_id, after, self._logs.get(run_id))

    async def close(self, run_id: str) -> None:
        log = self._log(run_id)
        if log.closed:
            return
        log.close()
        due = self._closed[run_id] = asyncio.get_running_loop().time() + self._keep
        if self._sweep_timer is None:
            self._sweep_at(due)

    async def holds(self, run_id: str) -> bool:
        log = self._logs.get(run_id)
        return log is not None and not log.blank

    async def notify(self, channel: str) -> None:
        self._subscriptions.notify(channel)

    def listen(self, channel: str) -> LocalSubscription:
        return self._subscriptions.listen(channel)

    async def _read(self, run_id: str, after: FrameId, log: _Log | None) -> AsyncIterator[list[Frame]]:
        if log is None or log.blank:
            log = self._log(run_id)
        while log.top <= after and not log.closed:
            await self._growth(run_id, log)
        position = log.position(after)
        if after < log.cut:
            chunk = [gap(after, log.cut, log.frames[0].id), *log.list_since(position)]
            position = log.end
            yield chunk
        while True:
            if position < log.start:
                raise SlowSubscriber(f"run {run_id}: {log.start - position} frames behind the oldest stored frame")
            if chunk := log.list_since(position):
                position = log.end
                yield chunk
            elif log.closed:
                return
            else:
                await self._growth(run_id, log)

    async def _growth(self, run_id: str, log: _Log) -> None:
        """Wait until the log has grown or is closed. The last waiter of a blank log removes it."""
        log.waiting += 1
        try:
            await log.grown.wait()
        finally:
            log.waiting -= 1
            if log.blank and not log.waiting:
                self._logs.pop(run_id, None)

    def _log(self, run_id: str) -> _Log:
        log = self._logs.get(run_id)
        if log is None:
            log = self._logs[run_id] = _Log()
        return log

    def _free_space(self) -> None:
        while self._total > self._max_total_bytes and self._closed:
            self._drop(next(iter(self._closed)))
        while self._total > self._max_total_bytes:
            largest = max((log for log in self._logs.values() if len(log.frames) > 1), key=_size, default=None)
            if largest is None:
                return
            self._total += largest.trim(largest.size // 2)

    def _drop(self, run_id: str) -> None:
        del self._closed[run_id]
        self._total -= self._logs.pop(run_id).size

    def _sweep_at(self, due: float) -> None:
        self._sweep_timer = asyncio.get_running_loop().call_at(due, self._sweep)

    def _sweep(self) -> None:
        """Drop the logs that are due, and schedule the next sweep."""
        self._sweep_timer = None
        now = asyncio.get_running_loop().time()
        for run_id in [run_id for run_id, due in self._closed.items() if due <= now]:
            self._drop(run_id)
        if self._closed:
            self._sweep_at(next(iter(self._closed.values())))


class _Log:
    """The frames of one run. Positions count all frames that it ever stored, so they stay valid after a trim."""

    __slots__ = ("closed", "cut", "frames", "grown", "size", "start", "top", "waiting")

    def __init__(self) -> None:
        self.frames: deque[Frame] = deque()
        self.start = 0
        """The position of the oldest stored frame."""
        self.size = 0
        self.top = START
        """The id of the newest frame."""
        self.cut = START
        """The id of the newest trimmed frame: a reader that has received it misses nothing."""
        self.closed = False
        self.grown = asyncio.Event()
        self.waiting = 0

    @property
    def blank(self) -> bool:
        """Whether nothing was published yet: the log exists only for its waiting subscribers."""
        return self.top == START and not self.closed

    @property
    def end(self) -> int:
        """The position after the newest frame."""
        return self.start + len(self.frames)

    def append(self, frames: Iterable[Frame], limit: int) -> int:
        """Append the frames whose ids grow, trim to `limit` bytes, and return by how many bytes the log has grown."""
        if self.closed:
            return 0
        before = self.size
        for one in frames:
            if one.id > self.top:
                self.top = one.id
                self.frames.append(one)
                self.size += len(one.data) + FRAME_COST
        if self.size > limit:
            self.trim(limit)
        self._wake()
        return self.size - before

    def trim(self, limit: int) -> int:
        """Trim the log to its newest `limit` bytes; return by how many bytes it has grown (zero or less)."""
        before = self.size
        while self.size > limit and len(self.frames) > 1:
            oldest = self.frames.popleft()
            self.size -= len(oldest.data) + FRAME_COST
            self.start += 1
            self.cut = oldest.id
        return self.size - before

    def close(self) -> None:
        self.closed = True
        self._wake()

    def position(self, after: FrameId) -> int:
        """Return the position of the oldest stored frame with an id greater than `after`."""
        return self.start + bisect_right(self.frames, after, key=_id)

    def list_since(self, position: int) -> list[Frame]:
        """Return all frames from `position` on. Reads from the newest end, so that the cost is that of the result."""
        newest_first = list(islice(reversed(self.frames), self.end - position))
        newest_first.reverse()
        return newest_first

    def _wake(self) -> None:
        self.grown.set()
        self.grown.clear()
