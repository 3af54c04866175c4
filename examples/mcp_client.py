"""Call an agent as a tool over MCP, and submit feedback on its answer.

    pip install 'mcp>=2.3'
    python examples/mcp_client.py http://127.0.0.1:2024 "Tell me a joke about databases."

An MCP host does the same: add http://127.0.0.1:2024/mcp to its servers.
"""

import asyncio
import json
import sys

from mcp import Client

FEEDBACK = "dev.agent-server/feedback"


async def print_progress(progress: float, _total: float | None, message: str | None) -> None:
    """Print a step of the agent."""
    print(f"… {message} ({progress:g})")


async def main(server: str, question: str) -> None:
    """Ask the agent, print its answer, and rate it."""
    async with Client(f"{server}/mcp") as client:
        tools = (await client.list_tools()).tools
        print("Tools:", ", ".join(tool.name for tool in tools))
        result = await client.call_tool(
            "agent",
            {"messages": question},
            progress_callback=print_progress,
            meta={FEEDBACK: {"keys": ["user_liked"]}},
        )
        state = json.loads(result.content[0].text)
        print("Answer:", state["messages"][-1]["content"])
        received = result.meta[FEEDBACK]
        print("Feedback URL:", received["urls"]["user_liked"])
        said = {"run_id": received["run_id"], "score": 1, "comment": "Made me laugh.", "by": "user"}
        print("Feedback:", (await client.call_tool("submit_feedback", said)).structured_content)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
