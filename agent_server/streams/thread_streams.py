"""The stream of a thread: the events of all its runs, one run after the other, until the client disconnects.

It has no log of its own. A notification on `thread:<id>` signals a new run or a state update from outside; rows
determine what is next, and that run's log has the events. An event's id is `<run id>/<its id in the run>`, or `<id of
the update>/0-0`, so a `Last-Event-ID` gives the position without stored reader state.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Literal, NamedTuple, cast
from uuid import UUID

import msgspec

from agent_server.asgi.sse import frame
from agent_server.broker import START, Broker, Frame, FrameId
from agent_server.database import Database, Row
from agent_server.errors import Invalid, NotFound
from agent_server.runs.queue import FINAL, Runs
from agent_server.runs.records import Record
from agent_server.schema import StreamPart, canonical_id
from agent_server.streams.idle_threads import IdleThreads
from agent_server.streams.run_streams import LAST, RunStreams, chunks
from agent_server.streams.thread_updates import ThreadUpdate, ThreadUpdates, UpdateKind
from agent_server.threads.schema import Checkpoint
from agent_server.threads.state_updates import thread_channel
from agent_server.threads.states import ThreadStates
from agent_server.threads.threads import Threads

ThreadStreamMode = Literal["run_modes", "lifecycle", "state_update"]


class Place(NamedTuple):
    """A reader's position: after this event of this run, or after this state update."""

    run_id: str
    after: FrameId


class ThreadStreams:
    """The streams of threads, by thread id."""

    def __init__(
        self,
        database: Database,
        threads: Threads,
        runs: Runs,
        streams: RunStreams,
        broker: Broker,
        states: ThreadStates,
        idle: IdleThreads | None = None,
    ) -> None:
        self._database = database
        self._threads = threads
        self._runs = runs
        self._streams = streams
        self._broker = broker
        self._states = states
        self._idle = idle or IdleThreads(database)

    async def follow(
        self, thread_id: str, last_event_id: str | None, modes: Sequence[ThreadStreamMode]
    ) -> AsyncIterator[bytes]:
        """Return the thread's events, without end: of active runs from their first, or all after `last_event_id`.

        The `last_event_id` `-`, `-1` or `0` requests all stored events. Every run's events end with `metadata`
        `{"status": "run_done", "run_id"}`. A state update from outside is `{"state", "thread_id"}`. Errors: `NotFound`
        for an unknown thread, `Invalid` for a malformed id.
        """
        key = canonical_id(thread_id, "thread")
        place = _place(last_event_id)
        await self._threads.get(key)
        return self._follow(key, place, modes)

    async def _follow(
        self, thread_id: str, place: Place | Literal["start"] | None, modes: Sequence[ThreadStreamMode]
    ) -> AsyncIterator[bytes]:
        async with self._broker.listen(thread_channel(thread_id)) as subscription:
            updates = ThreadUpdates(
                thread_id, await self._find_start(place, thread_id), _list_received(place), _kinds(modes)
            )
            if isinstance(place, Place):
                async for chunk in self._run(place.run_id, thread_id, place.after, modes):
                    yield chunk
            while not updates.is_deleted:
                one = await self._take_next(updates)
                if one is None:
                    await self._idle.wait(thread_id, subscription)
                elif one.checkpoint is not None:
                    async for chunk in self._state_update(thread_id, one.id, one.checkpoint):
                        yield chunk
                elif place != "start" or await self._has_log(one.id):
                    async for chunk in self._run(one.id, thread_id, START, modes):
                        yield chunk

    async def _take_next(self, updates: ThreadUpdates) -> ThreadUpdate | None:
        """Return the reader's next update, and mark it as received."""
        one = await self._database.read(updates.find_next)
        if one is not None:
            updates.mark_received(one.id)
        return one

    async def _state_update(self, thread_id: str, update_id: str, checkpoint: str) -> AsyncIterator[bytes]:
        """Yield the official server's event (as of 0.16.7); none where the checkpoint is no longer stored."""
        named = msgspec.json.decode(checkpoint, type=Checkpoint)
        with suppress(NotFound):
            state = await self._states.get(thread_id, named, subgraphs=False)
            yield frame(StreamPart("state_update", {"state": state, "thread_id": thread_id}), f"{update_id}/{START}")

    async def _read_clock(self) -> int:
        return int(await self._database.read(lambda c: cast(Row, c.one("SELECT now_us() AS now"))["now"]))

    async def _has_log(self, run_id: str) -> bool:
        record = await self._record(run_id)
        return record is not None and (record.run.status not in FINAL or await self._broker.holds(run_id))

    async def _find_start(self, place: Place | Literal["start"] | None, thread_id: str) -> int:
        """Return the time from which ended runs and updates are new to a reader at this position."""
        if not isinstance(place, Place):
            return 0 if place == "start" else await self._read_clock()
        record = await self._record(place.run_id, thread_id)
        if record is None:
            return await self._find_update_time(place.run_id)
        return record.changed_at if record.run.status in FINAL else await self._read_clock()

    async def _find_update_time(self, update_id: str) -> int:
        """Return the time of a state update; for a run that a rollback deleted, that of its creation."""
        sql = "SELECT made_at FROM state_updates WHERE update_id = :id"
        row = await self._database.read(lambda c: c.one(sql, id=update_id))
        return int(row["made_at"]) if row else (UUID(update_id).int >> 80) * 1000

    async def _run(
        self, run_id: str, thread_id: str, after: FrameId, modes: Sequence[ThreadStreamMode]
    ) -> AsyncIterator[bytes]:
        record = await self._record(run_id, thread_id)
        if record is None or after.number >= LAST:
            return
        async for frames in self._streams.frames(record, after):
            for chunk in chunks(_rename_event(run_id, one) for one in frames if _includes(one, modes)):
                yield chunk
        if modes != ["state_update"]:
            done = StreamPart("metadata", {"status": "run_done", "run_id": run_id})
            yield frame(done, f"{run_id}/{FrameId(max(record.attempt, 1), LAST)}")

    async def _record(self, run_id: str, thread_id: str | None = None) -> Record | None:
        try:
            return await self._runs.get(run_id, thread_id)
        except NotFound:
            return None


def _place(last_event_id: str | None) -> Place | Literal["start"] | None:
    text = (last_event_id or "").strip()
    if not text:
        return None
    if text in ("-", "-1", "0", "0-0"):
        return "start"
    run_id, _, position = text.partition("/")
    try:
        return Place(str(UUID(run_id)), FrameId.parse(position))
    except ValueError:
        raise Invalid(
            f"Last-Event-ID {text!r} is not an event id of a thread's stream: send the `id` of the last event that was "
            "received, or - for all events"
        ) from None


def _list_received(place: Place | Literal["start"] | None) -> set[str]:
    return {place.run_id} if isinstance(place, Place) else set()


def _kinds(modes: Sequence[ThreadStreamMode]) -> list[UpdateKind]:
    """Return the kinds of updates for the modes: a reader of state updates only need not wait for runs."""
    runs: list[UpdateKind] = ["runs"] if set(modes) - {"state_update"} else []
    return [*runs, "state updates"] if "state_update" in modes else runs


def _includes(one: Frame, modes: Sequence[ThreadStreamMode]) -> bool:
    return "run_modes" in modes or ("lifecycle" in modes and one.event == "metadata")


def _rename_event(run_id: str, one: Frame) -> bytes:
    """Return the frame's bytes, with the run's id in the event's id."""
    return b"%bid: %b/%b\r\n\r\n" % (one.data[: one.data.rindex(b"id: ")], run_id.encode(), str(one.id).encode())
