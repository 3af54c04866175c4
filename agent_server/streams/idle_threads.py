"""Poll the database once for all waiting thread streams, and wake those with pending news.

The thread's channel wakes a stream. Polling covers what sends no notification: runs whose start time has come, and
changes by other processes without a common broker. Without this, each stream would poll once a second. Streams of
threads that do not exist yet wait for their creation in the same way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Iterable, Sequence
from contextlib import suppress
from typing import cast

import anyio

from agent_server.broker import Subscription
from agent_server.database import Connection, Database, Row
from agent_server.errors import AgentServerError

LOOK_SECONDS = 1.0
AT_ONCE = 500
"""The most threads in one statement."""
_OVERLAP = 2_000_000
"""Microseconds by which polls overlap: for rows of transactions that were not yet committed at the previous poll."""


Waits = defaultdict[str, list[Subscription]]


class IdleThreads:
    """The waiting streams, by thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
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
                    await self.look()
        self._looking = None

    def stop(self) -> None:
        """Stop polling."""
        if self._looking is not None:
            self._looking.cancel()

    async def look(self) -> None:
        """Poll once, and wake the streams of all threads that may have news."""
        since = self._since
        for some in _parts(list(self._for_news)):
            now, news = await self._database.read(lambda c, some=some: _find_news(c, some, since))  # type: ignore[misc]
            self._since = now - _OVERLAP
            _wake(self._for_news, news)
        for some in _parts(list(self._for_creation)):
            _wake(self._for_creation, await self._database.read(lambda c, some=some: _find_existing(c, some)))  # type: ignore[misc]

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


def _find_existing(connection: Connection, thread_ids: Sequence[str]) -> set[str]:
    named = {f"id_{number}": thread_id for number, thread_id in enumerate(thread_ids)}
    ids = ", ".join(f":{name}" for name in named)
    rows = connection.all(f"SELECT thread_id FROM threads WHERE thread_id IN ({ids})", **named)
    return {row["thread_id"] for row in rows}


def _find_news(connection: Connection, thread_ids: Sequence[str], since: int) -> tuple[int, set[str]]:
    """Return the time, and the threads that are deleted, or have runs or updates that may not have been sent."""
    named = {f"id_{number}": thread_id for number, thread_id in enumerate(thread_ids)}
    ids = ", ".join(f":{name}" for name in named)
    now = cast(Row, connection.one("SELECT now_us() AS now"))["now"]
    changed = connection.all(
        f"""SELECT thread_id FROM runs WHERE thread_id IN ({ids}) AND (status = 'running'
            OR (status = 'pending' AND start_at <= now_us()) OR updated_at >= :since)
        UNION SELECT thread_id FROM state_updates WHERE thread_id IN ({ids}) AND made_at >= :since""",
        since=since,
        **named,
    )
    gone = set(thread_ids) - _find_existing(connection, thread_ids)
    return int(now), {row["thread_id"] for row in changed} | gone
