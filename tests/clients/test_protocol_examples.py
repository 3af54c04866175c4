"""The examples of MCP, A2A and OpenAI's API run against the server of the example agents."""

from __future__ import annotations

import asyncio
import sys

import pytest

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
    lines = dict(line.split(": ", 1) for line in printed.decode().splitlines() if ": " in line)
    assert len(lines["Answer"]) > 10
    assert "'id'" in lines["Feedback"]
