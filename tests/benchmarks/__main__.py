"""Figures of this machine, each beside its floor measured in the same run.

    python -m tests.benchmarks            about two minutes
    python -m tests.benchmarks --quick    a few seconds: shows that it works, and nothing else

Servers are processes of their own, as users start them (SQLite, production settings); the client is in this process.
What is measured and its floor take turns, round by round. Shown are the medians of the rounds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from tests.benchmarks.processes import agent_server, in_process, machine, nothing_server
from tests.benchmarks.sides import FULL, QUICK, Amounts, Side, all_sides
from tests.benchmarks.table import LINES, submission_lines, table


async def _rounds(sides: list[Side], count: int) -> dict[str, list[float]]:
    """The figures of `count` rounds, by name; one round before them warms up."""
    samples: dict[str, list[float]] = defaultdict(list)
    for number in range(count + 1):
        for side in sides:
            for name, value in (await side()).items():
                if number:
                    samples[name].append(value)
    return samples


async def _run(amounts: Amounts, rounds: int) -> None:
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agent-server-bench-")))
        server = await stack.enter_async_context(agent_server(directory))
        nothing = await stack.enter_async_context(nothing_server())
        floors = await stack.enter_async_context(in_process(directory))
        samples = await _rounds(all_sides(amounts, server, nothing, floors), rounds)
    print(", ".join(f"{name} {value}" for name, value in machine().items()) + f", {rounds} rounds\n")
    print(table([*LINES, *submission_lines(amounts.submitters)], samples))


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test in a few seconds; its figures say nothing")
    parser.add_argument("--rounds", type=int, default=7, help="how often all is measured (default: 7)")
    asked = parser.parse_args()
    amounts, rounds = (QUICK, 1) if asked.quick else (FULL, asked.rounds)
    uvloop.run(_run(amounts, rounds))


if __name__ == "__main__":
    main()
