"""The examples of MCP, A2A, AG-UI and OpenAI's API run against the server of the example agents."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from tests.clients.node import JS, node
from tests.clients.server_process import ROOT, ServerProcess


@pytest.mark.parametrize("example_file", ["mcp_client.py", "a2a_client.py", "openai_client.py"])
async def test_example_asks_and_rates(example: ServerProcess, example_file: str) -> None:
    pipe, script = asyncio.subprocess.PIPE, ROOT / "examples" / example_file
    question = "Tell me a joke about databases."
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, script, example.url, question), stdout=pipe, stderr=pipe
    )
    printed, complaints = await asyncio.wait_for(process.communicate(), 50)
    assert process.returncode == 0, complaints.decode()
    check_printed(printed.decode(), "'id'")


async def test_example_in_javascript_asks_and_rates(example: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(JS / "node_modules")
    copied = shutil.copy(ROOT / "examples" / "agui_client.mjs", tmp_path)
    check_printed(await node(str(copied), example.url, "Tell me a joke about databases."), '"id"')


def check_printed(printed: str, stored: str) -> None:
    """Check that the example prints an answer, and feedback that the server has stored."""
    lines = dict(line.split(": ", 1) for line in printed.splitlines() if ": " in line)
    assert len(lines["Answer"]) > 10
    assert stored in lines["Feedback"]
