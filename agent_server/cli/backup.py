"""`agent-server backup`: copy the data directory, also while a server runs."""

from __future__ import annotations

from pathlib import Path

import click

from agent_server.cli.settings import CONFIG_OPTION, DATA_DIR_OPTION, offline_config
from agent_server.database.backup import back_up
from agent_server.errors import AgentServerError, Conflict


@click.command()
@CONFIG_OPTION
@DATA_DIR_OPTION
@click.argument("directory", type=click.Path(path_type=Path))
def backup(config_path: Path | None, data_dir: Path | None, directory: Path) -> None:
    """Copy the data into DIRECTORY, also while the server runs.

    DIRECTORY must not exist yet. To go back to the copy, start a server with it as --data-dir.
    """
    config = offline_config(config_path, data_dir)
    try:
        if config.database_url is not None:
            raise Conflict("The data is in PostgreSQL (DATABASE_URL); copy it with pg_dump")
        for file in back_up(config.data_dir, directory):
            click.echo(file)
    except AgentServerError as error:
        raise click.ClickException(str(error)) from None
