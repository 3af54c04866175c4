"""What a client sees of a run: its live stream, the same stream again later, or just its answer.

A run's log lives as long as somebody may come back for it, and no longer. Whoever comes later gets the run's end from
its row: the final values or the error, and fresh feedback URLs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import suppress

import anyio
import msgspec
import structlog
from msgspec import Raw

from agent_server.asgi.sse import frame, frame_data
from agent_server.broker import START, Broker, Frame, FrameId, LogLost, SlowSubscriber
from agent_server.errors import Invalid, NotFound
from agent_server.events.event import as_classic
from agent_server.json_codec import encode
from agent_server.runs.feedback import FeedbackUrls, feedback_parts
from agent_server.runs.queue import FINAL, Runs
from agent_server.runs.records import Record
from agent_server.schema import StreamPart
from agent_server.streams.run_end_watch import RunEndWatch

log = structlog.get_logger("agent_server")

SOON_SECONDS = 1.0
"""How long a cancellation that does not wait for the runs' ends waits, so that clients read what they asked for."""
ALWAYS_SENT = ("metadata", "feedback", "error", "gap")
"""Events that a client gets whatever stream modes it asks for."""


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
        """For logs that other processes may write; without it a log is trusted to end when its run does."""
        self.closing = anyio.Event()
        """Set where the server stops while somebody still streams: a moment before the streams are cut."""

    async def follow(self, run_id: str, after: FrameId = START, modes: Sequence[str] = ()) -> AsyncIterator[bytes]:
        """The run's frames after `after`, as many as are ready in one chunk, to the run's end; of `modes` only, if any.

        Raises `SlowSubscriber` where its reader has fallen behind what is kept: its connection is to be cut.
        """
        async for frames in self._to_end(run_id, after):
            for chunk in chunks(one.data for one in frames if _wanted(one.event, modes)):
                yield chunk

    def replay(self, record: Record, last_event_id: str | None, modes: Sequence[str] = ()) -> AsyncIterator[bytes]:
        """As `follow`, for a run that may have ended long ago. `Invalid` for a `Last-Event-ID` that is none of ours."""
        return self._replay(record, position(last_event_id), modes)

    async def _replay(self, record: Record, after: FrameId, modes: Sequence[str]) -> AsyncIterator[bytes]:
        async for frames in self.frames(record, after):
            for chunk in chunks(one.data for one in frames if _wanted(one.event, modes)):
                yield chunk

    async def frames(self, record: Record, after: FrameId) -> AsyncIterator[Sequence[Frame]]:
        """The run's frames after `after` to its end, or what is known of its end, where they are no longer kept."""
        run_id = record.run.run_id
        if record.run.status in FINAL and not await self._broker.holds(run_id):
            yield await self._ending(record)
        else:
            async for frames in self._to_end(run_id, after):
                yield frames

    async def answer(self, run_id: str, must_exist: bool = False) -> AsyncIterator[bytes]:
        """Yield the run's final values as JSON, with `__feedback__`, `__interrupt__` or `__error__` among them, in one
        chunk, once the run has ended.

        Errors: `NotFound`; also for a run that is deleted meanwhile, where it `must_exist`.
        """
        yield _answer(*await self.outcome(run_id, must_exist))

    async def outcome(self, run_id: str, must_exist: bool = False) -> tuple[Record, dict[str, str] | None]:
        """Wait for the run's end; return the run and its feedback URLs. Errors: as `answer`."""
        record = await self._runs.get(run_id)
        try:
            if record.run.status in FINAL and not await self._broker.holds(run_id):
                raise LogLost
            urls = await self._urls_in_log(run_id)
            record = await (self._runs.get(run_id) if must_exist else self.last_known(record))
        except LogLost:
            record = await (self._runs.get(run_id) if must_exist else self.last_known(record))
            urls = await self._urls(record)
        return record, urls

    async def _urls_in_log(self, run_id: str) -> dict[str, str] | None:
        """The URLs of the run's `feedback` event, if it has one, at the run's end."""
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
            except SlowSubscriber:  # nothing here waits for a client: the run was quick, and we go on behind the gap
                continue

    async def until_end(self, record: Record) -> None:
        """Wait for the end of the run."""
        if record.run.status not in FINAL or await self._broker.holds(record.run.run_id):
            with suppress(LogLost):
                await self._urls_in_log(record.run.run_id)

    async def until_end_soon(self, records: Sequence[Record]) -> None:
        """Wait for the ends of runs that were cancelled, but not long: most agents stop at once."""
        with anyio.move_on_after(SOON_SECONDS):
            async with anyio.create_task_group() as waiting:
                for record in records:
                    waiting.start_soon(self.until_end, record)

    def _log(self, run_id: str, after: FrameId) -> AsyncIterator[list[Frame]]:
        """The run's log. `LogLost` where it breaks off."""
        log = self._broker.subscribe(run_id, after)
        return _classic(self._run_end_watch.watched(run_id, log) if self._run_end_watch else log)

    async def _to_end(self, run_id: str, after: FrameId) -> AsyncIterator[list[Frame]]:
        """The run's log; where it breaks off, what is known of the run's end."""
        try:
            async for frames in self._log(run_id, after):
                yield frames
        except LogLost as error:
            log.info("stream_ends_from_row", run_id=run_id, reason=str(error))
            with suppress(NotFound):  # a rollback deletes the run
                yield await self._ending(await self._runs.get(run_id))

    async def last_known(self, record: Record) -> Record:
        """Return the run as it is now; after a rollback, which deletes it, as it was."""
        try:
            return await self._runs.get(record.run.run_id)
        except NotFound:
            return record

    async def _ending(self, record: Record) -> list[Frame]:
        """What is known of a run's stream once its log is gone, as frames behind all that were in it."""
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
        except Exception as error:  # as in an attempt: feedback in trouble costs nobody the run's answer
            log.warning("feedback_urls_not_minted", run_id=record.run.run_id, error=type(error).__name__)
            return None


async def _classic(log: AsyncIterator[list[Frame]]) -> AsyncIterator[list[Frame]]:
    """The log as the older routes show it: of the events of version 2 only those that they have, too."""
    async for frames in log:
        if shown := [classic for one in frames if (classic := as_classic(one)) is not None]:
            yield shown


_PAST_ALL = 10**9
"""The frame number of events that were never in a log: after all that were."""
LAST = _PAST_ALL + 1
"""The frame number of what is said of a run once all its events are: nothing of the run comes after it."""


def position(last_event_id: str | None) -> FrameId:
    """Where a `Last-Event-ID` header says that its sender stopped reading; without one, before the first event."""
    try:
        return FrameId.parse(last_event_id or "")
    except ValueError:
        raise Invalid(
            f"Last-Event-ID {last_event_id!r} is not an event id of this server: send the `id` of the last event that "
            "was received, such as 1-42, or -1 for all events"
        ) from None


def modes_in(query: Sequence[str], parameter: str = "stream_mode") -> list[str]:
    """The stream modes (or other names) that the values of a query parameter are; `Invalid` for a list without end.

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


def _wanted(event: str, modes: Sequence[str]) -> bool:
    if not modes or event in ALWAYS_SENT:
        return True
    name = event.split("|")[0]
    return (
        name in modes
        or (name == "messages" and "messages-tuple" in modes)
        or (name.startswith("messages/") and "messages" in modes)
    )


CHUNK_BYTES = 256 * 1024
"""About how much of a stream is handed to a connection at once: a client that is far behind costs no more memory."""


def chunks(frames: Iterable[bytes]) -> Iterator[bytes]:
    """The frames, joined, but no more of them than `CHUNK_BYTES` takes (or one, if it is larger)."""
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


def _answer(record: Record, urls: dict[str, str] | None) -> bytes:
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
