"""Where LangGraph graphs keep what outlives a thread: LangGraph's own stores, on a file or a pool of their own.

Nothing here imports langgraph until a store is opened, so that the server also starts without it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from agent_server.config import Config, ConfigError

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore


@asynccontextmanager
async def open_store(config: Config) -> AsyncIterator[BaseStore | None]:
    """The store that `config` asks for, its tables set up; none where langgraph is not installed.

    Errors: `ConfigError` where the extra for the database is missing, or what `store.index` names.
    """
    if find_spec("langgraph") is None:
        yield None
    elif config.database_url is None:
        from agent_server.agents.embeddings import index_of  # the extra "langgraph"
        from agent_server.agents.store_sqlite import open_sqlite_store

        async with open_sqlite_store(config.data_dir / "store.db", config.store_ttl, index_of(config)) as store:
            yield store
    else:
        from agent_server.agents.embeddings import index_of

        try:
            from agent_server.agents.store_postgres import open_postgres_store  # the extra "postgres"
        except ModuleNotFoundError as error:
            install = "pip install 'agent-server[postgres]'"
            raise ConfigError(f"DATABASE_URL needs the module {error.name}; install it: {install}") from error
        async with open_postgres_store(config.database_url, config.store_ttl, index_of(config)) as postgres_store:
            yield postgres_store
