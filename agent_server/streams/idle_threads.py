"""Poll the database once for all waiting thread streams, and wake those with pending news.

The thread's channel wakes a stream. Polling covers what sends no notification: runs whose start time has come, and
changes by other processes without a common broker. Without this, each stream would poll once a second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
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
_PATIENCE = 3600.0


class IdleThreads:
    """The waiting streams, by thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waits: defaultdict[str, set[anyio.CancelScope]] = defaultdict(set)
        self._looking: anyio.CancelScope | None = None
        self._since = 0

    async def wait(self, thread_id: str, bell: Subscription) -> None:
        """Return when the thread may have news: on a notification, or when a poll finds some."""
        if self._looking is None:  # `serve` is not running
            await bell.wait(LOOK_SECONDS)
            return
        with anyio.CancelScope() as scope:
            self._waits[thread_id].add(scope)
            try:
                await bell.wait(_PATIENCE)
            finally:
                self._forget(thread_id, scope)

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
        waiting, since = list(self._waits), self._since
        for at in range(0, len(waiting), AT_ONCE):
            some = waiting[at : at + AT_ONCE]
            now, news = await self._database.read(lambda c, some=some: _with_news(c, some, since))  # type: ignore[misc]
            self._since = now - _OVERLAP
            for thread_id in news:
                for scope in list(self._waits.get(thread_id, ())):
                    scope.cancel()

    def _forget(self, thread_id: str, scope: anyio.CancelScope) -> None:
        self._waits[thread_id].discard(scope)
        if not self._waits[thread_id]:
            del self._waits[thread_id]


def _with_news(connection: Connection, thread_ids: Sequence[str], since: int) -> tuple[int, set[str]]:
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
    there = connection.all(f"SELECT thread_id FROM threads WHERE thread_id IN ({ids})", **named)
    gone = set(thread_ids) - {row["thread_id"] for row in there}
    return int(now), {row["thread_id"] for row in changed} | gone
