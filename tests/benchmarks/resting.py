"""The cost of an idle server: its start, its memory, and its open streams without events."""

from __future__ import annotations

import asyncio
import resource
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import psutil

from tests.benchmarks.amounts import Amounts
from tests.benchmarks.processes import Server, agent_server
from tests.benchmarks.table import grid, number
from tests.benchmarks.wire import Connection, get, request

MIB = 1024**2
AT_ONCE = 50
MOST_FILES = 10_000
OTHER_FILES = 500
"""Files that the server may open beside its connections."""


async def start_table(amounts: Amounts) -> str:
    """Measure the time and the CPU of a start, and the memory of the idle server."""
    walls, cpus, sizes = [], [], []
    for _ in range(amounts.starts):
        with tempfile.TemporaryDirectory(prefix="agent-server-bench-") as folder:
            began = perf_counter()
            async with agent_server(Path(folder)) as server:
                await _ok(server)
                walls.append(perf_counter() - began)
                cpus.append(server.cpu())
                await asyncio.sleep(1)  # work that a start leaves for later
                sizes.append(memory(server))
    rows = [
        ("start to the first /ok", "s", number(median(walls)), "<= 1.5"),
        ("start: CPU", "s", number(median(cpus)), ""),
        ("idle server: memory (RSS)", "MiB", number(median(sizes)), "<= 110"),
    ]
    return grid([("measured", "", "here", "aim"), *rows])


async def _ok(server: Server) -> None:
    connection = await Connection.open(server.port)
    await connection.send(get("/ok"))
    connection.close()


def memory(server: Server) -> float:
    """Return the resident memory of the server in MiB."""
    return float(psutil.Process(server.pid).memory_info().rss) / MIB


KINDS = (
    ("GET /threads/{id}/stream", lambda thread_id: get(f"/threads/{thread_id}/stream")),
    (
        "POST /threads/{id}/stream/events",
        lambda thread_id: request(f"/threads/{thread_id}/stream/events", {"channels": ["values", "lifecycle"]}),
    ),
)


async def idle_table(amounts: Amounts) -> str:
    """Measure memory and CPU of open streams without events, each on its own thread."""
    count = min(amounts.idle_streams, _raise_file_limit() - OTHER_FILES)
    rows = [("idle streams", "number", "KiB each", "% of a core")]
    for label, message in KINDS:
        with tempfile.TemporaryDirectory(prefix="agent-server-bench-") as folder:
            async with agent_server(Path(folder)) as server:
                threads = await _threads(server, count)
                before = memory(server)
                streams = await _opened(server, [message(thread_id) for thread_id in threads])
                await asyncio.sleep(amounts.idle_seconds)
                each = (memory(server) - before) * 1024 / len(streams)
                cpu, began = server.cpu(), perf_counter()
                await asyncio.sleep(amounts.idle_seconds)
                share = (server.cpu() - cpu) / (perf_counter() - began)
                rows.append((label, number(len(streams)), number(each), number(share * 100)))
                for stream in streams:
                    stream.close()
    return grid(rows)


def _raise_file_limit() -> int:
    """Let this process and the servers that it starts open more files, as the machine allows; return how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    return wanted


async def _threads(server: Server, count: int) -> list[str]:
    connection = await Connection.open(server.port)
    made = [(await connection.post("/threads", {}))["thread_id"] for _ in range(count)]
    connection.close()
    return made


async def _opened(server: Server, messages: list[bytes]) -> list[Connection]:
    async def one(message: bytes) -> Connection:
        connection = await Connection.open(server.port, limit=1 << 12)
        await connection.send(message)
        return connection

    opened: list[Connection] = []
    for at in range(0, len(messages), AT_ONCE):
        opened += await asyncio.gather(*(one(message) for message in messages[at : at + AT_ONCE]))
    return opened
