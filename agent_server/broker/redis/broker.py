"""The broker for several processes that share a Redis.

    publish, close --> Ledger (ledger.py)   how much of each log this process wrote; what to trim
          |                |
          v                v
        Pipe (pipe.py) ------------------> Redis   one connection for commands, batched; entries.py has their form
                                             |
    subscribe --> Tail --> Tails (tails.py) <+     one connection that reads the streams with local readers
    notify, listen --> RedisNotifications <--+     one connection for pub/sub (notifications.py)

    Outage (outage.py) logs once when a connection fails and once when all work again.

A process has these three connections, however many clients it serves. Each is re-established when it breaks.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from agent_server.broker.gap import gap
from agent_server.broker.notifications import LocalSubscription
from agent_server.broker.protocol import START, Frame, FrameId, LogLost, SlowSubscriber, unknown_end
from agent_server.broker.redis.entries import END, Batch, complete, frame_id, key
from agent_server.broker.redis.ledger import Ledger, Written
from agent_server.broker.redis.notifications import RedisNotifications
from agent_server.broker.redis.outage import Outage
from agent_server.broker.redis.pipe import RETRY_SECONDS, Pipe, Silent
from agent_server.broker.redis.tails import WINDOW_BYTES, Tail, Tails
from agent_server.config import ConfigError
from agent_server.errors import Unavailable

log = structlog.get_logger("agent_server")

SOCKET_SECONDS = 4.0
"""How long Redis may take to respond. Longer than a blocking read; redis-py's own default is 5 s since 8.0."""
DRAIN_SECONDS = 2.0
"""How long `__aexit__` waits for the last commands."""


class RedisBroker:
    """A `Broker` for any number of processes that share the Redis (6.2 or later, not a cluster) at `url`.

    `keep` is in seconds, the bounds in bytes: of each log, and of all logs that this process writes. Entering it raises
    `ConfigError` if Redis rejects the connection; a Redis that does not respond yet is retried in the background.
    """

    def __init__(
        self, url: str, *, keep: float = 120.0, max_bytes: int = 16 * 1024**2, max_total_bytes: int = 256 * 1024**2
    ) -> None:
        me = uuid.uuid4().hex
        self._outage = Outage()
        self._client = _client(url)
        self._pipe = Pipe(self._client, self._outage)
        self._ledger = Ledger(keep, max_bytes, max_total_bytes)
        self._tails = Tails(self._client, self._pipe, me, min(max_bytes, WINDOW_BYTES), self._outage)
        self._notifications = RedisNotifications(self._client, self._pipe, me, self._outage)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> RedisBroker:
        try:
            await self._client.ping()
        except (RedisError, OSError) as error:
            if isinstance(error.__cause__, RedisError):  # Redis's reply to the connection, such as a wrong password
                await self._client.aclose()
                raise ConfigError(f"REDIS_URL: Redis rejects the connection ({error})") from None
            self._outage.begin("commands", error)
        for name, serve in (
            ("commands", self._pipe.serve),
            ("streams", self._tails.serve),
            ("notifications", self._notifications.serve),
        ):
            self._tasks.append(asyncio.create_task(self._serve_through_outages(name, serve)))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._pipe.settle()
        while at_work := [task for task in self._tasks if not task.done()]:
            for task in at_work:
                task.cancel()  # repeated, since redis-py swallows a cancellation while it connects
            await asyncio.wait(at_work, timeout=0.1)
        await self._client.aclose()

    async def check(self) -> None:
        try:
            async with asyncio.timeout(SOCKET_SECONDS / 2):
                await self._client.ping()
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable(f"Redis does not respond: {error or type(error).__name__}") from error

    async def publish(self, run_id: str, frames: Sequence[Frame]) -> None:
        if not frames:
            return
        log = await self._log(run_id, frames[0].id)
        fresh: list[Frame] = []
        for one in frames:
            if one.id > log.top and not log.closed:
                self._pipe.append(run_id, one, log.top)
                log.top = one.id
                fresh.append(one)
        if fresh and not self._pipe.down:
            for command in self._ledger.add(run_id, fresh, time.monotonic()):
                self._pipe.send(command)
        await self._pipe.wait_for_space()

    async def rescue(self, run_id: str, attempt: int) -> None:
        """Return at once: the log in Redis shows what is lost."""

    async def flush(self) -> None:
        await self._pipe.settle()

    def subscribe(self, run_id: str, after: FrameId = START) -> AsyncIterator[list[Frame]]:
        return self._read(run_id, after)

    async def close(self, run_id: str) -> None:
        log = await self._log(run_id)
        if not log.closed:
            self._pipe.send(complete(run_id, log.top))
            self._pipe.send(self._ledger.close(run_id, time.monotonic()))

    async def holds(self, run_id: str) -> bool:
        try:
            return bool(await self._pipe.request(("EXISTS", key(run_id))))
        except Silent:
            return False

    async def notify(self, channel: str) -> None:
        self._notifications.notify(channel)

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[LocalSubscription]:
        async with self._notifications.listen(channel) as subscription:
            yield subscription

    async def _read(self, run_id: str, after: FrameId) -> AsyncIterator[list[Frame]]:
        tail = Tail(run_id, self._tails, self._pipe)
        cursor, begun = after, False
        try:
            while True:
                news = await tail.wait_for_frames(cursor)
                if news.frames:
                    yield _chunk(run_id, cursor, news, begun)
                    cursor, begun = news.frames[-1].id, True
                if news.end is not None:
                    if news.end > cursor:
                        raise LogLost(f"run {run_id}: the frames from {cursor} to {news.end} are missing")
                    return
        finally:
            tail.close()

    async def _log(self, run_id: str, first: FrameId = END) -> Written:
        """Return what this process knows of the log, to write to it. The first attempt creates it; for any other
        attempt, and for a close, another process may have written to it, so Redis is queried."""
        if log := self._ledger.get(run_id):
            return log
        top = START if first.attempt == 1 else await self._top(run_id)
        if top == START and first != END:
            top = unknown_end(first.attempt)
        log = self._ledger.begin(run_id, top, time.monotonic())
        log.closed = top == END
        return log

    async def _top(self, run_id: str) -> FrameId:
        try:
            newest = await self._pipe.request(("XREVRANGE", key(run_id), "+", "-", "COUNT", 1))
        except Silent:
            return START
        return frame_id(newest[0][0]) if newest else START

    async def _serve_through_outages(self, name: str, serve: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await serve()
            except (RedisError, OSError) as error:
                self._outage.begin(name, error)
            except Exception:  # our own fault; the other connections and all runs must continue
                log.exception("broker_failed", connection=name)
            await asyncio.sleep(RETRY_SECONDS)


def _chunk(run_id: str, cursor: FrameId, news: Batch, begun: bool) -> list[Frame]:
    if news.before <= cursor:
        return list(news.frames)
    if begun:
        raise SlowSubscriber(f"run {run_id}: the frames from {cursor} to {news.before} are no longer stored")
    return [gap(cursor, news.before, news.frames[0].id), *news.frames]


def _client(url: str) -> Any:
    return Redis.from_url(
        url,
        protocol=2,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
        retry=Retry(NoBackoff(), 1),  # once, with a new connection; every command may be repeated
    )
