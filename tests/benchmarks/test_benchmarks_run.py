"""The benchmarks work; what they measure is no test's business."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(180)
async def test_quick_run_prints_every_figure() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks", "--quick", cwd=ROOT, stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(170):
        printed, complaints = await process.communicate()
    table = printed.decode()
    assert process.returncode == 0, complaints.decode()
    for measured in (
        "first event",
        "server CPU",
        "CPU a token",
        "URLs for a run",
        "durable answers",
        "MCP tools/call",
        "A2A SendMessage",
    ):
        assert measured in table
    assert "handler that does nothing" in table
