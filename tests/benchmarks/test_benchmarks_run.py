"""The benchmarks work; no test judges their figures."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SQLITE = (
    "first event",
    "server CPU",
    "CPU a token",
    "URLs for a run",
    "durable submissions",
    "MCP tools/call",
    "A2A SendM",
    "AG-UI run",
)
REST = (
    "official / ours",
    "PostgreSQL + Redis",
    "cores busy",
    "/threads/{id}/stream/events",
    "start to the first /ok",
    "10,000 runs stored",
    "erasure of a person",
)


async def _printed(*options: str) -> str:
    """Return the output of a quick run."""
    return await _output("tests.benchmarks", "--quick", *options)


async def _output(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", *command, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return printed.decode()


@pytest.mark.timeout(180)
async def test_quick_run_prints_every_figure() -> None:
    table = await _printed("--only", "sqlite")
    assert [one for one in (*SQLITE, "handler that does nothing") if one not in table] == []


@pytest.mark.long
async def test_quick_run_measures_every_part() -> None:
    printed = await _printed()
    assert [one for one in (*SQLITE, *REST) if one not in printed] == []


@pytest.mark.long
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_soak_writes_samples_and_plot(tmp_path: Path, database: str) -> None:
    options = ["--postgres"] if database == "postgres" else []
    output = await _output("tests.benchmarks.soak", "--minutes", "0.1", "--every", "1", "--to", str(tmp_path), *options)
    assert "errors 0" in output
    lines = (tmp_path / f"soak-{database}.csv").read_text().splitlines()
    assert lines[0].startswith("seconds,memory_mib,handles,threads")
    assert len(lines) > 4
    assert (tmp_path / f"soak-{database}.svg").read_text().count("<polyline") == 4
