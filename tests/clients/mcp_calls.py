"""Call tools over MCP with `mcp` 1 and `langchain-mcp-adapters`, and print the results as one JSON document.

    python mcp_calls.py URL

Run by the Python of `.venv-mcp`.
"""

import asyncio
import json
import sys

from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

FEEDBACK = "dev.agent-server/feedback"


async def with_session(url):
    async with streamablehttp_client(url) as (read, write, _), ClientSession(read, write) as session:
        received = await session.initialize()
        progress = []

        async def on_progress(_progress, _total, message):
            progress.append(message)

        called = await session.call_tool(
            "steps", {"total": 2}, progress_callback=on_progress, meta={FEEDBACK: {"keys": ["user_liked"]}}
        )
        failed = await session.call_tool("failing", {"question": "?"})
    return {
        "version": received.protocolVersion,
        "done": called.structuredContent["done"],
        "progress": progress,
        "feedback": called.meta[FEEDBACK],
        "failed": failed.content[0].text,
    }


async def with_adapters(url):
    client = MultiServerMCPClient({"agents": {"transport": "streamable_http", "url": url}})
    tools = {tool.name: tool for tool in await client.get_tools()}
    result = await tools["echoing"].ainvoke({"messages": "Hello"})
    return {"tools": sorted(tools), "schema": tools["echoing"].args_schema["properties"], "answer": result}


async def main(url):
    return {"session": await with_session(url), "adapters": await with_adapters(url)}


print(json.dumps(asyncio.run(main(sys.argv[1])), default=str))
