"""Read, update, copy, prune and delete the states of threads, which agents save step by step.

The thread's metadata name the agent (`graph_id`): the one that last ran on it, or that a client chose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog
from msgspec import Raw
from uuid_utils import uuid7

from agent_server.access.ownership import Condition
from agent_server.agents import Agent, GraphSetup, HistoryQuery, StatefulAgent, check_command, is_stateful
from agent_server.agents.checkpoints.thread_bytes import Amount, ThreadBytes
from agent_server.asgi.json_codec import encode
from agent_server.broker import Broker
from agent_server.errors import BadRequest, Conflict, Invalid, NotFound
from agent_server.schema import StateUpdate, canonical_id
from agent_server.threads.schema import (
    Before,
    Checkpoint,
    HistorySearch,
    PruneStrategy,
    Thread,
    ThreadCreate,
    ThreadStateUpdate,
    checkpoint_dict,
)
from agent_server.threads.state_updates import thread_channel
from agent_server.threads.threads import ThreadEnd, Threads

log = structlog.get_logger("agent_server")


class ThreadStates:
    """The states of threads, by thread id."""

    def __init__(self, threads: Threads, agents: Mapping[str, Agent], broker: Broker) -> None:
        self._threads = threads
        self._agents = agents
        self._broker = broker

    async def get(self, thread_id: str, checkpoint: Checkpoint | None, subgraphs: bool) -> dict[str, Any]:
        """Return the SDK's `ThreadState`; an empty one where no state has been saved.

        Errors: `NotFound` for an unknown thread, or where the thread lacks the checkpoint.
        """
        named = checkpoint_dict(checkpoint)
        thread, setup = await self._threads.get_with_setup(thread_id)
        agent = self._find_agent(thread.metadata)
        if agent is not None:
            return await agent.state(thread.thread_id, named, subgraphs, setup)
        if named.get("checkpoint_id"):
            raise NotFound(f"Checkpoint {named['checkpoint_id']} not found on thread {thread.thread_id}")
        return _build_stateless_state(msgspec.json.decode(thread.values) or {})

    async def history(self, thread_id: str, search: HistorySearch) -> list[dict[str, Any]]:
        """Return the states that match, newest first."""
        query = HistoryQuery(
            limit=search.limit,
            checkpoint=checkpoint_dict(search.checkpoint),
            before=_parse_before(search.before),
            metadata=search.metadata,
        )
        thread, setup = await self._threads.get_with_setup(thread_id)
        agent = self._find_agent(thread.metadata)
        return await agent.history(thread.thread_id, query, setup) if agent else []

    async def update(self, thread_id: str, body: ThreadStateUpdate) -> dict[str, Any]:
        """Update the state and return the checkpoint that the update creates.

        Errors: `BadRequest` where the thread has no agent that saves its state, or the agent refuses the update;
        `ThreadBusy` while a run is active; `NotFound` for an unknown checkpoint.
        """
        thread, setup = await self._threads.get_with_setup(thread_id)
        agent = self._find_agent_to_change(thread.metadata, f"Thread {thread.thread_id!r}")
        await self._threads.check_idle(thread.thread_id)
        check_command(body.command)
        named = checkpoint_dict(body.checkpoint or Checkpoint(checkpoint_id=body.checkpoint_id))
        made = await agent.update_state(thread.thread_id, [[body]], named, setup)
        await self._threads.write_end(thread.thread_id, await _end(agent, thread.thread_id, setup), made)
        await self._broker.notify(thread_channel(thread.thread_id))
        return {"checkpoint": made, "configurable": made, "checkpoint_id": made["checkpoint_id"]}

    async def create(self, body: ThreadCreate, owned: Condition | None = None) -> Thread:
        """Create a thread and apply its supersteps. Errors: `BadRequest` where no agent saves its state."""
        if not body.supersteps or (body.thread_id and await self._threads.exists(body.thread_id)):
            return await self._threads.create(body, owned)
        agent = self._find_agent_to_change(Raw(encode(body.metadata or {})), "A new thread")
        for update in (one for step in body.supersteps for one in step.updates):
            check_command(update.command)
        thread = await self._threads.create(body)
        try:
            steps: Sequence[Sequence[StateUpdate]] = [step.updates for step in body.supersteps if step.updates]
            _, setup = await self._threads.get_with_setup(thread.thread_id)
            await agent.update_state(thread.thread_id, steps, None, setup)
            return await self._threads.write_end(thread.thread_id, await _end(agent, thread.thread_id, setup))
        except BaseException:
            await self.delete(thread.thread_id)
            raise

    async def copy(self, thread_id: str) -> Thread:
        """Return a copy of the thread without its runs; the copy of a busy thread has the state reached so far."""
        thread, setup = await self._threads.get_with_setup(thread_id)
        copy_id = str(uuid7())
        agent = self._find_agent(thread.metadata)
        if agent is None:
            return await self._threads.copy(thread.thread_id, copy_id, _build_idle_end(thread))
        await agent.copy_thread(thread.thread_id, copy_id)
        try:
            end = await _end(agent, copy_id, setup) if thread.status == "busy" else None
            return await self._threads.copy(thread.thread_id, copy_id, end)
        except BaseException:
            await agent.forget_thread(copy_id)
            raise

    async def delete(self, thread_id: str) -> None:
        """Delete the thread, its runs and its agents' saved state. Errors: `Conflict` while a run is running."""
        thread = await self._threads.get(thread_id)
        deleted = await self._threads.delete(thread.thread_id)
        await self._broker.notify(thread_channel(thread.thread_id))
        for run_id in deleted.pending_run_ids:
            await self._broker.close(run_id)
        last = _graph_id(thread.metadata)
        for graph_id in dict.fromkeys([*deleted.graph_ids, *([last] if last else [])]):
            if agent := self._find_stateful(graph_id):
                await agent.forget_thread(thread.thread_id)

    async def list_by_assistant(self, assistant_id: str, owned: Condition | None = None) -> list[str]:
        """Return the ids of the threads (that meet `owned`) on which the assistant ran last."""
        return await self._threads.list_by_assistant(assistant_id, owned)

    async def prune(self, thread_ids: Sequence[str], strategy: PruneStrategy) -> int:
        """Prune the existing, idle threads; return how many were deleted or reduced to their latest state."""
        keys = dict.fromkeys(canonical_id(thread_id, "thread") for thread_id in thread_ids)
        return sum([await self._prune(key, strategy) for key in keys])

    async def prune_expired(self, at_once: int = 100) -> int:
        """Prune expired threads and return how many were pruned; where it equals `at_once`, more may remain."""
        pruned = 0
        for thread_id, strategy in await self._threads.list_expired(at_once):
            try:
                pruned += await self._prune(thread_id, strategy)
            except Invalid as error:
                log.warning("thread_not_pruned", thread_id=thread_id, error=str(error))
            if strategy == "keep_latest":
                await self._threads.end_ttl(thread_id)
        return pruned

    async def storage(self, thread_id: str) -> dict[str, Any]:
        """Return the bytes that the thread takes in storage, as the official server's `ThreadStorage`."""
        thread = await self._threads.get(thread_id)
        agent = self._find_agent(thread.metadata)
        kept = await agent.storage(thread.thread_id) if agent else _NOTHING.sections()
        return {"thread_id": thread.thread_id, **kept}

    async def _prune(self, thread_id: str, strategy: PruneStrategy) -> bool:
        try:
            thread = await self._threads.get(thread_id)
            if thread.status == "busy":
                return False
            if strategy == "delete":
                await self.delete(thread_id)
            elif agent := self._find_agent(thread.metadata):
                await agent.keep_latest(thread_id)
        except (NotFound, Conflict):  # it was deleted, or became busy, meanwhile
            return False
        return True

    def _find_agent_to_change(self, metadata: Raw, who: str) -> StatefulAgent:
        graph_id = _graph_id(metadata)
        if graph_id is None:
            raise BadRequest(
                f"{who} has no assigned graph ID. Run the thread once, or name the graph in the thread's metadata "
                "(graph_id), before changing its state."
            )
        if graph_id not in self._agents:
            raise NotFound(f"Graph {graph_id!r} not found. Expected one of: {sorted(self._agents)}")
        agent = self._find_stateful(graph_id)
        if agent is None:
            raise BadRequest(f"The agent {graph_id!r} keeps no state that could be changed")
        return agent

    def _find_agent(self, metadata: Raw) -> StatefulAgent | None:
        graph_id = _graph_id(metadata)
        return self._find_stateful(graph_id) if graph_id else None

    def _find_stateful(self, graph_id: str) -> StatefulAgent | None:
        agent = self._agents.get(graph_id)
        return agent if agent is not None and is_stateful(agent) else None


_NOTHING = ThreadBytes(Amount(0, 0), {}, Amount(0, 0))


def _parse_before(before: str | Before | None) -> str | None:
    if isinstance(before, Before):
        before = before.checkpoint_id or (before.configurable.checkpoint_id if before.configurable else None)
    return canonical_id(before, "checkpoint") if before else None


def _graph_id(metadata: Raw) -> str | None:
    graph_id = msgspec.json.decode(metadata).get("graph_id")
    return graph_id if isinstance(graph_id, str) and graph_id else None


async def _end(agent: StatefulAgent, thread_id: str, setup: GraphSetup) -> ThreadEnd:
    """Return status, values and interrupts from the state that the agent keeps."""
    state = await agent.state(thread_id, None, False, setup)
    interrupts = {task["id"]: task["interrupts"] for task in state["tasks"] if task["interrupts"]}
    return ThreadEnd("interrupted" if state["next"] else "idle", encode(state["values"]), encode(interrupts))


def _build_idle_end(thread: Thread) -> ThreadEnd | None:
    """Return the end for a copy of a busy thread whose agent keeps no state; None where the thread is idle."""
    return ThreadEnd("idle", bytes(thread.values), b"{}") if thread.status == "busy" else None


def _build_stateless_state(values: Any) -> dict[str, Any]:
    """Return the `ThreadState` of a thread whose agent keeps no state: its last values, without next steps."""
    return {
        "values": values,
        "next": [],
        "tasks": [],
        "metadata": None,
        "created_at": None,
        "checkpoint": None,
        "parent_checkpoint": None,
        "interrupts": [],
        "checkpoint_id": None,
        "parent_checkpoint_id": None,
    }
