"""The same work on the official server and on this one, in turns."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.amounts import Amounts
from tests.benchmarks.processes import OFFICIAL, agent_server, official_server
from tests.benchmarks.sides import Side, concurrent, sequential, stateless_run, streams, thread_run
from tests.benchmarks.table import grid, in_rounds, medians, number

ROWS = (
    ("stateless run: first event, p50", "ms", "stateless first p50"),
    ("stateless run: server CPU", "ms", "stateless cpu"),
    ("run on a new thread: first event, p50", "ms", "thread first p50"),
    ("32 clients, stateless: runs a second", "/s", "stateless32 rate"),
    ("32 clients, stateless: server CPU a run", "ms", "stateless32 cpu"),
    ("32 clients, new threads: runs a second", "/s", "thread32 rate"),
    ("32 clients, new threads: server CPU a run", "ms", "thread32 cpu"),
    ("stream of 1,000 tokens: CPU a token", "us", "token cpu"),
)


async def official_table(amounts: Amounts) -> str:
    """Measure both servers. The official one's runs are not durable; this one's are, on SQLite."""
    if not OFFICIAL.exists():
        return "not measured: .venv-official is missing (`make test` makes it)"
    with tempfile.TemporaryDirectory(prefix="agent-server-bench-") as folder:
        directory = Path(folder)
        (directory / "official").mkdir()
        async with official_server(directory / "official") as official, agent_server(directory) as ours:
            sides: list[Side] = []
            for name, server in (("official", official), ("ours", ours)):
                sides += [
                    sequential(f"{name} stateless", server, amounts.slow_runs, stateless_run),
                    sequential(f"{name} thread", server, amounts.slow_runs, thread_run),
                    concurrent(f"{name} stateless32", server, 1, stateless_run),
                    concurrent(f"{name} thread32", server, 1, thread_run),
                    streams(f"{name} token", server, 1),
                ]
            figures = medians(await in_rounds(sides, amounts.slow_rounds))
    rows = [("measured", "", "official", "ours", "official / ours")]
    for label, unit, name in ROWS:
        official_figure, own_figure = figures[f"official {name}"], figures[f"ours {name}"]
        rows.append((label, unit, number(official_figure), number(own_figure), number(official_figure / own_figure)))
    return grid(rows)
