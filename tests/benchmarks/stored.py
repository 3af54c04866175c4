"""The cost of a run on an empty database, and beside many stored threads and runs."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import AsyncExitStack, closing
from pathlib import Path

from tests.benchmarks.amounts import Amounts
from tests.benchmarks.processes import agent_server
from tests.benchmarks.sides import concurrent, sequential, thread_run
from tests.benchmarks.table import grid, in_rounds, medians, number

RUNS_A_THREAD = 10

_THREADS = """
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :threads)
    INSERT INTO threads (thread_id, status, metadata, config, state, interrupts, error, temporary, created_at,
        updated_at, state_updated_at, turns)
    SELECT printf('00000000-0000-7000-8000-%012d', i), 'idle', '{"graph_id":"tiny"}', '{}', '{"x":2}', '{}', 'null', 0,
        :now, :now, :now, 10 FROM n"""
_RUNS = """
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :runs)
    INSERT INTO runs (run_id, thread_id, assistant_id, assistant_version, graph_id, status, metadata, kwargs,
        multitask_strategy, temporary, base_url, start_at, created_at, updated_at, attempt, rescues, output, turn)
    SELECT printf('00000000-0000-7000-9000-%012d', i), printf('00000000-0000-7000-8000-%012d', i % :threads),
        '00000000-0000-4000-8000-000000000000', 1, 'tiny', 'success', '{}', '{}', 'enqueue', 0, '', :now, :now, :now, 1,
        0, '{"x":2}', i / :threads FROM n"""


async def stored_table(amounts: Amounts) -> str:
    """Measure two servers in turns: one with an empty database, one with many stored runs."""
    async with AsyncExitStack() as stack:
        names = {"empty": 0, "stored": amounts.stored_threads}
        sides = []
        for name, threads in names.items():
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agent-server-bench-")))
            server = await stack.enter_async_context(agent_server(directory))
            if threads:
                _fill(directory / "data" / "runs.db", threads)
            sides += [
                sequential(f"{name} thread", server, amounts.runs // 2, thread_run),
                concurrent(f"{name} thread32", server, max(1, amounts.runs_a_client // 2), thread_run),
            ]
        figures = medians(await in_rounds(sides, amounts.slow_rounds))
    runs = f"{amounts.stored_threads * RUNS_A_THREAD:,} runs stored"
    rows = [("measured", "", "empty", runs, "ratio", "aim")]
    for label, name in (("run on a new thread", "thread cpu"), ("32 clients, new threads", "thread32 cpu")):
        empty, stored = figures[f"empty {name}"], figures[f"stored {name}"]
        cells = (number(empty), number(stored), number(stored / empty))
        rows.append((f"{label}: server CPU a run", "ms", *cells, "<= 1.1"))
    return grid(rows)


def _fill(path: Path, threads: int) -> None:
    """Insert threads with ten ended runs each."""
    now = time.time_ns() // 1000
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute(_THREADS, {"threads": threads, "now": now})
        connection.execute(_RUNS, {"threads": threads, "runs": threads * RUNS_A_THREAD, "now": now})
        connection.commit()
