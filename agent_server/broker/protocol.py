"""The broker seam: live streams, and doorbells.

Log first. The frames of a run are encoded once into that run's log, and every subscriber reads the log by position. So
fan-out, replay after a `Last-Event-ID` and the live tail are one loop with one cursor, and there is no gap between
replay and tail. A doorbell only says "look": the row in the database is the truth, so a lost ring costs time, never a
run.

A frame's id is `<attempt>-<n>`, both decimal: the run's attempt, and the frame's number in that attempt, from 0. Ids
grow strictly, so a worker that lost its lease cannot write into the log of the attempt that follows it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol


class FrameId(NamedTuple):
    """A position in a run's log; compares as its parts do."""

    attempt: int
    number: int

    def __str__(self) -> str:
        return f"{self.attempt}-{self.number}"

    @classmethod
    def parse(cls, text: str) -> FrameId:
        """The position that a `Last-Event-ID` names; `ValueError` where it names none. `-1` and `0` are the very start."""
        if text.strip() in ("", "-1", "0", "0-0"):
            return START
        attempt, _, number = text.strip().partition("-")
        if not (attempt.isascii() and attempt.isdigit() and number.isascii() and number.isdigit()):
            raise ValueError(f"{text!r} is not an event id")
        return cls(int(attempt), int(number))


START = FrameId(0, 0)


class Frame(NamedTuple):
    """One server-sent event, ready to send."""

    id: FrameId
    event: str
    data: bytes


class Doorbell(Protocol):
    """One listener's ear on a channel; it hears every ring since it was made."""

    async def wait(self, timeout: float) -> bool:
        """Whether the channel was rung since the last wait, waiting up to `timeout` seconds for it. Rings add up to one."""


class Broker(Protocol):
    """Carries the frames of runs from the worker that makes them to everyone who watches.

    Errors: `Unavailable` where the broker does not answer.
    """

    async def __aenter__(self) -> Broker: ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def publish(self, run_id: str, frames: Sequence[Frame]) -> None:
        """Append to the run's log. Never waits for a subscriber. A frame whose id does not grow is left out."""

    def subscribe(self, run_id: str, after: FrameId = START) -> AsyncIterator[list[Frame]]:
        """The run's frames with ids greater than `after`, in order, each once; all that is ready in one list.

        Goes on with what is published later, and ends when the log is closed and read to its end. Any number of
        subscribers may read one log, each at its own pace. Where frames after `after` are no longer kept, the first
        frame is a `gap` event that says so, and the rest follow. Raises `SlowSubscriber` where this subscriber has
        fallen behind further than the log reaches back; it may subscribe again after its last frame.
        """

    async def close(self, run_id: str) -> None:
        """The log is complete. It stays readable for a while (`keep` seconds), then is dropped."""

    async def holds(self, run_id: str) -> bool:
        """Whether there is a log of this run to read, complete or not."""

    async def notify(self, channel: str) -> None:
        """Ring everybody who listens on `channel`."""

    def listen(self, channel: str) -> AbstractAsyncContextManager[Doorbell]:
        """An ear on `channel`, for the length of a `with` block."""


class SlowSubscriber(Exception):
    """The subscriber fell behind the log's bound. Its connection is to be dropped, not ended politely."""
