"""The log of an attempt: the parts of its stream, or the events of the protocol of version 2."""

from __future__ import annotations

import anyio.lowlevel
import msgspec

from agent_server.asgi.sse import frame
from agent_server.broker import Broker, Frame, FrameId
from agent_server.runs.events.event import TURN, Event, event_frame
from agent_server.runs.events.translation import CANCELLED, ROLLED_BACK, Translation
from agent_server.runs.records import Claim, Ending
from agent_server.schema import StreamPart

LARGE_FRAME_BYTES = 256 * 1024
"""After a larger event the log yields, so that readers get it before the next events push it out."""
_OF_RUNS = ("metadata", "feedback", "error")
"""Parts that the older routes stream for every run."""


class RunLog:
    """The log of one attempt."""

    def __init__(self, claim: Claim, broker: Broker) -> None:
        self.published = 0
        self._run = claim.run
        self._turn = claim.turn
        self._broker = broker
        self._translation = Translation(claim.run.graph_id) if claim.run.kwargs.event_streaming else None

    async def publish(self, part: StreamPart) -> None:
        """Write a part of the run's stream."""
        if self._translation is None or part.event in _OF_RUNS:
            position = self._compute_next_id()
            frames = [Frame(position, part.event, frame(part, str(position)))]
        else:
            frames = []
        if self._translation is not None:
            frames += [self._frame(event) for event in self._translation.translate(part)]
        await self._write(frames)

    def last_event(self, ending: Ending) -> int | None:
        """Return the number of the last event after the end is written; None without protocol events."""
        last = self._last_events(ending)
        return self.published + len(last) - 1 if last else None

    async def write_end(self, ending: Ending) -> None:
        """Write the run's ending; call this once the ending is durable."""
        await self._write([self._frame(event) for event in self._last_events(ending)])

    async def write_rollback(self) -> None:
        """Write that the run was rolled back."""
        if self._translation is not None:
            await self._write([self._frame(event) for event in self._translation.translate_end("failed", ROLLED_BACK)])

    def _last_events(self, ending: Ending) -> list[Event]:
        return [] if self._translation is None else last_events(self._translation, ending)

    def _compute_next_id(self) -> FrameId:
        self.published += 1
        return FrameId(self._run.attempt, self.published - 1)

    def _frame(self, event: Event) -> Frame:
        position = self._compute_next_id()
        return event_frame(event, self._turn * TURN + position.number, position)

    async def _write(self, frames: list[Frame]) -> None:
        if not frames:
            return
        await self._broker.publish(self._run.run_id, frames)
        for one in frames:
            if len(one.data) > LARGE_FRAME_BYTES:
                await anyio.lowlevel.checkpoint()  # agents need not wait between events, but their readers need a turn
                return


def last_events(translation: Translation, ending: Ending) -> list[Event]:
    """Return the run's ending as protocol events."""
    if ending.status == "success":
        return translation.translate_end("interrupted" if ending.thread_status == "interrupted" else "completed")
    return translation.translate_end("failed", CANCELLED if ending.status == "interrupted" else _reason(ending.error))


def _reason(error: bytes) -> str:
    fields = msgspec.json.decode(error)
    return str(fields.get("message") or fields.get("error")) if isinstance(fields, dict) else "The run failed"
