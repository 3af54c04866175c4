"""The broker seam: live streams and notifications.

The log comes first. The frames of a run are encoded once into that run's log, and every subscriber reads the log by
position. So fan-out, replay after a `Last-Event-ID` and the live tail are one loop with one cursor, without a gap
between replay and tail. A notification is a hint to look at the database: the row is the truth, so a lost notification
costs time, never a run.

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
        """Parse a `Last-Event-ID`; `-1` and `0` are the start. Errors: `ValueError`."""
        if text.strip() in ("", "-1", "0", "0-0"):
            return START
        attempt, _, number = text.strip().partition("-")
        if not (attempt.isascii() and attempt.isdigit() and number.isascii() and number.isdigit()):
            raise ValueError(f"{text!r} is not an event id")
        return cls(int(attempt), int(number))


START = FrameId(0, 0)
_MORE_THAN_ALL = 10_000_000
"""More frames than an attempt publishes."""


def unknown_end(attempt: int) -> FrameId:
    """Return an id for the unknown last frame before this attempt, where the log of the earlier ones was lost."""
    return FrameId(attempt - 1, _MORE_THAN_ALL) if attempt > 1 else START


class Frame(NamedTuple):
    """One server-sent event, ready to send."""

    id: FrameId
    event: str
    data: bytes


class Subscription(Protocol):
    """A subscription to a notification channel, from the moment when it is made."""

    @property
    def is_notified(self) -> bool:
        """Whether a notification came that no wait has returned."""

    def notify(self) -> None:
        """Wake the subscriber, now or at its next wait, as a notification does."""

    async def wait(self, seconds: float | None = None) -> bool:
        """Return whether a notification came since the last wait that returned True; wait up to `seconds` for one.

        Several notifications count as one. None is lost between two waits, or by a cancelled wait.
        """


class Broker(Protocol):
    """Carries the frames of runs from the worker that produces them to their readers.

    Losing it loses live frames, never a run. While a broker's server does not respond, no call fails or waits for it:
    frames and notifications of that time are lost, and subscribers wait for its return. The rows tell what happened.
    """

    async def __aenter__(self) -> Broker: ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def check(self) -> None:
        """Return where the broker's server listens. Errors: `Unavailable`."""

    async def publish(self, run_id: str, frames: Sequence[Frame]) -> None:
        """Append to the run's log. Never waits for a subscriber.

        A frame whose id does not grow is dropped (its worker lost the lease), and so are frames after `close`. The log
        is bounded: its oldest frames are trimmed, never the newest.
        """

    async def rescue(self, run_id: str, attempt: int) -> None:
        """Note that this attempt follows one whose process died: frames that are not stored are lost."""

    async def flush(self) -> None:
        """Wait until the frames published so far outlive this process, or are lost with the broker's server."""

    def subscribe(self, run_id: str, after: FrameId = START) -> AsyncIterator[list[Frame]]:
        """Yield the run's frames with ids greater than `after`, in order, each once; ready frames come as one list.

        Continues with later frames and ends when the log is closed and read to its end. Waits for the first frame, so
        check `holds` first if the run may be over and its log dropped. Any number of subscribers may read one log, each
        at its own pace.

        If frames after `after` were trimmed, the first frame is a `gap` event, `{"last_event_id": <after>,
        "next_event_id": <the first stored one>}`; a reader may resume after the gap's own id. So it is where a log
        begins with a later attempt, because the earlier ones' frames were lost. Raises `SlowSubscriber`
        if this subscriber has fallen behind the start of the log; a new subscription after its last frame begins with
        the gap. Raises `LogLost` if the log's last frames are missing.
        """

    async def close(self, run_id: str) -> None:
        """Mark the log as complete. It stays readable for at most `keep` seconds, then is dropped."""

    async def holds(self, run_id: str) -> bool:
        """Return whether this run has a log to read, complete or not; a log without frames does not count."""

    async def notify(self, channel: str) -> None:
        """Notify all subscriptions to `channel`."""

    def listen(self, channel: str) -> AbstractAsyncContextManager[Subscription]:
        """Subscribe to `channel` for the length of a `with` block."""


class SlowSubscriber(Exception):
    """The subscriber fell behind the start of the log. Cut its connection: a clean end would mean the end of the
    run."""


class LogLost(Exception):
    """The last frames of the run's log are missing: only the run's row tells how the run ended."""
