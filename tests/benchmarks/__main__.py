"""Benchmarks on this machine, each beside its lower bound or its alternative, measured in the same minutes.

    python -m tests.benchmarks                    about ten minutes
    python -m tests.benchmarks --quick            within a minute: a check that it works; its figures mean little
    python -m tests.benchmarks --only postgres    one part; `--help` lists them

Servers are separate processes, as users start them (production settings); the clients are in this process. The
compared sides take turns, round by round. The figures are medians of the rounds. A part that fails shows why, and the
others continue.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop
from msgspec.structs import replace

from tests.benchmarks.amounts import FULL, QUICK, Amounts
from tests.benchmarks.beside_official import official_table
from tests.benchmarks.million import million_table
from tests.benchmarks.processes import agent_server, in_process, machine, nothing_server
from tests.benchmarks.resting import idle_table, start_table
from tests.benchmarks.scaled import databases_table, processes_table
from tests.benchmarks.sides import all_sides
from tests.benchmarks.stored import stored_table
from tests.benchmarks.table import LINES, in_rounds, submission_lines, table


async def _sqlite_table(amounts: Amounts) -> str:
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agent-server-bench-")))
        server = await stack.enter_async_context(agent_server(directory))
        nothing = await stack.enter_async_context(nothing_server())
        floors = await stack.enter_async_context(in_process(directory))
        samples = await in_rounds(all_sides(amounts, server, nothing, floors), amounts.rounds)
    return table([*LINES, *submission_lines(amounts.submitters)], samples)


PARTS: dict[str, tuple[str, Callable[[Amounts], Awaitable[str]]]] = {
    "sqlite": ("One process on SQLite, each figure beside its lower bound", _sqlite_table),
    "official": ("Beside the official server", official_table),
    "postgres": ("One process on each database", databases_table),
    "processes": ("Several processes over PostgreSQL and Redis, 32 clients on new threads", processes_table),
    "idle": ("Idle streams", idle_table),
    "start": ("Start and idle memory", start_table),
    "stored": ("Beside what is stored (SQLite)", stored_table),
    "million": ("A million pieces of feedback (SQLite)", million_table),
}


async def _run(names: list[str], amounts: Amounts) -> int:
    """Print the parts and return how many of them failed."""
    about = {"date": time.strftime("%Y-%m-%d"), "machine": platform.machine(), **machine()}
    print(", ".join(f"{name} {value}" for name, value in about.items()) + f", {amounts.rounds} rounds", flush=True)
    failed = 0
    for name in names:
        title, measure = PARTS[name]
        began = time.monotonic()
        try:
            shown = await measure(amounts)
        except Exception as error:
            failed += 1
            shown = f"failed: {type(error).__name__}: {error}"
            traceback.print_exc()
        print(f"\n## {title} ({name}, {time.monotonic() - began:.0f} s)\n\n{shown}", flush=True)
    return failed


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="within a minute; its figures mean little")
    parser.add_argument("--rounds", type=int, help="how often the first part is measured (default: 5)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="measure these parts")
    arguments = parser.parse_args()
    amounts = QUICK if arguments.quick else FULL
    if arguments.rounds:
        amounts = replace(amounts, rounds=arguments.rounds)
    sys.exit(1 if uvloop.run(_run(arguments.only, amounts)) else 0)


if __name__ == "__main__":
    main()
