"""A watch over the event loop: whoever holds it up is named, since all runs and all streams of the process wait for it.

A thread asks the loop now and then for a sign of life. Where none comes in time, it looks at what the loop's thread is
at, waits for the end, and writes one warning. Nothing is done while work is done; a look costs some microseconds.
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
"""After this long the warning is written though the end has not come; another one follows with it."""
ADVICE = "await what takes its time, or make the node a plain function (def): those run in threads of their own"

NameOf = Callable[[list[FrameType]], Mapping[str, str] | None]
"""Whose the work is that these frames, from the innermost, are at; nothing where it is nobody's who can help it."""


@contextmanager
def watched_loop(seconds: float, name_of: NameOf) -> Iterator[None]:
    """Watch the running event loop for as long as the block lasts; work that `name_of` names and that holds it up for
    more than `seconds` (perhaps half as much again) is warned of. 0 watches nothing."""
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
        """Ask for signs of life until stopped."""
        while not self.stopped.wait(self._seconds / 2):
            alive, asked_at = threading.Event(), time.monotonic()
            try:
                self._loop.call_soon_threadsafe(alive.set)
            except RuntimeError:  # the loop is closed
                return
            if not alive.wait(self._seconds):
                self._tell(alive, asked_at)

    def _tell(self, alive: threading.Event, asked_at: float) -> None:
        """Look until somebody can be named or the loop takes its turn, then wait for that, and warn."""
        culprit, told = self._look(asked_at), False
        while not alive.wait(self._seconds):
            if self.stopped.is_set():
                return
            culprit = culprit or self._look(time.monotonic())
            if culprit and not told and time.monotonic() - culprit.since > PATIENCE_SECONDS:
                told = True
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
