"""An agent without LangGraph: any async generator function can be an agent.

The server streams what it yields at once: strings are tokens of its answer, dicts are its results. Try the input
`{"text": "the quick brown fox"}`.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any


async def agent(given: dict[str, Any]) -> AsyncGenerator[str | dict[str, Any], None]:
    words = str(given.get("text", "")).split()
    yield "I count: "
    for number, word in enumerate(words, 1):
        await asyncio.sleep(0.03)
        yield f"{number} {word}, "
    yield f"{len(words)} in all."
    yield {"words": len(words)}
