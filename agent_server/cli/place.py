"""The data location of commands that work without a server: options of a group that its subcommands accept, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent_server.cli.settings import offline_config
from agent_server.config import Config
from agent_server.errors import NotFound

_META = "agent_server.{}"
"""The key in click's context of an option given after a subcommand."""


def choose_config(path: Path | None, data_dir: Path | None) -> Config:
    """Return the settings; options after the subcommand override those before it, which are the arguments."""
    meta: dict[str, Any] = click.get_current_context().meta
    return offline_config(meta.get(_META.format("config_path"), path), meta.get(_META.format("data_dir"), data_dir))


def check_exists(config: Config, file: str) -> None:
    """Check that the data directory has the file, or the data is in PostgreSQL. Errors: `NotFound`."""
    if config.database_url is None and not (config.data_dir / file).exists():
        raise NotFound(f"There is no data in {config.data_dir}; name another directory with --data-dir, or a --config")


def accept_place(command: click.Command) -> None:
    """Let every command below accept its group's `--config` and `--data-dir`."""
    if isinstance(command, click.Group):
        for one in command.commands.values():
            accept_place(one)
        return
    taken = {option for parameter in command.params for option in parameter.opts}
    for option in (
        _option("--config", "config_path", dir_okay=False, help="The configuration file."),
        _option("--data-dir", "data_dir", file_okay=False, help="Directory of the SQLite files."),
    ):
        if not taken & set(option.opts):
            command.params.append(option)


def _option(flag: str, name: str, help: str, dir_okay: bool = True, file_okay: bool = True) -> click.Option:
    kind = click.Path(dir_okay=dir_okay, file_okay=file_okay, path_type=Path)
    return click.Option([flag, name], type=kind, help=help, expose_value=False, callback=_remember)


def _remember(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.meta[_META.format(parameter.name)] = value
