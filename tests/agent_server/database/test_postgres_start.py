"""Several servers start on one empty PostgreSQL database at the same moment."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from agent_server.agents.checkpoints.postgres import open_postgres


async def test_checkpointers_that_start_together_make_their_tables_once(postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        savers = await asyncio.gather(*(stack.enter_async_context(open_postgres(postgres_url)) for _ in range(4)))
        assert await savers[0].aget_tuple({"configurable": {"thread_id": "none", "checkpoint_ns": ""}}) is None
