"""Poll the database once for all waiting thread streams, and wake those with pending news.

The thread's channel wakes a stream. Polling covers what sends no notification: runs whose start time has come, and
changes by other processes without a common broker. Without this, each stream would poll once a second. Streams of
threads that do not exist yet wait for their creation in the same way.

Where all changes send notifications, a poll for runs that start soon is enough: it costs the same for any number of
streams. Every fifth poll is of all waiting threads even so, since a notification may be lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple, cast

import anyio

from agent_server.asgi.json_codec import encode
from agent_server.broker import Subscription
from agent_server.database import Connection, Database, Row
from agent_server.errors import AgentServerError

LOOK_SECONDS = 1.0
AT_ONCE = 2000
"""The most threads in one statement."""
FULL_POLL_EVERY = 5
_SOON = 2_000_000
"""Microseconds before its start from which a run starts soon: more than passes until the next poll."""
_OVERLAP = 2_000_000
"""Microseconds by which polls overlap: for rows of transactions that were not yet committed at the previous poll."""


Waits = defaultdict[str, list[Subscription]]


class IdleThreads:
    """The waiting streams, by thread."""

    def __init__(self, database: Database, are_changes_notified: bool = False) -> None:
        """`are_changes_notified` is whether changes by any process notify this one."""
        self._database = database
        self._are_changes_notified = are_changes_notified
        self._polls = 0
        self._starting: list[str] = []
        self._for_news: Waits = defaultdict(list)
        self._for_creation: Waits = defaultdict(list)
        self._looking: anyio.CancelScope | None = None
        self._since = 0

    def wait(self, thread_id: str, notifications: Subscription) -> Awaitable[None]:
        """Return when the thread may have news: on a notification, or when a poll finds some."""
        return self._wait(self._for_news, thread_id, notifications)

    def wait_for_creation(self, thread_id: str, notifications: Subscription) -> Awaitable[None]:
        """Return when the thread may exist: on a notification, or when a poll finds it."""
        return self._wait(self._for_creation, thread_id, notifications)

    async def serve(self) -> None:
        """Poll every second until `stop` is called."""
        with anyio.CancelScope() as self._looking:
            while True:
                await anyio.sleep(LOOK_SECONDS)
                with suppress(AgentServerError):  # the database is unavailable, and logs that itself
                    await self.poll()
        self._looking = None

    def stop(self) -> None:
        """Stop polling."""
        if self._looking is not None:
            self._looking.cancel()

    async def poll(self) -> None:
        """Wake the streams of threads that may have news which sent no notification."""
        self._polls += 1
        if not self._are_changes_notified or self._polls % FULL_POLL_EVERY == 0 or not await self._find_starts():
            await self.look()
        else:
            await self._look_for_creations()

    async def _find_starts(self) -> bool:
        """Wake the streams of threads whose runs start soon, or did since the last call; return whether these are all.

        A run that starts and ends between two polls was about to start at the first.
        """
        starting = await self._database.read(_list_starts) if self._for_news else []
        _wake(self._for_news, {*self._starting, *starting})
        self._starting = starting
        return len(starting) < AT_ONCE

    async def look(self) -> None:
        """Poll for all waiting threads, and wake the streams of those that may have news."""
        since, find = self._since, _FIND[self._database.dialect]
        for some in _parts(list(self._for_news)):
            now, news = await self._database.read(partial(_find_news, sql=find.news, thread_ids=some, since=since))
            self._since = now - _OVERLAP
            _wake(self._for_news, news)
        await self._look_for_creations()

    async def _look_for_creations(self) -> None:
        existing = _FIND[self._database.dialect].existing
        for some in _parts(list(self._for_creation)):
            _wake(self._for_creation, await self._database.read(partial(_list_ids, sql=existing, ids=encode(some))))

    async def _wait(self, waits: Waits, thread_id: str, notifications: Subscription) -> None:
        if self._looking is None:  # `serve` is not running
            await notifications.wait(LOOK_SECONDS)
            return
        waits[thread_id].append(notifications)  # a poll that finds news wakes it as a notification does
        try:
            await notifications.wait()
        finally:
            _forget(waits, thread_id, notifications)


def _parts(thread_ids: list[str]) -> Iterable[list[str]]:
    return (thread_ids[at : at + AT_ONCE] for at in range(0, len(thread_ids), AT_ONCE))


def _wake(waits: Waits, thread_ids: Iterable[str]) -> None:
    for thread_id in thread_ids:
        for one in waits.get(thread_id, ()):
            one.notify()


def _forget(waits: Waits, thread_id: str, notifications: Subscription) -> None:
    waits[thread_id].remove(notifications)
    if not waits[thread_id]:
        del waits[thread_id]


class _Find(NamedTuple):
    """A poll in one dialect. All ids are one parameter: a parameter for each would take most of the poll."""

    news: str
    existing: str


def _build_find(waiting: str) -> _Find:
    """Build the statements. They compare subqueries with NULL, since PostgreSQL may read a whole table for EXISTS."""
    thread = "(SELECT 1 FROM threads WHERE thread_id = id)"
    run = """(SELECT 1 FROM runs WHERE thread_id = id AND (status = 'running'
        OR (status = 'pending' AND start_at <= now_us()) OR updated_at >= :since) LIMIT 1)"""
    update = "(SELECT 1 FROM state_updates WHERE thread_id = id AND made_at >= :since LIMIT 1)"
    select = f"WITH waiting (id) AS ({waiting}) SELECT id FROM waiting WHERE"
    return _Find(
        f"{select} {thread} IS NULL OR {run} IS NOT NULL OR {update} IS NOT NULL", f"{select} {thread} IS NOT NULL"
    )


_FIND = {
    "sqlite": _build_find("SELECT value FROM json_each(:ids)"),
    "postgres": _build_find("SELECT jsonb_array_elements_text(CAST(:ids AS jsonb))"),
}


def _find_news(connection: Connection, sql: str, thread_ids: Sequence[str], since: int) -> tuple[int, list[str]]:
    """Return the time, and the threads that are deleted, or have runs or updates that may not have been sent."""
    now = cast(Row, connection.one("SELECT now_us() AS now"))["now"]
    return int(now), _list_ids(connection, sql, encode(thread_ids), since=since)


def _list_starts(connection: Connection) -> list[str]:
    sql = """SELECT thread_id FROM runs WHERE status = 'pending' AND start_at <= now_us() + :soon
        ORDER BY start_at, run_id LIMIT :limit"""
    return [row["thread_id"] for row in connection.all(sql, soon=_SOON, limit=AT_ONCE)]


def _list_ids(connection: Connection, sql: str, ids: bytes, **parameters: object) -> list[str]:
    return [row["id"] for row in connection.all(sql, ids=ids.decode(), **parameters)]
