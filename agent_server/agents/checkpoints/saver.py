"""The server's additions to LangGraph's checkpoint saver interface."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from inspect import signature
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointMetadata
from langgraph.checkpoint.serde.types import ERROR

from agent_server.agents.checkpoints.thread_bytes import ThreadBytes
from agent_server.agents.lease import current_lease, work_under_lease

Method = TypeVar("Method", bound=Callable[..., Any])


def store_signature(method: Method) -> Method:
    """Return the method with its signature stored: LangGraph inspects that of `aput_writes` in each run."""
    method.__signature__ = signature(method)  # type: ignore[attr-defined]  # any function takes it
    return method


class Checkpointer(BaseCheckpointSaver[str]):
    """A checkpoint saver that can also delete a single run, and measure a thread.

    Within an attempt at a run, every write uses the attempt's lease, and raises `LeaseLost` if the lease is lost. A
    write waits while the database does not respond.
    """

    async def forget_run(self, thread_id: str, run_id: str) -> None:
        """Delete the run's checkpoints on the thread, in all namespaces, with their writes.

        Values that the run wrote to the last checkpoint before it (the response to an interrupt) stay.
        """
        raise NotImplementedError

    async def forget_writes(self, config: RunnableConfig, kept: Collection[tuple[str, str]]) -> None:
        """Delete the writes of a checkpoint, except for `kept`, given as (task id, channel)."""
        raise NotImplementedError

    async def storage(self, thread_id: str) -> ThreadBytes:
        """Return the size of the thread's checkpoints in bytes."""
        raise NotImplementedError


def without_output_of_cancelled(writes: Sequence[tuple[str, Any]]) -> Sequence[tuple[str, Any]]:
    """Return which of a task's writes to store: of a cancelled task only its error.

    A task that is cancelled between its node and the edges after it has written output already. LangGraph takes a task
    with output for finished: it would not run again, and the graph would end there, as edges that were not taken lead
    nowhere (`langgraph/pregel/_task_status.py`, 1.2.22).
    """
    for write in writes:
        if write[0] == ERROR and isinstance(write[1], asyncio.CancelledError):
            return [write]
    return writes


async def put_in_order(namespace: str, metadata: CheckpointMetadata, put: Callable[[], Awaitable[None]]) -> None:
    """Store a checkpoint by `put()`, then let the run's next step begin."""
    lease, step = current_lease(), metadata.get("step", -2)
    if lease is None:
        await put()
        return
    lease.steps.begin(namespace, step)
    await work_under_lease(put, is_progress=is_progress(metadata))
    lease.steps.end(namespace, step)


def is_progress(metadata: CheckpointMetadata) -> bool:
    """Return whether the checkpoint holds the result of a step."""
    return metadata.get("source") == "loop"


def is_thread_empty(config: RunnableConfig) -> bool:
    """Return whether the current attempt knows that nothing is stored of the thread: then there is nothing to read."""
    lease = current_lease()
    if lease is None or lease.steps.has_begun:
        return False
    return lease.empty_thread is not None and lease.empty_thread == config["configurable"]["thread_id"]


async def settle_writes() -> None:
    """Wait until the deferred writes of the current attempt are durable, so that it reads what it wrote."""
    lease = current_lease()
    if lease is not None:
        await lease.settle()
