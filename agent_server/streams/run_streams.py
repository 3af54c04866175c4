"""A run's output for clients: its live stream, a replay, or its final values.

The broker keeps a run's log only as long as clients may resume it. After that, they get the run's ending from its row:
the final values or the error, and fresh feedback URLs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import suppress

import anyio
import msgspec
import structlog
from msgspec import Raw

from agent_server.asgi.json_codec import encode
from agent_server.asgi.sse import frame, frame_data
from agent_server.broker import START, Broker, Frame, FrameId, LogLost, SlowSubscriber
from agent_server.errors import Invalid, NotFound
from agent_server.runs.events.event import as_classic
from agent_server.runs.feedback import FeedbackUrls, feedback_parts
from agent_server.runs.queue import FINAL, Runs
from agent_server.runs.records import Record
from agent_server.schema import StreamPart
from agent_server.streams.run_end_watch import RunEndWatch

log = structlog.get_logger("agent_server")

SOON_SECONDS = 1.0
"""How long a cancellation without waiting still waits for the runs' ends, so that clients see the result at once."""
ALWAYS_SENT = ("metadata", "feedback", "error", "gap")
"""Events that clients receive in every stream mode."""


class RunStreams:
    """The streams of runs, by run id."""

    def __init__(
        self,
        runs: Runs,
        broker: Broker,
        feedback: FeedbackUrls | None,
        mint_timeout: float = 5.0,
        feedback_custom_event: bool = False,
        run_end_watch: RunEndWatch | None = None,
    ) -> None:
        self._runs = runs
        self._broker = broker
        self._feedback = feedback
        self._mint_timeout = mint_timeout
        self._feedback_custom_event = feedback_custom_event
        self._run_end_watch = run_end_watch
        """For logs that other processes may write; without it, a log always ends when its run does."""
        self.closing = anyio.Event()
        """Set when the server stops while clients still stream, just before it cuts the streams."""

    async def follow(self, run_id: str, after: FrameId = START, modes: Sequence[str] = ()) -> AsyncIterator[bytes]:
        """Yield the run's frames after `after` to its end, joined as they become ready; with `modes`, only of these.

        Raises `SlowSubscriber` where the reader has fallen behind the stored frames: the caller must close its
        connection.
        """
        async for frames in self._to_end(run_id, after):
            for chunk in chunks(one.data for one in frames if _is_wanted(one.event, modes)):
                yield chunk

    def replay(self, record: Record, last_event_id: str | None, modes: Sequence[str] = ()) -> AsyncIterator[bytes]:
        """Yield what `follow` yields, also for a run that ended long ago. Errors: `Invalid` for a malformed
        `Last-Event-ID`."""
        return self._replay(record, position(last_event_id), modes)

    async def _replay(self, record: Record, after: FrameId, modes: Sequence[str]) -> AsyncIterator[bytes]:
        async for frames in self.frames(record, after):
            for chunk in chunks(one.data for one in frames if _is_wanted(one.event, modes)):
                yield chunk

    async def frames(self, record: Record, after: FrameId) -> AsyncIterator[Sequence[Frame]]:
        """Yield the run's frames after `after` to its end, or its ending from its row, where they are no longer
        stored."""
        run_id = record.run.run_id
        if record.run.status in FINAL and not await self._broker.holds(run_id):
            yield await self._ending(record)
        else:
            async for frames in self._to_end(run_id, after):
                yield frames

    async def final_values(self, run_id: str, must_exist: bool = False) -> AsyncIterator[bytes]:
        """Yield the run's final values as JSON, with `__feedback__`, `__interrupt__` or `__error__`, in one chunk, once
        the run has ended.

        Errors: `NotFound`; with `must_exist` also for a run that is deleted meanwhile.
        """
        yield _encode_values(*await self.outcome(run_id, must_exist))

    async def outcome(self, run_id: str, must_exist: bool = False) -> tuple[Record, dict[str, str] | None]:
        """Wait for the run's end; return the run and its feedback URLs. Errors: as `final_values`."""
        record = await self._runs.get(run_id)
        try:
            if record.run.status in FINAL and not await self._broker.holds(run_id):
                raise LogLost
            urls = await self._find_urls_in_log(run_id)
            record = await (self._runs.get(run_id) if must_exist else self.reload_record(record))
        except LogLost:
            record = await (self._runs.get(run_id) if must_exist else self.reload_record(record))
            urls = await self._urls(record)
        return record, urls

    async def _find_urls_in_log(self, run_id: str) -> dict[str, str] | None:
        """Return the URLs of the run's `feedback` event, or None without one, at the run's end."""
        urls: dict[str, str] | None = None
        after = START
        while True:
            try:
                async for frames in self._log(run_id, after):
                    after = frames[-1].id
                    for one in frames:
                        if one.event == "feedback":
                            urls = msgspec.json.decode(frame_data(one.data), type=dict[str, str])
                return urls
            except SlowSubscriber:  # nothing here waits for a client: the run was fast, so continue after the gap
                continue

    async def wait_for_end(self, record: Record) -> None:
        """Wait for the end of the run."""
        if record.run.status not in FINAL or await self._broker.holds(record.run.run_id):
            with suppress(LogLost):
                await self._find_urls_in_log(record.run.run_id)

    async def wait_briefly_for_ends(self, records: Sequence[Record]) -> None:
        """Wait for the ends of cancelled runs, but briefly: most agents stop at once."""
        with anyio.move_on_after(SOON_SECONDS):
            async with anyio.create_task_group() as waiting:
                for record in records:
                    waiting.start_soon(self.wait_for_end, record)

    def _log(self, run_id: str, after: FrameId) -> AsyncIterator[list[Frame]]:
        """Return the run's log in the older routes' events. Raises `LogLost` where it breaks off."""
        log = self._broker.subscribe(run_id, after)
        return _classic(self._run_end_watch.watch_chunks(run_id, log) if self._run_end_watch else log)

    async def _to_end(self, run_id: str, after: FrameId) -> AsyncIterator[list[Frame]]:
        """Yield the run's log; where it breaks off, its ending from its row."""
        try:
            async for frames in self._log(run_id, after):
                yield frames
        except LogLost as error:
            log.info("stream_ends_from_row", run_id=run_id, reason=str(error))
            with suppress(NotFound):  # a rollback deletes the run
                yield await self._ending(await self._runs.get(run_id))

    async def reload_record(self, record: Record) -> Record:
        """Return the run as it is now; after a rollback, which deletes it, as it was."""
        try:
            return await self._runs.get(record.run.run_id)
        except NotFound:
            return record

    async def _ending(self, record: Record) -> list[Frame]:
        """Return the run's ending from its row, as frames after all those of its log."""
        at = FrameId(record.attempt, _PAST_ALL)
        return [Frame(at, part.event, frame(part, str(at))) for part in await self._last_parts(record)]

    async def _last_parts(self, record: Record) -> list[StreamPart]:
        parts = [
            StreamPart("gap", {"reason": "the run has ended and its events are no longer kept"}),
            StreamPart("metadata", {"run_id": record.run.run_id, "attempt": record.attempt}),
        ]
        if record.output is not None:
            parts.append(StreamPart("values", Raw(record.output)))
        if urls := await self._urls(record):
            modes = record.kwargs.stream_mode
            parts += feedback_parts(record.run.run_id, urls, modes, self._feedback_custom_event)
        if record.error is not None:
            parts.append(StreamPart("error", Raw(record.error)))
        return parts

    async def _urls(self, record: Record) -> dict[str, str] | None:
        keys, feedback = record.kwargs.feedback_keys, self._feedback
        if not keys or feedback is None or record.run.status == "interrupted":
            return None
        try:
            with anyio.fail_after(self._mint_timeout):
                return await feedback.urls_for_run(record.reference, keys, record.base_url, record.project)
        except Exception as error:  # as in an attempt: a feedback failure must not withhold the run's output
            log.warning("feedback_urls_not_minted", run_id=record.run.run_id, error=type(error).__name__)
            return None


async def _classic(log: AsyncIterator[list[Frame]]) -> AsyncIterator[list[Frame]]:
    """Yield the log as the older routes show it: version 2 events only where they have an equivalent."""
    async for frames in log:
        if shown := [classic for one in frames if (classic := as_classic(one)) is not None]:
            yield shown


_PAST_ALL = 10**9
"""The frame number of events that were never in a log: after all that were."""
LAST = _PAST_ALL + 1
"""The frame number of the event that follows all of a run's events."""


def position(last_event_id: str | None) -> FrameId:
    """Return the position of a `Last-Event-ID` header; without one, before the first event. Errors: `Invalid`."""
    try:
        return FrameId.parse(last_event_id or "")
    except ValueError:
        raise Invalid(
            f"Last-Event-ID {last_event_id!r} is not an event id of this server: send the `id` of the last event that "
            "was received, such as 1-42, or -1 for all events"
        ) from None


def parse_modes(query: Sequence[str], parameter: str = "stream_mode") -> list[str]:
    """Return the stream modes (or other names) in a query parameter. Errors: `Invalid` for an unterminated list.

    The official clients send several as repeated values (Python) or as one JSON list (JavaScript), and none as an empty
    value (Python).
    """
    modes: list[str] = []
    for value in query:
        try:
            modes += msgspec.json.decode(value, type=list[str]) if value.startswith("[") else [value]
        except msgspec.DecodeError:
            raise Invalid(f'{parameter} is {value!r}: send one name, or a JSON list of them, as ["values"]') from None
    return [mode for mode in modes if mode]


def _is_wanted(event: str, modes: Sequence[str]) -> bool:
    if not modes or event in ALWAYS_SENT:
        return True
    name = event.split("|")[0]
    return (
        name in modes
        or (name == "messages" and "messages-tuple" in modes)
        or (name.startswith("messages/") and "messages" in modes)
    )


CHUNK_BYTES = 256 * 1024
"""The approximate size of a write to a connection, in bytes: it bounds the memory that a slow client takes."""


def chunks(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the frames, joined into chunks of at most `CHUNK_BYTES` (or one larger frame)."""
    ready: list[bytes] = []
    size = 0
    for one in frames:
        if ready and size + len(one) > CHUNK_BYTES:
            yield b"".join(ready)
            ready, size = [], 0
        ready.append(one)
        size += len(one)
    if ready:
        yield b"".join(ready)


def _encode_values(record: Record, urls: dict[str, str] | None) -> bytes:
    extra: dict[str, object] = {}
    if record.error is not None:
        extra["__error__"] = Raw(record.error)
    if urls:
        extra["__feedback__"] = urls
    if not extra:
        return record.output or b"null"
    output = record.output or b"{}"
    if output.startswith(b"{"):
        return encode({**msgspec.json.decode(output, type=dict[str, Raw]), **extra})
    return encode({"__value__": Raw(output), **extra})
