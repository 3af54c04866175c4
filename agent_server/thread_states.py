"""A thread's state: what its agent keeps of it, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from agent_server.agents import Agent, StatefulAgent, is_stateful
from agent_server.schema import canonical_id
from agent_server.threads import Threads


class ThreadStates:
    """The states of threads, by thread id, each read by the agent that the thread last ran."""

    def __init__(self, threads: Threads, agents: Mapping[str, Agent]) -> None:
        self._threads = threads
        self._agents = agents

    async def get(self, thread_id: str, checkpoint: dict[str, Any] | None, subgraphs: bool) -> dict[str, Any]:
        """The SDK's `ThreadState`; an empty one where nothing was kept yet. `NotFound` for an unknown thread."""
        thread = await self._threads.get(thread_id)
        agent = self._agent_of(thread.metadata)
        if agent is None:
            return _stateless(msgspec.json.decode(thread.values) or {})
        return await agent.state(thread.thread_id, checkpoint, subgraphs)

    async def delete(self, thread_id: str) -> None:
        """Delete the thread, its runs, and what its agent kept of it."""
        thread = await self._threads.get(thread_id)
        await self._threads.delete(canonical_id(thread_id, "thread"))
        if agent := self._agent_of(thread.metadata):
            await agent.forget_thread(thread.thread_id)

    def _agent_of(self, metadata: msgspec.Raw) -> StatefulAgent | None:
        agent = self._agents.get(msgspec.json.decode(metadata).get("graph_id", ""))
        return agent if agent is not None and is_stateful(agent) else None


def _stateless(values: Any) -> dict[str, Any]:
    """The `ThreadState` of a thread whose agent keeps none: its last values, and nothing to go on with."""
    return {
        "values": values,
        "next": [],
        "tasks": [],
        "metadata": None,
        "created_at": None,
        "checkpoint": None,
        "parent_checkpoint": None,
        "interrupts": [],
    }
