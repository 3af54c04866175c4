"""Where LangGraph graphs keep their checkpoints: LangGraph's own savers, on a file or a connection pool of their own.

Imported only where there are graphs; the extra `langgraph` brings the SQLite saver, `postgres` the other one.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from agent_server.agents.checkpoints.saver import Checkpointer
from agent_server.config import Config, ConfigError


def open_checkpointer(config: Config) -> AbstractAsyncContextManager[Checkpointer]:
    """The saver that `config` asks for, set up; closed when the block is left. Errors: `ConfigError`."""
    if config.database_url is None:
        from agent_server.agents.checkpoints.sqlite import open_sqlite  # the extra "langgraph"

        return open_sqlite(config.data_dir / "checkpoints.db")
    try:
        from agent_server.agents.checkpoints.postgres import open_postgres  # the extra "postgres"
    except ModuleNotFoundError as error:
        install = "pip install 'agent-server[postgres]'"
        raise ConfigError(f"DATABASE_URL needs the module {error.name}", hint=f"Install it: {install}") from error
    return open_postgres(config.database_url)
