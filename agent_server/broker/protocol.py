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
        """The position that a `Last-Event-ID` names; `-1` and `0` name the start. `ValueError` where it names none."""
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

    async def wait(self, seconds: float) -> bool:
        """Whether the channel was rung since the last wait that said so; waits up to `seconds` for a ring.

        Rings add up to one. None is lost between two waits, nor to a wait that was cancelled.
        """


class Broker(Protocol):
    """Carries the frames of runs from the worker that makes them to everyone who watches.

    Losing it loses live frames, never a run. Where a broker needs a server that does not answer, no call fails or waits
    for it: what is published and rung meanwhile is lost, nothing is held, and subscribers and listeners wait for its
    return. The rows say what happened.
    """

    async def __aenter__(self) -> Broker: ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def publish(self, run_id: str, frames: Sequence[Frame]) -> None:
        """Append to the run's log; who reads the log sees it soon. Never waits for a subscriber.

        A frame whose id does not grow is left out (a worker that lost its lease), and so is what comes after `close`.
        The log is bounded: its oldest frames go, never the newest.
        """

    def subscribe(self, run_id: str, after: FrameId = START) -> AsyncIterator[list[Frame]]:
        """The run's frames with ids greater than `after`, in order, each once; what is ready in one list, or a few.

        Goes on with what is published later, and ends when the log is closed and read to its end. Where nothing was
        published yet, it waits for it; so ask `holds` first where the run may be over and its log dropped. Any number
        of subscribers may read one log, each at its own pace.

        Where frames after `after` are no longer kept, the first frame is a `gap` event, `{"last_event_id": <after>,
        "next_event_id": <the first that is kept>}`, and the rest follow; to resume after the gap's own id is right.
        Raises `SlowSubscriber` where this subscriber has fallen behind further than the log reaches back; subscribed
        again after its last frame, it gets the gap and the rest. Raises `LogLost` where the log's last frames are gone.
        """

    async def close(self, run_id: str) -> None:
        """The log is complete, for good. It stays readable for a while (`keep` seconds at most), then is dropped."""

    async def holds(self, run_id: str) -> bool:
        """Whether there is a log of this run to read, complete or not. One that others only wait for is none."""

    async def notify(self, channel: str) -> None:
        """Ring everybody who listens on `channel`."""

    def listen(self, channel: str) -> AbstractAsyncContextManager[Doorbell]:
        """An ear on `channel`, for the length of a `with` block."""


class SlowSubscriber(Exception):
    """The subscriber fell behind the log's bound. Its connection is to be dropped, not ended politely."""


class LogLost(Exception):
    """The last frames of the run's log are gone, or never came: only the run's row tells how it ended."""
