"""A changed clock starts no run twice and leaves none waiting, over both databases."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from agent_server.runs.clock_watch import ClockWatch
from tests.agent_server.backend import Backend, open_backend, until

SetClock = Callable[[Backend, int], Awaitable[None]]

_SHIFTED = """
CREATE OR REPLACE FUNCTION now_us() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint + 1000000 * ({seconds})::bigint'"""


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Return a function that sets the database's clock to so many seconds from the true time."""
    true_time = time.time_ns

    async def set_by(backend: Backend, seconds: int) -> None:
        if backend.database.dialect == "sqlite":
            monkeypatch.setattr(time, "time_ns", lambda: true_time() + seconds * 1_000_000_000)
        else:
            await backend.database.write(lambda c: c.execute(_SHIFTED.format(seconds=seconds)))

    return set_by


class Nodes:
    """An agent that works until it is released, and counts how many work at once."""

    def __init__(self) -> None:
        self.at_work = 0
        self.most = 0
        self.released = anyio.Event()

    async def agent(self, _given: Any) -> AsyncGenerator[str | dict[str, Any], None]:
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            await self.released.wait()
            yield {"n": 1}
        finally:
            self.at_work -= 1


@pytest.mark.parametrize("seconds", [60, 3600, -60, -3600])
async def test_clock_step_starts_no_run_twice(database_url: str, set_clock: SetClock, seconds: int) -> None:
    nodes = Nodes()
    async with (
        open_backend(database_url, {"agent": nodes.agent}) as backend,
        backend.worker(lease_seconds=3),
        backend.worker(lease_seconds=3),
    ):
        runs = [await backend.run(await backend.thread()) for _ in range(4)]
        queued = await backend.run(runs[0].thread_id)
        await until(lambda: nodes.at_work == len(runs))
        await anyio.sleep(0.2)
        with capture_logs() as logs:
            await set_clock(backend, seconds)
            await backend.broker.notify("runs")  # as on a busy server, where workers read the queue all the time
            await until(lambda: sum(one["event"] == "clock_was_set" for one in logs) == 2)
        await anyio.sleep(1.2)
        assert nodes.most == len(runs)
        later = await backend.run(None, after_seconds=0.1)
        nodes.released.set()
        for run in [*runs, queued, later]:
            await backend.events(run.run_id)
            assert (await backend.row(run.run_id) or {"attempt": 1})["attempt"] == 1
        assert await backend.status(queued.run_id) == "success"


async def test_run_broken_before_a_clock_step_is_resumed(database_url: str, set_clock: SetClock) -> None:
    nodes = Nodes()
    nodes.released.set()
    async with open_backend(database_url, {"agent": nodes.agent}) as backend:
        run = await backend.run(await backend.thread())
        await backend.claim_one(lease_seconds=0.2)
        await set_clock(backend, -3600)
        async with backend.worker(lease_seconds=0.2):
            await backend.events(run.run_id)
        assert (await backend.row(run.run_id) or {})["attempt"] == 2


async def test_slow_answer_is_no_clock_step(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_backend(database_url) as backend:
        watch = ClockWatch(backend.runs, 30)
        now = backend.runs.read_clock
        assert await watch.look()

        async def slow() -> float:
            at = await now()
            await anyio.sleep(0.8)
            return at

        monkeypatch.setattr(backend.runs, "read_clock", slow)
        monkeypatch.setattr("agent_server.runs.clock_watch.LOOK_SECONDS", 0.0)
        with capture_logs() as logs:
            await anyio.sleep(1)
            assert await watch.look()
            assert await watch.look()
        assert not logs
