"""Fallback for live streams: end those of runs whose row states that they ended.

A log marks its end for its readers. It cannot where the run is active in another process without a common broker, or
where the broker lost the end. So, where several processes may share a database, one query a second reads the rows of
all runs that streams wait for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing, suppress
from functools import partial
from itertools import islice
from typing import TypeVar, cast

import anyio

from agent_server.broker import LogLost
from agent_server.database import Connection, Database
from agent_server.errors import AgentServerError

LOOK_SECONDS = 1.0
"""How often rows are polled, in seconds. A wait ends when two polls find the run ended: logs end just after rows."""
AT_ONCE = 500
"""The most runs in one statement."""

T = TypeVar("T")


class _Wait:
    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.scope = anyio.CancelScope()
        self.ended = False
        """Whether the last poll found the run ended."""


class RunEndWatch:
    """Ends streams that wait for events of runs that have ended."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waits: set[_Wait] = set()
        self._looking: anyio.CancelScope | None = None

    async def watch_chunks(self, run_id: str, chunks: AsyncIterator[T]) -> AsyncIterator[T]:
        """Yield the same chunks. Raises `LogLost` where the run has ended, but neither a chunk nor the end arrives."""
        async with aclosing(cast("AsyncGenerator[T, None]", chunks)):
            while (chunk := await self._read_next(run_id, chunks)) is not None:
                yield chunk

    async def serve(self) -> None:
        """Poll the rows every second until `stop` is called."""
        with anyio.CancelScope() as self._looking:
            while True:
                await anyio.sleep(LOOK_SECONDS)
                with suppress(AgentServerError):  # the database is unavailable; callers that need it report that
                    await self.look()

    def stop(self) -> None:
        """Stop polling."""
        if self._looking is not None:
            self._looking.cancel()

    async def look(self) -> None:
        """Poll once."""
        waits = list(self._waits)
        at_work = await self._find_at_work({wait.run_id for wait in waits})
        for wait in waits:
            if wait.run_id in at_work or wait not in self._waits:
                continue
            if wait.ended:
                wait.scope.cancel()
            wait.ended = True

    async def _read_next(self, run_id: str, chunks: AsyncIterator[T]) -> T | None:
        wait = _Wait(run_id)
        self._waits.add(wait)
        try:
            with wait.scope:
                return await anext(chunks, None)
        finally:
            self._waits.discard(wait)
        raise LogLost(f"run {run_id} has ended, and its log has not")

    async def _find_at_work(self, run_ids: Collection[str]) -> set[str]:
        """Return the runs that have not ended."""
        rest = iter(run_ids)
        found: set[str] = set()
        while some := list(islice(rest, AT_ONCE)):
            found |= await self._database.read(partial(_find_unfinished, run_ids=some))
        return found


def _find_unfinished(connection: Connection, run_ids: Collection[str]) -> set[str]:
    names = {f"id_{number}": run_id for number, run_id in enumerate(run_ids)}
    rows = connection.all(
        f"""SELECT run_id FROM runs WHERE status IN ('pending', 'running')
            AND run_id IN ({", ".join(":" + name for name in names)})""",
        **names,
    )
    return {row["run_id"] for row in rows}
