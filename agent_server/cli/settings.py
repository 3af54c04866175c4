"""Options that several commands share, passed to the server process through the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from agent_server.config import Config, ConfigError

CONFIG_VARIABLE = "AGENT_SERVER_CONFIG"
"""The environment variable with the path of the configuration file, for the server process, which a reload restarts."""
RELOADED = "AGENT_SERVER_RELOADED"
"""The environment variable of a server process that is not the first of its supervisor."""
DEFAULT_FILE = Path("langgraph.json")
Command = TypeVar("Command", bound=Callable[..., Any])

CONFIG_OPTION = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration file.  [default: langgraph.json in this directory]",
)
DATA_DIR_OPTION = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the SQLite files.  [default: .agent_server beside the configuration file]",
)
VERBOSE_OPTION = click.option(
    "--verbose", is_flag=True, default=None, help="Show the traceback of code that cannot be loaded."
)
_SERVER_OPTIONS = (
    CONFIG_OPTION,
    click.option("--host", help="The address to listen on.  [default: 127.0.0.1]"),
    click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on.  [default: 2024]"),
    DATA_DIR_OPTION,
    click.option(
        "--allow-anyone",
        is_flag=True,
        default=None,
        help="Accept requests from any address without API keys.",
    ),
    VERBOSE_OPTION,
)


def server_options(command: Command) -> Command:
    """Add the options of `dev`, `serve` and `worker`. The environment or the default replaces an omitted one."""
    for option in reversed(_SERVER_OPTIONS):
        command = option(command)
    return command


def export_options(given: dict[str, Any]) -> None:
    """Set environment variables for the given options, so that `load_config` finds them, also in another process.

    Errors: `click.UsageError` if there is no configuration file.
    """
    path = given.pop("config_path") or DEFAULT_FILE
    if not path.exists():
        raise click.UsageError(f"There is no {path}; name your configuration file with --config")
    os.environ[CONFIG_VARIABLE] = str(path.resolve())
    for name, value in given.items():
        if value is not None:
            os.environ[f"AGENT_SERVER_{name.upper()}"] = _text(name, value)


def _text(name: str, value: Any) -> str:
    if name == "data_dir":
        return str(Path(value).resolve())
    return f"{value:g}" if isinstance(value, float) else str(value)


def config_path() -> Path | None:
    """Return the configuration file that `export_options` set."""
    path = os.environ.get(CONFIG_VARIABLE)
    return Path(path) if path else None


def load_config() -> Config:
    """Return the settings of the file and the environment, including those in the file's own `env`."""
    path = config_path()
    env = Config.load(path, os.environ).env
    return Config.load(path, {**env, **os.environ})


def export_env(config: Config) -> None:
    """Set the environment variables of the configuration file that are not set yet."""
    for name, value in config.env.items():
        os.environ.setdefault(name, value)


def offline_config(path: Path | None, data_dir: Path | None) -> Config:
    """Return the settings for a command that works on the data without a server.

    Errors: `ConfigError`.
    """
    if path is None and DEFAULT_FILE.exists():
        path = DEFAULT_FILE
    environ = {**os.environ, **({"AGENT_SERVER_DATA_DIR": str(data_dir)} if data_dir else {})}
    try:
        return Config.load(path, environ)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
