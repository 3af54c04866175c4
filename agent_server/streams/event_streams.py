"""The events of a thread by the protocol of version 2: of all its runs, in the order of their turns, without end.

Like the stream of a thread, it has no log of its own: rows name the next turn, and that run's log has the events, with
the numbers assigned when they were written. A number contains its turn and the position in the log, so a reader resumes
after `since` without stored reader state. Runs started by the older routes have stream parts in their logs; this module
translates them, each time from the start of the log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
import structlog

from agent_server.access.ownership import Condition
from agent_server.asgi.sse import frame_data
from agent_server.broker import START, Broker, Frame, FrameId, LogLost
from agent_server.database import Connection, Database, Row
from agent_server.errors import NotFound
from agent_server.runs.events.event import GAP, TURN, Event, address, event_frame, read_seq
from agent_server.runs.events.schema import EventStreamRequest
from agent_server.runs.events.translation import INTERRUPT, ROLLED_BACK, Translation
from agent_server.runs.queue import FINAL, Runs
from agent_server.runs.records import Ending, Record, read_record
from agent_server.runs.run_log import last_events
from agent_server.schema import StreamPart, ThreadStatus, canonical_id
from agent_server.streams.idle_threads import IdleThreads
from agent_server.streams.run_end_watch import RunEndWatch
from agent_server.streams.run_streams import chunks
from agent_server.threads.state_updates import thread_channel
from agent_server.threads.threads import Threads

log = structlog.get_logger("agent_server")

HISTORY_SECONDS = 5.0
"""After this time, a run's start and end are sent only to clients that resume after a number."""
LAST = TURN - 1
"""The number, in its turn, of a run's last event, where its log does not state it."""
A_PART = 64
"""Numbers reserved for each part of an older log, which may become several events."""


class Place(NamedTuple):
    """A reader's position: after this number of this turn."""

    turn: int
    number: int


class EventStreams:
    """The events of threads, by thread id."""

    def __init__(
        self,
        database: Database,
        threads: Threads,
        runs: Runs,
        broker: Broker,
        run_end_watch: RunEndWatch | None = None,
        idle: IdleThreads | None = None,
    ) -> None:
        self._database = database
        self._threads = threads
        self._runs = runs
        self._broker = broker
        self._run_end_watch = run_end_watch
        self._idle = idle or IdleThreads(database)

    async def follow(
        self, thread_id: str, request: EventStreamRequest, owned: Condition | None = None
    ) -> AsyncIterator[Sequence[Frame]]:
        """Return the frames of the events that match `request`: after its `since`, or all stored ones; without end.

        Clients may subscribe before the thread exists: the stream then waits for it. Where events after `since` are no
        longer stored, an event `gap` marks that, whatever the filter. With `owned`, the stream ends where the thread
        does not meet it. Errors: `NotFound` for a temporary thread. Raises `SlowSubscriber` as a
        run's stream does.
        """
        key = canonical_id(thread_id, "thread")
        if exists := await self._threads.exists(key):
            await self._threads.get(key)
        return self._follow(key, request) if exists else self._follow_once_there(key, request, owned)

    async def chunks(
        self, thread_id: str, request: EventStreamRequest, owned: Condition | None = None
    ) -> AsyncIterator[bytes]:
        """Return what `follow` yields as response chunks: each joins the frames that are ready."""
        return _join_frames(await self.follow(thread_id, request, owned))

    async def _follow_once_there(
        self, thread_id: str, request: EventStreamRequest, owned: Condition | None
    ) -> AsyncIterator[Sequence[Frame]]:
        async with self._broker.listen(thread_channel(thread_id)) as notifications:
            while not await self._threads.exists(thread_id):
                await self._idle.wait_for_creation(thread_id, notifications)
        if owned is None or await self._threads.is_owned(thread_id, owned):
            async for frames in self._follow(thread_id, request):
                yield frames

    async def _follow(self, thread_id: str, request: EventStreamRequest) -> AsyncIterator[Sequence[Frame]]:
        place = None if request.since is None else Place(*divmod(request.since, TURN))
        turn = -1 if place is None else place.turn - 1
        async with self._broker.listen(thread_channel(thread_id)) as notifications:
            while (row := await self._find_next(thread_id, turn)) is not None or await self._threads.exists(thread_id):
                if row is None:
                    await self._idle.wait(thread_id, notifications)
                    continue
                record = read_record(row)
                without_root = place is None and _is_history(record, row["now"])
                async for frames in self._stream_run(record, place):
                    if wanted := [one for one in frames if _is_requested(one, request, without_root)]:
                        yield wanted
                turn = await self._find_last_turn(record, turn)

    async def _find_next(self, thread_id: str, turn: int) -> Row | None:
        """Return the run with the next turn after this one, or else the one that starts next; and the current time."""
        return await self._database.read(partial(_next_turn, thread_id=thread_id, turn=turn))

    async def _find_last_turn(self, record: Record, turn: int) -> int:
        """Return the last turn of the run, whose log has been read to its end."""
        now = await self._record(record.run.run_id)
        return max([turn, *(one.turn for one in (record, now) if one is not None and one.turn is not None)])

    async def _stream_run(self, record: Record, place: Place | None) -> AsyncIterator[Sequence[Frame]]:
        """Yield the run's events after `place`."""
        since = -1 if place is None else place.turn * TURN + place.number
        has_log = record.run.status not in FINAL or await self._broker.holds(record.run.run_id)
        if not has_log and (place is None or _has_all(record, place)):
            return
        # The log may be deleted while it is read, or before. The row then has the values and the ending; `since` drops
        # what the client has. A translated log is read from its start, because numbers count the events before.
        read = self._own_events(record, place) if record.kwargs.event_streaming else self._stream_translated(record)
        try:
            if not has_log:
                raise LogLost("its log is no longer kept")
            async for frames in read:
                if unsent := [one for one in frames if read_seq(one) > since]:
                    yield unsent
        except LogLost as error:
            log.info("events_end_from_row", run_id=record.run.run_id, reason=str(error))
            yield [one for one in await self._read_from_row(record) if read_seq(one) > since]

    async def _own_events(self, record: Record, place: Place | None) -> AsyncIterator[Sequence[Frame]]:
        """Yield the protocol events from the run's log."""
        known = place is not None and place.turn == record.turn
        after = FrameId(record.attempt, place.number) if known and place is not None else START
        async for frames in self._log(record.run.run_id, after):
            record = await self._wait_until_claimed(record)
            yield [_gap(record, one, one.id.number) if one.event == GAP else one for one in frames if _is_own(one)]

    async def _stream_translated(self, record: Record) -> AsyncIterator[Sequence[Frame]]:
        """Yield the parts of the run's log as events, and the run's ending."""
        translation = Translation(record.graph_id)
        async for frames in self._log(record.run.run_id, START):
            record = await self._wait_until_claimed(record)
            yield [event for one in frames for event in _convert_part(one, translation, record)]
        yield _end(await self._record(record.run.run_id), translation, record)

    async def _read_from_row(self, record: Record) -> Sequence[Frame]:
        """Return events from the run's row: a gap, its values, its ending."""
        translation = Translation(record.graph_id)
        now = await self._record(record.run.run_id)
        events = [Event(GAP, (), {"reason": "the run has ended and its events are no longer kept"})]
        if now is not None and now.output is not None:
            events += translation.translate(StreamPart("values", msgspec.json.decode(now.output)))
        events += _build_last_events(now, translation)
        return _number_events(events, now or record)

    def _log(self, run_id: str, after: FrameId) -> AsyncIterator[list[Frame]]:
        frames = self._broker.subscribe(run_id, after)
        return self._run_end_watch.watch_chunks(run_id, frames) if self._run_end_watch else frames

    async def _wait_until_claimed(self, record: Record) -> Record:
        """Return the run with its turn, once its log has begun."""
        return record if record.turn is not None else await self._record(record.run.run_id) or record

    async def _record(self, run_id: str) -> Record | None:
        try:
            return await self._runs.get(run_id)
        except NotFound:
            return None


async def _join_frames(stream: AsyncIterator[Sequence[Frame]]) -> AsyncIterator[bytes]:
    async for frames in stream:
        for chunk in chunks(one.data for one in frames):
            yield chunk


def _next_turn(connection: Connection, thread_id: str, turn: int) -> Row | None:
    had_its_turn = "turn > :turn ORDER BY turn"
    has_none_yet = "turn IS NULL AND status = 'pending' AND start_at <= now_us() ORDER BY start_at, run_id"
    select = "SELECT runs.*, now_us() AS now FROM runs WHERE thread_id = :id AND"
    return connection.one(f"{select} {had_its_turn} LIMIT 1", id=thread_id, turn=turn) or connection.one(
        f"{select} {has_none_yet} LIMIT 1", id=thread_id
    )


def _has_all(record: Record, place: Place) -> bool:
    """Return whether a reader at `place` has received all of the run, which has ended."""
    turn, last = record.turn or 0, LAST if record.last_event is None else record.last_event
    return (turn, last) <= place


def _is_own(one: Frame) -> bool:
    return one.event == GAP or address(one.event) is not None


def _is_history(record: Record, now: int) -> bool:
    """Return whether the run ended so long ago that a new reader without a number does not wait for its end.

    The Python client takes the first ending on a thread for that of the run that it has just started.
    """
    return record.run.status in FINAL and now - record.changed_at > HISTORY_SECONDS * 1_000_000 and not _waits(record)


def _is_requested(one: Frame, request: EventStreamRequest, without_root: bool) -> bool:
    found = address(one.event)
    if found is None or (without_root and found == ("lifecycle", ())):
        return False
    return found[0] == GAP or request.wants(*found)


def _seq(record: Record, attempt: int, number: int) -> int:
    """Return the number of an event of this attempt: a run's attempts have consecutive turns."""
    return ((record.turn or 0) + attempt - record.attempt) * TURN + number


def _gap(record: Record, one: Frame, number: int) -> Frame:
    """Return a log's gap as an event, numbered as the last of the missing events."""
    event = Event(GAP, (), {"reason": "events before these are no longer kept"})
    return event_frame(event, _seq(record, one.id.attempt, number), one.id)


def _convert_part(one: Frame, translation: Translation, record: Record) -> list[Frame]:
    """Return the events of a part in an older log."""
    if one.event == GAP:
        return [_gap(record, one, (one.id.number + 1) * A_PART)]
    events = translation.translate(StreamPart(one.event, msgspec.json.decode(frame_data(one.data))))
    first = _seq(record, one.id.attempt, one.id.number * A_PART + 1)
    return [event_frame(event, first + at, one.id) for at, event in enumerate(events[:A_PART])]


def _end(record: Record | None, translation: Translation, before: Record) -> list[Frame]:
    return _number_events(_build_last_events(record, translation), record or before)


def _build_last_events(record: Record | None, translation: Translation) -> list[Event]:
    """Return the run's ending from its row; a missing row means a rollback."""
    if record is None:
        return translation.translate_end("failed", ROLLED_BACK)
    if record.run.status not in FINAL:
        return []
    thread_status: ThreadStatus = "interrupted" if _waits(record) else "idle"
    return last_events(translation, Ending(record.run.status, thread_status, error=record.error or b"null"))


def _waits(record: Record) -> bool:
    """Return whether the run, which has ended, waits for input."""
    values = msgspec.json.decode(record.output or b"null")
    return isinstance(values, dict) and INTERRUPT in values


def _number_events(events: Iterable[Event], record: Record) -> list[Frame]:
    """Return the events as the last ones of the run's last turn."""
    several = list(events)
    first = LAST + 1 - len(several)
    position = FrameId(record.attempt, LAST)
    return [event_frame(event, _seq(record, record.attempt, first + at), position) for at, event in enumerate(several)]
