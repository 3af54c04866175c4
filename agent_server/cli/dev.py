"""The command `dev`: a server that restarts when its project changes."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import click

from agent_server.cli.ports import bind
from agent_server.cli.server import Mode, serve_process, uvicorn_config
from agent_server.cli.serving import check_exposure, format_local_url, read_config
from agent_server.cli.settings import config_path, export_options, server_options
from agent_server.config import Config, ConfigError


@click.command()
@server_options
@click.option("--reload/--no-reload", default=True, show_default=True, help="Restart when a file changes.")
def dev(reload: bool, **given: Any) -> None:
    """Serve on this machine while you write your agent.

    Logs are readable, and a change of a Python file, of langgraph.json or of its .env restarts the server. If the
    default port is in use, it takes the next free one.
    """
    run_dev(given, reload)


def run_dev(given: dict[str, Any], reload: bool) -> None:
    """Serve as `dev` does, with these options."""
    may_move = given["port"] is None and "AGENT_SERVER_PORT" not in os.environ
    os.environ.setdefault("AGENT_SERVER_BLOCKED_SECONDS", "0.2")
    os.environ.setdefault("AGENT_SERVER_LOG_FORMAT", "console")
    os.environ.setdefault("AGENT_SERVER_DRAIN_SECONDS", "0")
    export_options(given)
    config = _load_config_or_defaults() if reload else read_config()
    check_exposure(config)
    sockets = bind(config.host, config.port, may_move)
    port = sockets[0].getsockname()[1]
    moved = f"Port {config.port} is taken, so this is port {port}." if config.port not in (0, port) else ""
    mode = Mode(format_local_url(config.host, port), welcomes=True, waits=reload, moved=moved)
    os.environ["AGENT_SERVER_PORT"] = str(port)
    path = config_path()
    if reload and path is not None:
        from agent_server.cli.reload import Reloader  # its watchfiles is blocked while a command is imported

        Reloader(uvicorn_config("in the other process", config), partial(serve_process, mode), sockets, path).run()
    else:
        serve_process(mode, sockets)


def _load_config_or_defaults() -> Config:
    """Return the settings, without a wrong file's: the server process reports the error and waits."""
    try:
        return read_config()
    except click.UsageError:
        try:
            return Config.load(None, os.environ)
        except ConfigError as error:
            raise click.UsageError(str(error)) from None
