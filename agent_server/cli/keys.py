"""`agent-server keys`: API keys without a server, also while servers run on the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent_server.access.api_keys import ApiKeys
from agent_server.access.cli import keys_commands
from agent_server.cli.place import accept_place, check_exists, choose_config
from agent_server.database import open_database


@asynccontextmanager
async def open_keys_alone(path: Path | None, data_dir: Path | None, creates: bool) -> AsyncIterator[ApiKeys]:
    """Open the API keys without a server. Errors: `NotFound` if there is no data, unless `creates`."""
    config = choose_config(path, data_dir)
    if not creates:
        check_exists(config, "runs.db")
    async with open_database(config.get_url("runs")) as database:
        await database.migrate("agent_server")
        yield ApiKeys(database)


keys = keys_commands(open_keys_alone)
accept_place(keys)
