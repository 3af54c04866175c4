"""What the server asks of a checkpoint saver beyond what LangGraph asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointMetadata

from agent_server.agents.checkpoints.thread_bytes import ThreadBytes
from agent_server.agents.lease import current_lease, under_lease


class Checkpointer(BaseCheckpointSaver[str]):
    """A checkpoint saver that can also delete a single run, and tell the size of a thread.

    Within an attempt at a run, every write names the attempt's lease, and raises `LeaseLost` where that is not held any
    more. While the database does not respond, the write waits for it.
    """

    async def forget_run(self, thread_id: str, run_id: str) -> None:
        """Delete the checkpoints that the run made on the thread, in all namespaces, and the writes that hang on them.

        Values that the run wrote beside the last checkpoint before it (the answer to an interrupt) stay.
        """
        raise NotImplementedError

    async def forget_writes(self, config: RunnableConfig, kept: Collection[tuple[str, str]]) -> None:
        """Delete the writes that hang on a checkpoint, but for those of `kept`, (task id, channel) each."""
        raise NotImplementedError

    async def storage(self, thread_id: str) -> ThreadBytes:
        """The bytes that the thread's checkpoints take."""
        raise NotImplementedError


async def put_in_order(namespace: str, metadata: CheckpointMetadata, put: Callable[[], Awaitable[None]]) -> None:
    """Store a checkpoint by `put()`, and let the run's next step begin then."""
    lease, step = current_lease(), metadata.get("step", -2)
    if lease is None:
        await put()
        return
    lease.steps.begin(namespace, step)
    await under_lease(put, is_progress=metadata.get("source") == "loop")
    lease.steps.end(namespace, step)
