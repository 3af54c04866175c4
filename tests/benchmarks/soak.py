"""A long mixed load on one server: its memory, file handles, threads and latencies must stay flat.

    python -m tests.benchmarks.soak --minutes 30                 on SQLite
    python -m tests.benchmarks.soak --minutes 30 --postgres      on PostgreSQL and Redis

Clients run stateless runs, runs on threads, streams of 1,000 tokens, submissions, joined streams and cancelled runs.
Every ten seconds a line goes to `build/soak-<database>.csv`, and at the end a plot to the `.svg` beside it. The last
line compares the second quarter of the time with the last. The memory grows for two minutes at first: streams of ended
runs are kept that long.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import mean, quantiles
from time import perf_counter

import psutil
import uvloop

from tests.benchmarks.databases import postgres_server, redis_server
from tests.benchmarks.in_process import KEYS
from tests.benchmarks.processes import ROOT, Server, agent_server
from tests.benchmarks.sides import CHAT_RUN, SUBMISSION, TINY_RUN, stateless_run, thread_run
from tests.benchmarks.wire import Connection

COLUMNS = ("seconds", "memory_mib", "handles", "threads", "cpu_percent", "runs", "p50_ms", "p99_ms", "errors")
PLOTTED = ("memory_mib", "handles", "threads", "p99_ms")
PAUSE = 0.05
"""Seconds between two pieces of work of one client: the load is steady, and below what the server can do."""

Work = Callable[[Connection], Awaitable[object]]


async def _submission(connection: Connection) -> None:
    """Mint a run's URLs and submit to one of them."""
    order = [{"run_id": "00000000-0000-4000-8000-000000000001", "feedback_key": key} for key in KEYS]
    minted = await connection.post("/feedback/tokens", order)
    await connection.post("/feedback/tokens/" + minted[0]["url"].rsplit("/", 1)[-1], SUBMISSION)


async def _tokens(connection: Connection) -> None:
    await connection.stream("/runs/stream", CHAT_RUN)


async def _joined(connection: Connection) -> None:
    """Start a run in the background and read its stream to the end."""
    run = await connection.post("/runs", TINY_RUN)
    await connection.stream(f"/runs/{run['run_id']}/stream", None)


async def _cancelled(connection: Connection) -> None:
    """Start a run that begins later and roll it back."""
    thread = (await connection.post("/threads", {}))["thread_id"]
    await connection.post(f"/threads/{thread}/runs", {**TINY_RUN, "after_seconds": 60})
    await connection.stream(f"/threads/{thread}/runs/stream", {**TINY_RUN, "multitask_strategy": "rollback"})


WORKS: dict[str, tuple[Work, int]] = {
    "stateless": (stateless_run, 4),
    "thread": (thread_run, 4),
    "tokens": (_tokens, 1),
    "submission": (_submission, 4),
    "joined": (_joined, 2),
    "cancelled": (_cancelled, 1),
}
"""Each with its number of clients."""


class Load:
    """The clients, and what they have measured since the last sample."""

    def __init__(self, server: Server, pause: float = PAUSE) -> None:
        self.seconds: list[float] = []
        self.errors = 0
        self._server, self._pause = server, pause

    async def client(self, work: Work) -> None:
        """Repeat the work until cancelled."""
        connection = await Connection.open(self._server.port)
        while True:
            began = perf_counter()
            try:
                await work(connection)
                self.seconds.append(perf_counter() - began)
            except (OSError, EOFError, RuntimeError, TimeoutError):
                self.errors += 1
                connection.close()
                connection = await Connection.open(self._server.port)
            await asyncio.sleep(self._pause)

    def taken(self) -> tuple[list[float], int]:
        """Return what the clients have measured since the last call."""
        seen = (self.seconds, self.errors)
        self.seconds, self.errors = [], 0
        return seen


async def soak(server: Server, seconds: float, every: float, pause: float, file: Path) -> list[dict[str, float]]:
    """Put the mixed load on the server; return the samples, which are also in the CSV file."""
    load, samples, process = Load(server, pause), [], psutil.Process(server.pid)
    clients = [asyncio.create_task(load.client(work)) for work, count in WORKS.values() for _ in range(count)]
    began = perf_counter()
    with file.open("w", newline="") as opened:
        table = csv.DictWriter(opened, COLUMNS)
        table.writeheader()
        while perf_counter() - began < seconds:
            cpu, at = server.cpu(), perf_counter()
            await asyncio.sleep(every)
            share = (server.cpu() - cpu) / (perf_counter() - at) * 100
            samples.append(_sample(process, perf_counter() - began, share, *load.taken()))
            table.writerow(samples[-1])
            opened.flush()
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    return samples


def _sample(
    process: psutil.Process, seconds: float, cpu: float, latencies: list[float], errors: int
) -> dict[str, float]:
    cuts = quantiles(latencies, n=100) if len(latencies) > 1 else [0.0] * 99
    values = (
        seconds,
        process.memory_info().rss / 1024**2,
        process.num_fds(),
        process.num_threads(),
        cpu,
        len(latencies),
        cuts[49] * 1000,
        cuts[98] * 1000,
        errors,
    )
    return {name: round(value, 1) for name, value in zip(COLUMNS, values, strict=True)}


def verdict(samples: Sequence[dict[str, float]]) -> str:
    """Return one line with each plotted figure in the second quarter and in the last."""
    quarter = max(1, len(samples) // 4)
    early, late = samples[quarter : 2 * quarter] or samples[:1], samples[-quarter:]
    parts = [
        f"{name} {mean(one[name] for one in early):.0f} -> {mean(one[name] for one in late):.0f}" for name in PLOTTED
    ]
    return ", ".join([*parts, f"errors {sum(one['errors'] for one in samples):.0f}"])


def plot(samples: Sequence[dict[str, float]], title: str) -> str:
    """Return an SVG image with a curve for each plotted figure, from zero to its largest value."""
    width, height, gap = 720, 90, 34
    parts = [f'<text x="10" y="18" font-weight="bold">{title}</text>']
    for at, name in enumerate(PLOTTED):
        top, largest = 40 + at * (height + gap), max(one[name] for one in samples) or 1
        step = (width - 20) / max(1, len(samples) - 1)
        points = " ".join(
            f"{10 + index * step:.1f},{top + height - one[name] / largest * height:.1f}"
            for index, one in enumerate(samples)
        )
        parts.append(f'<text x="10" y="{top - 5}">{name}, up to {largest:g}</text>')
        parts.append(f'<path d="M10 {top + height} H{width - 10}" stroke="#999"/>')
        parts.append(f'<polyline points="{points}" fill="none" stroke="#1769aa" stroke-width="1.5"/>')
    total = 40 + len(PLOTTED) * (height + gap)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" font-family="sans-serif"'
    return head + ' font-size="13"><rect width="100%" height="100%" fill="white"/>' + "".join(parts) + "</svg>\n"


async def _run(minutes: float, every: float, pause: float, postgres: bool, folder: Path) -> None:
    name = "postgres" if postgres else "sqlite"
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agent-server-soak-")))
        urls: tuple[str | None, str | None] = (None, None)
        if postgres:
            redis = stack.enter_context(redis_server())
            urls = (stack.enter_context(postgres_server()).new_url(), redis.url)
        server = await stack.enter_async_context(agent_server(directory, *urls))
        samples = await soak(server, minutes * 60, every, pause, folder / f"soak-{name}.csv")
    title = (
        f"{minutes:g} minutes of mixed load, {'PostgreSQL and Redis' if postgres else 'SQLite'}, {os.cpu_count()} cores"
    )
    (folder / f"soak-{name}.svg").write_text(plot(samples, title))
    print(f"{title}: {verdict(samples)}")


def main() -> None:
    """Soak and print the verdict."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--every", type=float, default=10, help="seconds between two samples (default: 10)")
    parser.add_argument("--pause", type=float, default=PAUSE, help=f"seconds between two works (default: {PAUSE})")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL and Redis")
    parser.add_argument("--to", type=Path, default=ROOT / "build", help="the folder of the CSV file and the plot")
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    uvloop.run(_run(arguments.minutes, arguments.every, arguments.pause, arguments.postgres, arguments.to))


if __name__ == "__main__":
    main()
