"""Detect code that blocks the event loop, since all runs and streams of the process wait for it.

A thread regularly schedules a callback on the loop. If it does not run in time, the thread inspects the stack of the
loop's thread, waits for the end of the blocking, and logs one warning. The check costs some microseconds.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

import structlog

log = structlog.get_logger("agent_server")

PATIENCE_SECONDS = 5.0
"""After this many seconds the warning is logged before the blocking ends; another one follows at the end."""
ADVICE = "await what takes its time, or make the node a plain function (def): those run in threads of their own"

NameOf = Callable[[list[FrameType]], Mapping[str, str] | None]
"""Identifies the code that these frames, innermost first, execute; None if it is not a user's code."""


@contextmanager
def watch_loop(seconds: float, name_of: NameOf) -> Iterator[None]:
    """Watch the running event loop within the block; log a warning when work that `name_of` identifies blocks it for
    more than `seconds` (up to half as much again). 0 disables this."""
    if not seconds:
        yield
        return
    watch = _Watch(asyncio.get_running_loop(), seconds, name_of)
    thread = threading.Thread(target=watch.watch, name="loop watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.stopped.set()


class _Watch:
    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, name_of: NameOf) -> None:
        self.stopped = threading.Event()
        self._loop = loop
        self._watched = threading.get_ident()
        self._seconds = seconds
        self._name_of = name_of

    def watch(self) -> None:
        """Schedule callbacks until stopped."""
        while not self.stopped.wait(self._seconds / 2):
            alive, asked_at = threading.Event(), time.monotonic()
            try:
                self._loop.call_soon_threadsafe(alive.set)
            except RuntimeError:  # the loop is closed
                return
            if not alive.wait(self._seconds):
                self._warn(alive, asked_at)

    def _warn(self, alive: threading.Event, asked_at: float) -> None:
        """Inspect the stack until the code is known or the loop continues; wait for that, and log a warning."""
        culprit, warned = self._look(asked_at), False
        while not alive.wait(self._seconds):
            if self.stopped.is_set():
                return
            culprit = culprit or self._look(time.monotonic())
            if culprit and not warned and time.monotonic() - culprit.since > PATIENCE_SECONDS:
                warned = True
                culprit.warn(over=False)
        if culprit:
            culprit.warn(over=True)

    def _look(self, since: float) -> _Culprit | None:
        frames = _frames(sys._current_frames().get(self._watched))
        name = self._name_of(frames)
        return _Culprit(name, f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}", since) if name else None


class _Culprit(NamedTuple):
    name: Mapping[str, str]
    place: str
    since: float

    def warn(self, over: bool) -> None:
        seconds = round(time.monotonic() - self.since, 3)
        log.warning("event_loop_blocked", **self.name, at=self.place, blocked_seconds=seconds, over=over, advice=ADVICE)


def _frames(innermost: FrameType | None) -> list[FrameType]:
    frames = []
    while innermost is not None:
        frames.append(innermost)
        innermost = innermost.f_back
    return frames
