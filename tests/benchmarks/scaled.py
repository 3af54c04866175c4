"""Runs over PostgreSQL and Redis: their cost beside SQLite, and how many a second several processes finish."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter

from tests.benchmarks.amounts import Amounts
from tests.benchmarks.databases import Postgres, postgres_server, redis_server, tree_cpu
from tests.benchmarks.processes import Server, agent_server
from tests.benchmarks.sides import CLIENTS, Side, concurrent, sequential, stateless_run, thread_run
from tests.benchmarks.table import grid, in_rounds, medians, number
from tests.benchmarks.wire import Connection
from tests.seams.redis_process import RedisProcess

ROWS = (
    ("run on a new thread: first event, p50", "ms", "thread first p50"),
    ("run on a new thread: server CPU", "ms", "thread cpu"),
    ("32 clients, stateless: runs a second", "/s", "stateless32 rate"),
    ("32 clients, stateless: server CPU a run", "ms", "stateless32 cpu"),
    ("32 clients, new threads: runs a second", "/s", "thread32 rate"),
    ("32 clients, new threads: server CPU a run", "ms", "thread32 cpu"),
)


async def databases_table(amounts: Amounts) -> str:
    """Measure one process on SQLite, on PostgreSQL, and on PostgreSQL with Redis, in turns."""
    async with AsyncExitStack() as stack:
        postgres, redis = stack.enter_context(postgres_server()), stack.enter_context(redis_server())
        urls = {"SQLite": (None, None), "PostgreSQL": (postgres.new_url(), None)}
        urls["PostgreSQL + Redis"] = (postgres.new_url(), redis.url)
        sides: list[Side] = []
        for name, (database_url, redis_url) in urls.items():
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agent-server-bench-")))
            server = await stack.enter_async_context(agent_server(directory, database_url, redis_url))
            sides += [
                sequential(f"{name} thread", server, amounts.runs // 2, thread_run),
                concurrent(f"{name} stateless32", server, max(1, amounts.runs_a_client // 2), stateless_run),
                concurrent(f"{name} thread32", server, max(1, amounts.runs_a_client // 2), thread_run),
            ]
        figures = medians(await in_rounds(sides, amounts.slow_rounds))
    rows = [("measured", "", *urls)]
    rows += [(label, unit, *(number(figures[f"{name} {row}"]) for name in urls)) for label, unit, row in ROWS]
    return grid(rows)


async def processes_table(amounts: Amounts) -> str:
    """Measure runs a second on new threads of several processes over PostgreSQL and Redis, and the CPU of each part."""
    rows = [("processes", "runs a second", "CPU a run: servers", "PostgreSQL", "Redis", "all", "cores busy")]
    async with AsyncExitStack() as stack:
        postgres, redis = stack.enter_context(postgres_server()), stack.enter_context(redis_server())
        url, servers = postgres.new_url(), []
        for count in amounts.processes:
            while len(servers) < count:
                directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agent-server-bench-")))
                servers.append(await stack.enter_async_context(agent_server(directory, url, redis.url)))
            await _load(servers, 1.0)  # warms up
            rows.append(await _measured(servers, postgres, redis, amounts.load_seconds))
    return grid(rows) + "\n(the clients are on the same machine and take part of its cores; CPU a run in ms)"


async def _measured(
    servers: Sequence[Server], postgres: Postgres, redis: RedisProcess, seconds: float
) -> tuple[str, ...]:
    def used() -> list[float]:
        return [sum(server.cpu() for server in servers), postgres.cpu(), tree_cpu(redis.pid)]

    before, began = used(), perf_counter()
    runs = await _load(servers, seconds)
    wall = perf_counter() - began
    spent = [after - start for after, start in zip(used(), before, strict=True)]
    parts = [number(one * 1000 / runs) for one in (*spent, sum(spent))]
    return (str(len(servers)), number(runs / wall), *parts, number(sum(spent) / wall))


async def _load(servers: Sequence[Server], seconds: float) -> int:
    """Return how many runs on new threads the clients finish; they are spread over the servers."""
    until = perf_counter() + seconds
    counts = await asyncio.gather(*(_client(servers[at % len(servers)], until) for at in range(CLIENTS)))
    return sum(counts)


async def _client(server: Server, until: float) -> int:
    connection, count = await Connection.open(server.port), 0
    while perf_counter() < until or not count:
        await thread_run(connection)
        count += 1
    connection.close()
    return count
