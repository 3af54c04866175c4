"""The commands `dev`, `serve` and `worker`."""

from __future__ import annotations

import asyncio
import os
import socket
from functools import partial
from typing import Any

import click

from agent_server.access.exposure_check import check_is_closed
from agent_server.cli.ports import DEFAULT_PORT, bind
from agent_server.cli.reload import Reloader
from agent_server.cli.server import Mode, serve_process, uvicorn_config
from agent_server.cli.settings import config_path, export_options, load_config, server_options
from agent_server.config import Config, ConfigError
from agent_server.errors import AgentServerError

DRAIN_OPTION = click.option(
    "--drain-seconds",
    type=click.FloatRange(0),
    help="At a stop, how long runs at work may take to end.  [default: 5]",
)
JOBS_OPTION = click.option("--n-jobs-per-worker", "jobs", type=click.IntRange(1), help="Runs at once.  [default: 100]")
WORKER_PORT = 2025


@click.command()
@server_options
@click.option("--reload/--no-reload", default=True, show_default=True, help="Restart when a file changes.")
def dev(reload: bool, **given: Any) -> None:
    """Serve on this machine while you write your agent.

    Logs are readable, and a change of a Python file, of langgraph.json or of its .env restarts the server. Where the
    default port is taken, the next free one is used.
    """
    run_dev(given, reload)


def run_dev(given: dict[str, Any], reload: bool) -> None:
    """Serve as `dev` does, with these options."""
    may_move = given["port"] is None and "AGENT_SERVER_PORT" not in os.environ
    os.environ.setdefault("AGENT_SERVER_BLOCKED_SECONDS", "0.2")
    os.environ.setdefault("AGENT_SERVER_LOG_FORMAT", "console")
    os.environ.setdefault("AGENT_SERVER_DRAIN_SECONDS", "0")
    export_options(given)
    config = _config_or_defaults() if reload else _config()
    _check_exposure(config)
    sockets = bind(config.host, config.port, may_move)
    port = sockets[0].getsockname()[1]
    moved = f"Port {config.port} is taken, so this is port {port}." if config.port not in (0, port) else ""
    mode = Mode(_url(config.host, port), welcomes=True, waits=reload, moved=moved)
    os.environ["AGENT_SERVER_PORT"] = str(port)
    _serve(mode, config, sockets, reload)


@click.command()
@server_options
@JOBS_OPTION
@DRAIN_OPTION
@click.option(
    "--no-worker", is_flag=True, default=None, help="Execute no runs here: `agent-server worker` does, elsewhere."
)
def serve(no_worker: bool | None, **given: Any) -> None:
    """Serve with production settings: JSON logs, no reload.

    With --no-worker this process only answers requests; `agent-server worker` executes the runs, in other processes
    that share DATABASE_URL (and REDIS_URL, for live streams).
    """
    _serve_production(given, "api" if no_worker else None, DEFAULT_PORT)


@click.command()
@server_options
@JOBS_OPTION
@DRAIN_OPTION
def worker(**given: Any) -> None:
    """Execute runs for servers that share DATABASE_URL.

    It serves /ok and /metrics only, on port 2025 unless --port or AGENT_SERVER_PORT names another.
    """
    _serve_production(given, "worker", WORKER_PORT)


def _serve_production(given: dict[str, Any], role: str | None, port: int) -> None:
    os.environ.setdefault("AGENT_SERVER_LOG_FORMAT", "json")
    os.environ.setdefault("AGENT_SERVER_PORT", str(port))
    export_options({**given, "role": role})
    config = _config()
    _check_exposure(config)
    sockets = bind(config.host, config.port, may_move=False)
    os.environ["AGENT_SERVER_PORT"] = str(sockets[0].getsockname()[1])
    _serve(Mode(_url(config.host, sockets[0].getsockname()[1])), config, sockets, reload=False)


def _serve(mode: Mode, config: Config, sockets: list[socket.socket], reload: bool) -> None:
    path = config_path()
    if reload and path is not None:
        Reloader(uvicorn_config("in the other process", config), partial(serve_process, mode), sockets, path).run()
    else:
        serve_process(mode, sockets)


def _config() -> Config:
    try:
        return load_config()
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def _config_or_defaults() -> Config:
    """Return the settings; without those of the file, where it is wrong: the server process says so, and waits."""
    try:
        return load_config()
    except ConfigError:
        try:
            return Config.load(None, os.environ)
        except ConfigError as error:
            raise click.UsageError(str(error)) from None


def _check_exposure(config: Config) -> None:
    try:
        asyncio.run(check_is_closed(config))
    except (AgentServerError, ConfigError) as error:
        raise click.ClickException(str(error)) from None


def _url(host: str, port: int) -> str:
    """Return the URL that programs on this machine reach the server at."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"
