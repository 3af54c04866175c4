"""The newest frames of the logs that have readers in this process, read from Redis once for all readers.

A reader first reads pages of a log, each with a query of its own, up to the end of the log. From there it reads from a
window: the frames since then, which one blocking read over all windows' streams brings. If the window no longer holds
the next frame of a slow reader, it reads pages again, as long as Redis has them. Pages and windows are addressed by
frame ids, so there is one cursor and no gap between the two.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from itertools import islice
from operator import attrgetter

from redis.asyncio import Redis

from agent_server.broker.protocol import Frame, FrameId
from agent_server.broker.redis.entries import AT_ONCE, Batch, batch, clip_position, key, read, streams
from agent_server.broker.redis.ledger import FRAME_COST
from agent_server.broker.redis.outage import Outage
from agent_server.broker.redis.pipe import RETRY_SECONDS, Pipe, Silent

BLOCK_SECONDS = 1.0
"""How long one read blocks, and the cost of a lost wake-up. Well within the socket's timeout."""
WINDOW_BYTES = 256 * 1024
"""Approximate size of a window; slower readers read older frames from Redis again."""

_id = attrgetter("id")


class Window:
    """The frames of one log after `begin` that have arrived."""

    __slots__ = ("begin", "end", "frames", "grown", "readers", "size", "top")

    def __init__(self, begin: FrameId) -> None:
        self.begin = begin
        self.top = begin
        """The id after which the next read begins."""
        self.frames: deque[Frame] = deque()
        self.size = 0
        self.end: FrameId | None = None
        """The id of the log's last frame, once the log is complete."""
        self.grown = asyncio.Event()
        self.readers = 0

    def list_since(self, cursor: FrameId) -> Batch:
        """Return the frames after the cursor."""
        start = bisect_right(self.frames, cursor, key=_id)
        newest_first = list(islice(reversed(self.frames), len(self.frames) - start))
        newest_first.reverse()
        return Batch(newest_first, max(self.begin, min(cursor, self.top)), self.end)

    def take(self, news: Batch, limit: int) -> None:
        """Add the frames that were read after `top`; trim earlier ones to the limit."""
        frames = [one for one in news.frames if one.id > self.top]
        self._trim(0 if frames and news.before > self.top else limit)
        if frames:
            self.begin = self.begin if self.frames else max(self.top, news.before)
            self.frames.extend(frames)
            self.size += sum(_cost(frames))
            self.top = frames[-1].id
        self.end = news.end if news.end is not None else self.end
        self.grown.set()
        self.grown.clear()

    def _trim(self, limit: int) -> None:
        while self.size > limit:
            oldest = self.frames.popleft()
            self.size -= len(oldest.data) + FRAME_COST
            self.begin = oldest.id


class Tails:
    """The windows of this process, by run id."""

    def __init__(self, client: Redis, pipe: Pipe, me: str, window_bytes: int, outage: Outage) -> None:
        self._client = client
        self._pipe = pipe
        self._window_bytes = window_bytes
        self._outage = outage
        self._windows: dict[str, Window] = {}
        self._any = asyncio.Event()
        self._waker = f"agent_server:wake:{me}"
        """A stream of this process, read with the others: a new entry ends a blocking read."""
        self._woken = "0-0"
        self._waiting = False

    async def serve(self) -> None:
        """Fill the windows until the connection breaks (`RedisError`) or this is cancelled."""
        while True:
            await self._any.wait()
            self._take(await self._read())

    def window(self, run_id: str) -> Window | None:
        """Return the window that other readers of the log use."""
        return self._windows.get(run_id)

    def join(self, run_id: str, cursor: FrameId) -> Window:
        """Add a reader, whose cursor is at the end of the log, and return the log's window."""
        window = self._windows.get(run_id)
        if window is None:
            window = self._windows[run_id] = Window(cursor)
            self._any.set()
            self._wake()
        elif not window.frames and cursor < window.top:  # its first reader waits for a position far ahead
            window.begin = window.top = cursor
            self._wake()
        window.readers += 1
        return window

    def leave(self, run_id: str, window: Window) -> None:
        """Remove a reader; the last one removes the window."""
        window.readers -= 1
        if not window.readers:
            del self._windows[run_id]
            if not self._windows:
                self._any.clear()

    async def _read(self) -> object:
        keys = [self._waker, *(key(run_id) for run_id in self._windows)]
        ids = [self._woken, *(clip_position(window.top) for window in self._windows.values())]
        wait = int(BLOCK_SECONDS * 1000)
        command = ("XREAD", "COUNT", AT_ONCE, "BLOCK", wait, "STREAMS", *keys, *ids)
        self._waiting = True
        try:
            reply = await self._client.execute_command(*command)  # type: ignore[no-untyped-call]
        finally:
            self._waiting = False
        self._outage.end("streams")
        return reply

    def _take(self, reply: object) -> None:
        for name, entries in streams(reply):
            stream = name.decode()
            if stream == self._waker:
                self._woken = entries[-1][0].decode()
            elif window := self._windows.get(stream.removeprefix(key(""))):
                window.take(batch(entries), self._window_bytes)

    def _wake(self) -> None:
        """End a blocking read, so that the next one includes the current windows."""
        if self._waiting:
            self._waiting = False
            self._pipe.send(("XADD", self._waker, "MAXLEN", 1, "*", "w", ""))
            self._pipe.send(("PEXPIRE", self._waker, 60_000))


class Tail:
    """One reader of a log."""

    def __init__(self, run_id: str, tails: Tails, pipe: Pipe) -> None:
        self._run_id = run_id
        self._tails = tails
        self._pipe = pipe
        self._window: Window | None = None

    def close(self) -> None:
        """Leave the window, if joined."""
        if self._window is not None:
            self._tails.leave(self._run_id, self._window)

    async def wait_for_frames(self, cursor: FrameId) -> Batch:
        """Return the frames after the cursor; wait until there are any."""
        empty_pages = 0
        while True:
            window = self._join_window(cursor)
            if window is not None and (window.begin <= cursor or empty_pages > 1):  # a window may outgrow one page
                news = window.list_since(cursor)
            else:
                news = await self._page(cursor)
                empty_pages += 1
            if news.frames or news.end is not None:
                return news
            if window is None:
                self._window = self._tails.join(self._run_id, cursor)
            elif window.begin <= cursor:
                await window.grown.wait()

    def _join_window(self, cursor: FrameId) -> Window | None:
        """Return the window, if this reader has joined it or can join it without reading a page first."""
        if self._window is None and (window := self._tails.window(self._run_id)) and window.begin <= cursor:
            self._window = self._tails.join(self._run_id, cursor)
        return self._window

    async def _page(self, cursor: FrameId) -> Batch:
        while True:
            try:
                return batch([entry for _, entries in streams(await self._ask(cursor)) for entry in entries], cursor)
            except Silent:
                await asyncio.sleep(RETRY_SECONDS)

    async def _ask(self, cursor: FrameId) -> object:
        return await self._pipe.request(read(self._run_id, cursor))


def _cost(frames: Iterable[Frame]) -> Iterable[int]:
    return (len(one.data) + FRAME_COST for one in frames)
