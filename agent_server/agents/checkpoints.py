"""Where LangGraph graphs keep their checkpoints: LangGraph's own savers, on a file or a connection pool of their own.

Imported only where there are graphs; the extra `langgraph` brings the SQLite saver, `postgres` the other one.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from agent_server.agents.thread_bytes import ThreadBytes
from agent_server.config import Config, ConfigError


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


def open_checkpointer(config: Config) -> AbstractAsyncContextManager[Checkpointer]:
    """The saver that `config` asks for, set up; closed when the block is left. Errors: `ConfigError`."""
    if config.database_url is None:
        from agent_server.agents.checkpoints_sqlite import open_sqlite  # the extra "langgraph"

        return open_sqlite(config.data_dir / "checkpoints.db")
    try:
        from agent_server.agents.checkpoints_postgres import open_postgres  # the extra "postgres"
    except ModuleNotFoundError as error:
        install = "pip install 'agent-server[postgres]'"
        raise ConfigError(f"DATABASE_URL needs the module {error.name}; install it: {install}") from error
    return open_postgres(config.database_url)
