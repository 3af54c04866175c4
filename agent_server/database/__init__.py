"""The database interface (`protocol.py`) and its two implementations, SQLite and PostgreSQL."""

from agent_server.config import ConfigError
from agent_server.database.protocol import Connection, Database, Load, Row
from agent_server.database.sqlite import SqliteDatabase

__all__ = ["Connection", "Database", "Load", "Row", "open_database"]


def open_database(url: str) -> Database:
    """Return the database that `url` names, not yet opened: `sqlite:///path/to/file.db` or `postgresql://…`."""
    if url.startswith("sqlite:///"):
        return SqliteDatabase(url.removeprefix("sqlite:///"))
    if url.startswith(("postgresql://", "postgres://")):
        try:
            from agent_server.database.postgres import PostgresDatabase  # the extra "postgres"
        except ModuleNotFoundError as error:
            install = "pip install 'agent-server[postgres]'"
            raise ConfigError(f"DATABASE_URL needs the module {error.name}", hint=f"Install it: {install}") from error

        return PostgresDatabase(url)
    raise ValueError(f"a database URL starts with sqlite:/// or postgresql://, not with {url.split('://')[0]}://")
