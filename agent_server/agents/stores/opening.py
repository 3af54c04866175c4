"""Open the store of LangGraph graphs: LangGraph's own stores, on a file or a pool of their own.

Nothing here imports langgraph until a store is opened, so that the server also starts without it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from agent_server.agents.loading import open_made
from agent_server.config import Config, ConfigError
from agent_server.config.load_errors import load_error
from agent_server.config.user_code import load_variable

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore


@asynccontextmanager
async def open_store(config: Config) -> AsyncIterator[BaseStore | None]:
    """Open the store that `config` names, with its tables set up; None if langgraph is not installed.

    Errors: `ConfigError` if the extra for the database or a package for `store.index` is missing.
    """
    if find_spec("langgraph") is None:
        yield None
    elif config.store_path is not None:
        async with _own_store(config, config.store_path) as own_store:
            yield own_store
    elif config.database_url is None:
        from agent_server.agents.stores.embeddings import build_index  # the extra "langgraph"
        from agent_server.agents.stores.sqlite import open_sqlite_store

        async with open_sqlite_store(config.data_dir / "store.db", config.store_ttl, build_index(config)) as store:
            yield store
    else:
        from agent_server.agents.stores.embeddings import build_index

        try:
            from agent_server.agents.stores.postgres import open_postgres_store  # the extra "postgres"
        except ModuleNotFoundError as error:
            install = "pip install 'agent-server[postgres]'"
            raise ConfigError(f"DATABASE_URL needs the module {error.name}", hint=f"Install it: {install}") from error
        async with open_postgres_store(config.database_url, config.store_ttl, build_index(config)) as postgres_store:
            yield postgres_store


@asynccontextmanager
async def _own_store(config: Config, path: str) -> AsyncIterator[BaseStore]:
    """Open the store that `store.path` names: a store, or its factory, a function or an async context manager."""
    from langgraph.store.base import BaseStore

    named = load_variable("store.path", path, config)
    async with AsyncExitStack() as stack:
        try:
            made = named if isinstance(named, BaseStore) or not callable(named) else named()
            store = await stack.enter_async_context(open_made(made))
        except Exception as error:
            raise load_error("store.path", path, error, config) from error
        if not isinstance(store, BaseStore):
            raise ConfigError(f"store.path: {path} made a {type(store).__name__}, which is no BaseStore of LangGraph")
        yield store
