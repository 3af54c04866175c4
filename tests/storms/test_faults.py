"""Real processes over PostgreSQL and Redis under kill -9, SIGSTOP, restarts of both databases and clocks that are set.

The promises: no acknowledged run is lost; no run works twice at once; no finished state is rolled back; an attempt
repeats at most one step beside the active one (with `durability="exit"` all of them), so at most one step's events come
twice for each fault; a `gap` event announces every hole in a stream.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from msgspec import Struct

from tests.agent_server.backend import until
from tests.clients.server_process import ServerProcess
from tests.databases import postgres_folder
from tests.seams.postgres_process import PostgresProcess
from tests.seams.redis_process import RedisProcess
from tests.storms.journal import begun_by_lost_attempts, repeats, spans

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

GRAPHS = Path(__file__).parent / "langgraph.json"
LEASE_SECONDS = 4
Start = Callable[..., ServerProcess]


@pytest.fixture
def own_redis() -> Iterator[RedisProcess]:
    """Start a Redis that the test may stop."""
    with tempfile.TemporaryDirectory(prefix="redis-") as directory, RedisProcess(Path(directory)) as server:
        yield server


@pytest.fixture
def start(tmp_path: Path, postgres_url: str) -> Iterator[Start]:
    """Return a function that starts servers on one PostgreSQL database."""
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
    """Runs on a thread each, each started at one server."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.runs: list[tuple[str, str]] = []

    def begin(self, count: int, **body: Any) -> None:
        with httpx.Client(base_url=self.server.url, timeout=30) as http:
            for _ in range(count):
                thread_id = http.post("/threads", json={}).json()["thread_id"]
                self.runs.append((thread_id, http.post(f"/threads/{thread_id}/runs", json=body).json()["run_id"]))


def wait_for_end(server: ServerProcess, runs: list[tuple[str, str]], seconds: float = 90) -> list[str]:
    """Wait until all runs have ended and return their statuses."""
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
    with ServerProcess(GRAPHS, tmp_path / "server", **settable_clock(tmp_path, offset)) as server:
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


def settable_clock(folder: Path, offset: Path) -> dict[str, str]:
    """Return the environment of a process whose clock is off by the seconds in the file `offset`."""
    offset.write_text("0")
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(_CLOCK)
    return {"CLOCK_OFFSET": str(offset), "PYTHONPATH": f"{site}:{Path(__file__).parents[2]}"}


_CLOCK = """
import os, time
def _read(real, unit):
    return lambda: real() + type(real())(float(open(os.environ["CLOCK_OFFSET"]).read() or 0) * unit)
time.time, time.time_ns = _read(time.time, 1), _read(time.time_ns, 1_000_000_000)
"""


class Storm:
    """Three servers with one PostgreSQL and one Redis, and the faults that hit them."""

    def __init__(self, start: Start, folder: Path, postgres: PostgresProcess, redis: RedisProcess) -> None:
        self.over = asyncio.Event()
        self.journal = folder / "journal"
        self.journal.touch()
        self._chance = random.Random()
        self._postgres, self._redis = postgres, redis
        self.servers: list[ServerProcess] = []
        self._clocks: list[Path] = []
        for number in range(3):
            self._clocks.append(folder / f"offset-{number}")
            environ = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url, "AGENT_SERVER_MAX_RESCUES": "50"}
            self.servers.append(start(**environ, **settable_clock(folder, self._clocks[-1])))

    @property
    def faults(self) -> list[Callable[[], None]]:
        """Return the faults in a random order that a failure prints."""
        several = [self.kill, self.kill, self.freeze, self.freeze, self.restart_redis, self._redis.empty]
        several += [self.restart_postgres, self.crash_postgres, self.set_clock_forward, self.set_clock_back]
        self._chance.shuffle(several)
        print("faults:", [fault.__name__ for fault in several])
        return several

    def explain(self, thread_id: str, run_id: str) -> None:
        """Print everything that is known of a run."""
        with httpx.Client(base_url=self.servers[0].url, timeout=30) as http:
            for one in http.get(f"/threads/{thread_id}/history?limit=100").json():
                print("state:", one["created_at"], one["metadata"], one["values"].get("done"), one["next"])
            print("run:", http.get(f"/threads/{thread_id}/runs/{run_id}").json())
            print("thread:", http.get(f"/threads/{thread_id}").json()["values"])
        print("spans:", spans(self.journal).get(run_id))
        for number, server in enumerate(self.servers):
            for line in server.log().splitlines():
                if run_id in line or "postgres" in line.lower():
                    print("log of server", number, line[:300])

    def kill(self) -> None:
        server = self._chance.choice(self.servers)
        server.kill()
        server.start()

    def freeze(self) -> None:
        server = self._chance.choice(self.servers)
        server.freeze()
        time.sleep(LEASE_SECONDS + 1)
        server.thaw()

    def restart_redis(self) -> None:
        self._redis.stop()
        time.sleep(1)
        self._redis.start()

    def restart_postgres(self) -> None:
        self._postgres.restart("fast")

    def crash_postgres(self) -> None:
        self._postgres.restart("immediate")

    def set_clock_forward(self) -> None:
        self._chance.choice(self._clocks).write_text("60")

    def set_clock_back(self) -> None:
        self._chance.choice(self._clocks).write_text("-60")


class Seen(Struct):
    """A run that a server acknowledged, and the parts of its streams that its client received."""

    thread_id: str
    total: int
    parts: list[Any] = []

    def steps(self) -> Counter[int]:
        """Count the events of each step."""
        updates = [part.data for part in self.parts if part.event == "updates"]
        return Counter(number for data in updates for number in (data.get("step") or {}).get("done", []))

    def doubled(self) -> int:
        return sum(count - 1 for count in self.steps().values())

    def attempts(self) -> int:
        return max((part.data["attempt"] for part in self.parts if part.event == "metadata"), default=1)

    def has_silent_hole(self) -> bool:
        has_gap = any(part.event == "gap" for part in self.parts)
        return not has_gap and set(self.steps()) != set(range(self.total))


@pytest.fixture
def own_postgres() -> Iterator[PostgresProcess]:
    """Start a PostgreSQL that the test may restart."""
    with postgres_folder() as folder:
        server = PostgresProcess(folder)
        yield server
        server.close()


@pytest.mark.parametrize("durability", ["async", "sync", "exit"])
async def test_storm_of_faults_loses_and_doubles_nothing(
    start: Start, tmp_path: Path, own_postgres: PostgresProcess, own_redis: RedisProcess, durability: str
) -> None:
    storm = await asyncio.to_thread(Storm, start, tmp_path, own_postgres, own_redis)
    runs: dict[str, Seen] = {}
    clients = [asyncio.create_task(_client(number, storm, durability, runs)) for number in range(6)]
    for fault in storm.faults:
        await asyncio.sleep(3)
        await asyncio.to_thread(fault)
    storm.over.set()
    await asyncio.gather(*clients)
    everything = [(seen.thread_id, run_id) for run_id, seen in runs.items()]
    statuses = await asyncio.to_thread(wait_for_end, storm.servers[0], everything)
    print("runs:", len(runs), "attempts:", sum(seen.attempts() for seen in runs.values()))
    print("repeated steps:", sum(map(sum, repeats(storm.journal).values())))
    print("doubled events:", sum(seen.doubled() for seen in runs.values()))
    print("streams with a gap:", sum(any(part.event == "gap" for part in seen.parts) for seen in runs.values()))
    assert set(statuses) == {"success"}, statuses
    found = await asyncio.to_thread(states, storm.servers[0], everything)
    silent = [run_id for run_id, seen in runs.items() if seen.has_silent_hole()]
    wrong = [
        run_id for (run_id, seen), (done, _) in zip(runs.items(), found, strict=True) if done != [*range(seen.total)]
    ]
    for run_id in {*wrong, *silent}:
        storm.explain(runs[run_id].thread_id, run_id)
        print("parts:", [(part.id, part.event, part.data) for part in runs[run_id].parts])
    assert (wrong, silent) == ([], [])
    assert begun_by_lost_attempts(storm.journal) == []
    if durability != "exit":  # with "exit" an attempt repeats the whole run
        assert max((max(each) for each in repeats(storm.journal).values() if each), default=0) <= 2
        assert [run_id for run_id, seen in runs.items() if seen.doubled() > seen.attempts() - 1] == []


async def _client(number: int, storm: Storm, durability: Any, runs: dict[str, Seen]) -> None:
    """Start runs and follow them to their ends, as a program with retries does."""
    chance = random.Random(number)
    while not storm.over.is_set():
        seen, run_id = Seen("", chance.randint(3, 8)), ""
        body = {**given(storm.journal, seen.total, chance.uniform(0.05, 0.4)), "durability": durability}

        def created(meta: Any, seen: Seen = seen) -> None:
            nonlocal run_id
            run_id = meta["run_id"]
            runs[run_id] = seen

        with suppress(httpx.HTTPError, ConnectionError):
            async with get_client(url=chance.choice(storm.servers).url, timeout=20) as client:
                seen.thread_id = (await client.threads.create())["thread_id"]
                if chance.random() < 0.5:
                    created(await client.runs.create(seen.thread_id, **body, stream_mode="updates"))
                else:
                    stream = client.runs.stream(seen.thread_id, **body, stream_mode="updates", on_run_created=created)
                    async for part in stream:
                        seen.parts.append(part)
                    continue
        if run_id:
            await _follow(storm.servers, run_id, seen, chance)


async def _follow(servers: list[ServerProcess], run_id: str, seen: Seen, chance: random.Random) -> None:
    give_up_at = time.monotonic() + 90
    while time.monotonic() < give_up_at:
        last = next((part.id for part in reversed(seen.parts) if part.id), "-1")
        with suppress(httpx.HTTPError, ConnectionError):
            async with get_client(url=chance.choice(servers).url, timeout=20) as client:
                stream = client.runs.join_stream(seen.thread_id, run_id, stream_mode="updates", last_event_id=last)
                async for part in stream:
                    seen.parts.append(part)
                return
        await asyncio.sleep(0.3)


def _wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    asyncio.run(until(true, seconds))
