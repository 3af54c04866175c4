"""A store that refuses what a stopped attempt's agent writes.

A node that is a plain function works on in its thread after its run was cancelled; so does a worker that has lost its
lease, until it notices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from langgraph.store.base import Op, PutOp, Result
from langgraph.store.base.batch import AsyncBatchedBaseStore

from agent_server.agents.lease import current_lease


class FencedStore(AsyncBatchedBaseStore):
    """Mixed into LangGraph's stores. Within an attempt, a write after its end by a stop raises `LeaseLost`."""

    async def aput(self, *args: Any, **kwargs: Any) -> None:
        await _check_lease()
        await super().aput(*args, **kwargs)

    async def adelete(self, *args: Any, **kwargs: Any) -> None:
        await _check_lease()
        await super().adelete(*args, **kwargs)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        several = list(ops)
        is_own_call = asyncio.current_task() is not self._task  # which stores what all others have queued
        if is_own_call and any(isinstance(op, PutOp) for op in several):
            await _check_lease()
        return await super().abatch(several)  # type: ignore[safe-super]  # the store that this is mixed into


async def _check_lease() -> None:
    if (lease := current_lease()) is not None:
        await lease.check_store()
