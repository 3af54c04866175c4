"""The official JavaScript packages of MCP, unmodified: `sdk` with a handshake, `client` with 2026-07-28."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.clients.node import node
from tests.clients.server_process import ServerProcess


@pytest.mark.parametrize(("package", "version"), [("sdk", "2025-11-25"), ("client", "2026-07-28")])
async def test_tools_are_called_from_javascript(graphs: ServerProcess, package: str, version: str) -> None:
    shown = json.loads(await node("mcp.mjs", f"{graphs.url}/mcp", package))
    assert {"steps", "asking", "submit_feedback"} <= set(shown.pop("tools"))
    run_id, [url] = shown.pop("run_id"), shown.pop("urls").values()
    assert shown == {
        "version": version,
        "done": [0, 1],
        "progress": ["step", "step"],
        "source": "app",
        "asked": {"question": "why?"},
        "answer": "because",
        "failed": "ValueError: boom é <1>",
        "unknown": "Unknown tool: nothing" if package == "client" else "MCP error -32602: Unknown tool: nothing",
        "sleeping": "cancelled",
    }
    async with httpx.AsyncClient(base_url=graphs.url) as http:
        assert (await http.post(url, json={"score": 0})).status_code == 200
        feedback = (await http.get(f"/runs/{run_id}/feedback")).json()["feedback"]
    assert sorted((one["score"], one["feedback_source"]["type"]) for one in feedback) == [(0, "api"), (1, "app")]
