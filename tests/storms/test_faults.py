"""Real processes over PostgreSQL and Redis under kill -9, SIGSTOP, a lost Redis and a clock that is set.

Promised: no acknowledged run is lost, none works twice at once, no finished state is rolled back, and an attempt
repeats at most one step beside the one at work.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client

from tests.agent_server.backend import until
from tests.clients.server_process import ServerProcess
from tests.seams.redis_process import RedisProcess
from tests.storms.journal import begun_by_lost_attempts, repeats, spans

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

GRAPHS = Path(__file__).parent / "langgraph.json"
LEASE_SECONDS = 4
Start = Callable[..., ServerProcess]


@pytest.fixture
def own_redis() -> Iterator[RedisProcess]:
    """A Redis that the test may stop."""
    with tempfile.TemporaryDirectory(prefix="redis-") as directory, RedisProcess(Path(directory)) as server:
        yield server


@pytest.fixture
def start(tmp_path: Path, postgres_url: str) -> Iterator[Start]:
    """Starts servers on the one PostgreSQL database."""
    servers: list[ServerProcess] = []

    def started(**environ: str) -> ServerProcess:
        shared = {"DATABASE_URL": postgres_url, "AGENT_SERVER_LEASE_SECONDS": str(LEASE_SECONDS), **environ}
        server = ServerProcess(GRAPHS, tmp_path / f"server-{len(servers)}", **shared)
        servers.append(server)
        server.start()
        return server

    yield started
    for server in servers:
        server.reap()


def given(journal: Path, total: int, pause: float, **more: Any) -> dict[str, Any]:
    return {"assistant_id": "steps", "input": {"journal": str(journal), "total": total, "pause": pause, **more}}


class Threads:
    """Runs on threads of their own, each begun at one server."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.runs: list[tuple[str, str]] = []

    def begin(self, count: int, **body: Any) -> None:
        with httpx.Client(base_url=self.server.url, timeout=30) as http:
            for _ in range(count):
                thread_id = http.post("/threads", json={}).json()["thread_id"]
                self.runs.append((thread_id, http.post(f"/threads/{thread_id}/runs", json=body).json()["run_id"]))


def wait_for_end(server: ServerProcess, runs: list[tuple[str, str]], seconds: float = 90) -> list[str]:
    """Wait until all runs have ended. Returns their statuses."""
    give_up_at = time.monotonic() + seconds
    with httpx.Client(base_url=server.url, timeout=30) as http:
        while True:
            statuses = [http.get(f"/threads/{thread}/runs/{run}").json()["status"] for thread, run in runs]
            if not {"pending", "running"} & set(statuses) or time.monotonic() > give_up_at:
                return statuses
            time.sleep(0.3)


def states(server: ServerProcess, runs: list[tuple[str, str]]) -> list[tuple[list[int], str]]:
    with httpx.Client(base_url=server.url, timeout=30) as http:
        found = [http.get(f"/threads/{thread}/state").json() for thread, _ in runs]
    return [(one["values"]["done"], one["checkpoint"]["checkpoint_id"]) for one in found]


@pytest.mark.parametrize("durability", ["async", "sync", "exit"])
def test_woken_process_changes_nothing(start: Start, tmp_path: Path, own_redis: RedisProcess, durability: str) -> None:
    journal = tmp_path / "journal"
    frozen = start(REDIS_URL=own_redis.url)
    threads = Threads(frozen)
    threads.begin(4, **given(journal, 3, 1.0), durability=durability)
    _wait_until(lambda: journal.exists() and len(spans(journal)) == 4)
    frozen.freeze()
    other = start(REDIS_URL=own_redis.url)
    assert wait_for_end(other, threads.runs) == ["success"] * 4
    second = Threads(other)
    with httpx.Client(base_url=other.url, timeout=30) as http:
        for thread_id, _ in threads.runs[:2]:
            http.post(f"/threads/{thread_id}/runs/wait", json=given(journal, 5, 0.01))
    before = states(other, threads.runs)
    frozen.thaw()
    time.sleep(LEASE_SECONDS + 2)
    assert states(other, threads.runs) == before
    assert [done for done, _ in before] == [[*range(5)]] * 2 + [[*range(3)]] * 2
    assert begun_by_lost_attempts(journal) == []
    assert second.runs == []


def test_blocked_event_loop_rolls_nothing_back(start: Start, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    blocked = start()
    threads = Threads(blocked)
    threads.begin(3, **given(journal, 3, 0.05, block=LEASE_SECONDS + 2))
    other = start()
    assert wait_for_end(other, threads.runs) == ["success"] * 3
    with httpx.Client(base_url=other.url, timeout=30) as http:
        for thread_id, _ in threads.runs:
            http.post(f"/threads/{thread_id}/runs/wait", json=given(journal, 5, 0.01))
    before = states(other, threads.runs)
    time.sleep(3 * (LEASE_SECONDS + 2))
    assert states(other, threads.runs) == before
    assert [done for done, _ in before] == [[*range(5)]] * 3


@pytest.mark.parametrize("seconds", [60, 3600, -60, -3600])
def test_set_clock_on_sqlite_starts_nothing_twice(tmp_path: Path, seconds: int) -> None:
    journal, offset = tmp_path / "journal", tmp_path / "offset"
    offset.write_text("0")
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_CLOCK)
    path = f"{site}:{Path(__file__).parents[2]}"
    with ServerProcess(GRAPHS, tmp_path / "server", CLOCK_OFFSET=str(offset), PYTHONPATH=path) as server:
        threads = Threads(server)
        threads.begin(6, **given(journal, 8, 0.5))
        with httpx.Client(base_url=server.url, timeout=30) as http:
            thread_id = threads.runs[0][0]
            queued = http.post(f"/threads/{thread_id}/runs", json=given(journal, 9, 0.01)).json()["run_id"]
        _wait_until(lambda: journal.exists() and len(spans(journal)) == 6)
        offset.write_text(str(seconds))
        threads.begin(1, **given(journal, 2, 0.01))
        assert wait_for_end(server, [*threads.runs, (thread_id, queued)], 40) == ["success"] * 8
        assert all(span.attempt == 1 for each in spans(journal).values() for span in each)
        assert [done for done, _ in states(server, threads.runs[1:])] == [[*range(8)]] * 5 + [[0, 1]]


_CLOCK = """
import os, time
def _read(real, unit):
    return lambda: real() + type(real())(float(open(os.environ["CLOCK_OFFSET"]).read() or 0) * unit)
time.time, time.time_ns = _read(time.time, 1), _read(time.time_ns, 1_000_000_000)
"""


async def test_storm_of_faults_loses_and_doubles_nothing(start: Start, tmp_path: Path, own_redis: RedisProcess) -> None:
    journal = tmp_path / "journal"
    journal.touch()
    servers = [await asyncio.to_thread(start, REDIS_URL=own_redis.url) for _ in range(3)]
    runs: dict[str, tuple[str, int]] = {}
    streams: dict[str, list[Any]] = {}
    storm = asyncio.Event()
    clients = [asyncio.create_task(_client(number, servers, journal, storm, runs, streams)) for number in range(6)]
    for fault in _faults(servers, own_redis):
        await asyncio.sleep(3)
        await asyncio.to_thread(fault)
    storm.set()
    await asyncio.gather(*clients)
    everything = [(thread_id, run_id) for run_id, (thread_id, _) in runs.items()]
    statuses = await asyncio.to_thread(wait_for_end, servers[0], everything)
    assert set(statuses) == {"success"}, statuses
    found = await asyncio.to_thread(states, servers[0], everything)
    assert [done for done, _ in found] == [[*range(total)] for _, total in runs.values()]
    assert begun_by_lost_attempts(journal) == []
    assert max((max(each) for each in repeats(journal).values() if each), default=0) <= 2
    for run_id, parts in streams.items():
        seen = [n for part in parts if part.event == "updates" for n in (part.data.get("step") or {}).get("done", [])]
        told = any(part.event == "gap" for part in parts)
        missing = set(range(runs[run_id][1])) - set(seen)
        assert told or not missing, (run_id, missing)


def _faults(servers: list[ServerProcess], redis: RedisProcess) -> list[Callable[[], None]]:
    """The faults of the storm, in an order of their own each time that is printed with a failure."""
    chance = random.Random()

    def kill() -> None:
        server = chance.choice(servers)
        server.kill()
        server.start()

    def freeze() -> None:
        server = chance.choice(servers)
        server.freeze()
        time.sleep(LEASE_SECONDS + 1)
        server.thaw()

    def restart_redis() -> None:
        redis.stop()
        time.sleep(1)
        redis.start()

    faults = [kill, kill, freeze, freeze, restart_redis, redis.empty]
    chance.shuffle(faults)
    print("faults:", [fault.__name__ for fault in faults])
    return faults


async def _client(
    number: int,
    servers: list[ServerProcess],
    journal: Path,
    storm: asyncio.Event,
    runs: dict[str, tuple[str, int]],
    streams: dict[str, list[Any]],
) -> None:
    """Start runs and follow them to their ends, as a program does that does not give up."""
    chance = random.Random(number)
    while not storm.is_set():
        total = chance.randint(3, 8)
        run_id = ""
        with suppress(httpx.HTTPError, ConnectionError):
            async with get_client(url=chance.choice(servers).url, timeout=20) as client:
                thread_id = (await client.threads.create())["thread_id"]
                body = given(journal, total, chance.uniform(0.05, 0.4))
                run_id = (await client.runs.create(thread_id, **body, stream_mode="updates"))["run_id"]
                runs[run_id] = (thread_id, total)
        if run_id:
            streams[run_id] = [part async for part in _follow(servers, thread_id, run_id, chance)]


async def _follow(
    servers: list[ServerProcess], thread_id: str, run_id: str, chance: random.Random
) -> AsyncIterator[Any]:
    last = "-1"
    give_up_at = time.monotonic() + 90
    while time.monotonic() < give_up_at:
        try:
            async with get_client(url=chance.choice(servers).url, timeout=20) as client:
                async for part in client.runs.join_stream(thread_id, run_id, stream_mode="updates", last_event_id=last):
                    last = part.id or last
                    yield part
            return
        except (httpx.HTTPError, ConnectionError):
            await asyncio.sleep(0.3)


def _wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    asyncio.run(until(true, seconds))
