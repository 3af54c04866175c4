"""Checkpointer: what is asked of a checkpoint saver beyond what LangGraph asks."""

from __future__ import annotations

from collections.abc import Collection

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from agent_server.agents.checkpoints.thread_bytes import ThreadBytes


class Checkpointer(BaseCheckpointSaver[str]):
    """A checkpoint saver that can also take a single run back, and say what a thread takes."""

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
