"""The commands `serve` and `worker`."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import click

from agent_server.access.exposure_check import check_is_closed
from agent_server.cli.ports import DEFAULT_PORT, bind
from agent_server.cli.server import Mode, serve_process
from agent_server.cli.settings import export_options, load_config, server_options
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
@JOBS_OPTION
@DRAIN_OPTION
@click.option(
    "--no-worker", is_flag=True, default=None, help="Execute no runs here: `agent-server worker` does, elsewhere."
)
def serve(no_worker: bool | None, **given: Any) -> None:
    """Serve with production settings: JSON logs, no reload.

    With --no-worker this process only handles requests; `agent-server worker` executes the runs, in other processes
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
    config = read_config()
    check_exposure(config)
    sockets = bind(config.host, config.port, may_move=False)
    os.environ["AGENT_SERVER_PORT"] = str(sockets[0].getsockname()[1])
    serve_process(Mode(format_local_url(config.host, sockets[0].getsockname()[1])), sockets)


def read_config() -> Config:
    try:
        return load_config()
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def check_exposure(config: Config) -> None:
    try:
        asyncio.run(check_is_closed(config))
    except (AgentServerError, ConfigError) as error:
        raise click.ClickException(str(error)) from None


def format_local_url(host: str, port: int) -> str:
    """Return the URL that programs on this machine use for the server."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"
