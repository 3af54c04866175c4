"""Delete threads and runs that may be active: cancel the runs, wait for their ends, then delete.

An agent must not continue for a deleted thread, so nothing is deleted before its worker has stopped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import anyio

from agent_server.access.ownership import Condition
from agent_server.errors import Conflict, NotFound
from agent_server.runs.queue import Runs
from agent_server.schema import Run, RunsCancel
from agent_server.streams.run_streams import RunStreams
from agent_server.threads.states import ThreadStates

STOP_SECONDS = 60.0
"""How long a deletion waits for the runs that it cancels, in seconds: longer than an agent's clean-up may take."""
_ALL = 2**31 - 1


class Deletion:
    """Deletes threads and runs, active or not."""

    def __init__(self, states: ThreadStates, runs: Runs, streams: RunStreams, stop_seconds: float = STOP_SECONDS):
        self._states = states
        self._runs = runs
        self._streams = streams
        self._stop_seconds = stop_seconds

    async def delete_thread(self, thread_id: str) -> None:
        """Delete the thread, its runs and its states, after cancelling active runs.

        Errors: `NotFound`; `Conflict` where a run does not stop in time.
        """
        async with self._refuse_timeout(f"The runs of thread {thread_id}"):
            await self._retry_until_deleted(
                lambda: self._states.delete(thread_id), lambda: self._list_active(thread_id)
            )

    async def delete_threads_of_assistant(self, assistant_id: str, owned: Condition | None = None) -> None:
        """Delete the threads (that meet `owned`) on which the assistant ran last. Errors: as of `delete_thread`."""
        for thread_id in await self._states.list_by_assistant(assistant_id, owned):
            with suppress(NotFound):  # another request deleted it meanwhile
                await self.delete_thread(thread_id)

    async def delete_run(self, run_id: str, thread_id: str) -> None:
        """Delete the run, after cancelling it where it is active. Errors: as of `delete_thread`."""
        run = (await self._runs.get(run_id, thread_id)).run
        async with self._refuse_timeout(f"Run {run.run_id}"):
            await self._retry_until_deleted(lambda: self._runs.delete(run.run_id, thread_id), lambda: _list_only(run))

    async def _retry_until_deleted(
        self, delete: Callable[[], Awaitable[None]], active: Callable[[], Awaitable[list[Run]]]
    ) -> None:
        """Delete; while active runs prevent that, cancel them and retry. More may be created meanwhile."""
        while True:
            try:
                await delete()
                return
            except Conflict:
                if runs := await active():
                    await self._cancel(runs)
                else:
                    await anyio.sleep(0.05)

    async def _list_active(self, thread_id: str) -> list[Run]:
        """Return the thread's active runs."""
        several = [await self._runs.list_by_thread(thread_id, _ALL, 0, status) for status in ("pending", "running")]
        return [run for runs in several for run in runs]

    async def _cancel(self, runs: list[Run]) -> None:
        """Cancel the runs of a thread and wait for their ends."""
        which = RunsCancel(thread_id=runs[0].thread_id, run_ids=[run.run_id for run in runs])
        with suppress(NotFound):  # they have just ended
            await self._runs.cancel_many(which, "interrupt")
        for run in runs:
            with suppress(NotFound):
                await self._streams.wait_for_end(await self._runs.get(run.run_id))

    @asynccontextmanager
    async def _refuse_timeout(self, what: str) -> AsyncIterator[None]:
        with anyio.move_on_after(self._stop_seconds) as waiting:
            yield
        if waiting.cancelled_caught:
            raise Conflict(f"{what} did not stop within {self._stop_seconds:.0f} s; send the request again later")


async def _list_only(run: Run) -> list[Run]:
    return [run]
