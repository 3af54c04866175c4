"""The metrics of a server process while clients use it."""

from __future__ import annotations

import re

import httpx
from langgraph_sdk.client import LangGraphClient

from tests.clients.server_process import ServerProcess


async def test_open_stream_is_counted_until_its_end(client: LangGraphClient, graphs: ServerProcess) -> None:
    before = await open_streams(graphs)
    async for part in client.runs.stream(None, "tokens", input={"count": 3, "pause": 0.2}, stream_mode="custom"):
        if part.event == "custom":
            assert await open_streams(graphs) == before + 1
    assert await open_streams(graphs) == before


async def open_streams(server: ServerProcess) -> float:
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{server.url}/metrics")).text
    found = re.search(r"^agent_server_open_streams (\S+)$", text, re.MULTILINE)
    assert found
    return float(found[1])
