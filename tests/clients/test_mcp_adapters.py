"""The package `mcp` of version 1 and `langchain-mcp-adapters`, unmodified, in their own environment."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from tests.clients.server_process import ROOT, ServerProcess

PYTHON = ROOT / ".venv-mcp" / "bin" / "python"


async def test_older_clients_call_tools(graphs: ServerProcess) -> None:
    if not PYTHON.exists():
        pytest.fail(f"LangChain's adapters of MCP are not at {PYTHON.parent.parent}: run `make test`")
    script, pipe = Path(__file__).parent / "mcp_calls.py", asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(PYTHON, script, f"{graphs.url}/mcp", stdout=pipe, stderr=pipe)
    printed, complaints = await asyncio.wait_for(process.communicate(), 50)
    assert process.returncode == 0, complaints.decode()
    shown = json.loads(printed)
    session, adapters = shown["session"], shown["adapters"]
    assert (session["version"], session["done"], session["progress"]) == ("2025-11-25", [0, 1], ["step", "step"])
    assert session["failed"] == "ValueError: boom é <1>"
    async with httpx.AsyncClient() as http:
        assert (await http.post(session["feedback"]["urls"]["user_liked"], json={"score": 1})).status_code == 200
    assert {"echoing", "submit_feedback"} <= set(adapters["tools"])
    assert adapters["schema"]["messages"]["type"] == "string"
    assert "You said Hello" in json.dumps(adapters["answer"])
