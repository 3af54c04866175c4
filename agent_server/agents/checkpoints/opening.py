"""Open the checkpointer of LangGraph graphs: LangGraph's own savers, on a file or a connection pool of their own.

Imported only if there are graphs; the extra `langgraph` brings the SQLite saver, `postgres` the other one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from agent_server.agents.checkpoints.saver import Checkpointer
from agent_server.config import Config, ConfigError


@asynccontextmanager
async def open_checkpointer(config: Config) -> AsyncIterator[Checkpointer]:
    """Open the saver that `config` names, set up; close it at the end of the block. Errors: `ConfigError`."""
    from agent_server.agents.checkpoints.serializer import serializer  # the extra "langgraph"

    async with _saver(config) as saver:
        saver.serde = serializer(config.serde)
        yield saver


def _saver(config: Config) -> AbstractAsyncContextManager[Checkpointer]:
    if config.database_url is None:
        from agent_server.agents.checkpoints.sqlite import open_sqlite  # the extra "langgraph"

        return open_sqlite(config.data_dir / "checkpoints.db")
    try:
        from agent_server.agents.checkpoints.postgres import open_postgres  # the extra "postgres"
    except ModuleNotFoundError as error:
        install = "pip install 'agent-server[postgres]'"
        raise ConfigError(f"DATABASE_URL needs the module {error.name}", hint=f"Install it: {install}") from error
    return open_postgres(config.database_url)
