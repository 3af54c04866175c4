"""Open the checkpointer of LangGraph graphs: LangGraph's own savers, on the database of runs.

Imported only if there are graphs; the extra `langgraph` brings the SQLite saver, `postgres` the other one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from agent_server.agents.checkpoints.saver import Checkpointer
from agent_server.config import Config, ConfigError
from agent_server.database import Database
from agent_server.database.sqlite import SqliteDatabase


@asynccontextmanager
async def open_checkpointer(config: Config, database: Database | None = None) -> AsyncIterator[Checkpointer]:
    """Open the saver on the database of `config`, set up; close it at the end of the block. Errors: `ConfigError`.

    `database` is that database, open, as runs use it; on SQLite, the saver opens the file itself without it.
    """
    from agent_server.agents.checkpoints.serializer import serializer  # the extra "langgraph"

    async with _saver(config, database) as saver:
        saver.serde = serializer(config.serde)
        yield saver


def _saver(config: Config, database: Database | None) -> AbstractAsyncContextManager[Checkpointer]:
    if config.database_url is None:
        return _open_sqlite(config, database)
    try:
        from agent_server.agents.checkpoints.postgres import open_postgres  # the extra "postgres"
    except ModuleNotFoundError as error:
        install = "pip install 'agent-server[postgres]'"
        raise ConfigError(f"DATABASE_URL needs the module {error.name}", hint=f"Install it: {install}") from error
    return open_postgres(config.database_url)


@asynccontextmanager
async def _open_sqlite(config: Config, database: Database | None) -> AsyncIterator[Checkpointer]:
    from agent_server.agents.checkpoints.sqlite import open_sqlite  # the extra "langgraph"

    async with AsyncExitStack() as stack:
        if not isinstance(database, SqliteDatabase):
            database = await stack.enter_async_context(SqliteDatabase(str(config.data_dir / "runs.db")))
        yield await stack.enter_async_context(open_sqlite(database, config.data_dir / "checkpoints.db"))
