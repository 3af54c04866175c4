"""Run the JavaScript clients in Node."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

JS = Path(__file__).parent / "js"


async def node(*arguments: str, stdin: str = "") -> str:
    """Return what Node prints; fail unless it exits with 0."""
    status, printed, complaints = await run_node(*arguments, stdin=stdin)
    assert status == 0, complaints
    return printed


async def run_node(*arguments: str, stdin: str = "") -> tuple[int | None, str, str]:
    """Return Node's exit status, its output and its error output."""
    if not (JS / "node_modules" / "@langchain" / "langgraph-sdk").is_dir():
        pytest.fail(f"The JavaScript clients are not in {JS / 'node_modules'}: run `make test`, which installs them")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("node", *arguments, cwd=JS, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        printed, complaints = await asyncio.wait_for(process.communicate(stdin.encode()), 90)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, printed.decode(), complaints.decode()
