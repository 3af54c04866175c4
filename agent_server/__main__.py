"""The command line: it reads the configuration, and serves what `composition.py` builds of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import uvicorn
from litestar.types import ASGIApp

from agent_server.access.api_keys import ApiKeys
from agent_server.access.cli import keys_commands
from agent_server.access.exposure_check import check_is_closed
from agent_server.asgi.forwarded import with_forwarded_scheme
from agent_server.asgi.garbage_collection import freezing_once_started
from agent_server.asgi.http_protocol import BoundedHttpProtocol
from agent_server.asgi.startup_errors import telling_startup_failures
from agent_server.composition import build, feedback_without_server
from agent_server.config import Config, ConfigError
from agent_server.database import open_database
from agent_server.database.backup import back_up
from agent_server.errors import AgentServerError, Conflict, Invalid, NotFound
from agent_server.observability.logs import configure_logs
from feedback import FeedbackError, FeedbackPlugin
from feedback.cli import feedback_commands

CONFIG_VARIABLE = "AGENT_SERVER_CONFIG"
"""Where the command line leaves the configuration file's path for the server process, which a reload starts afresh."""
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than clients (5 s) and balancers (60 s) use one again, so that none
sends a request into a connection that is just being closed."""


def app() -> ASGIApp:
    """The app that the environment configures, for `uvicorn --factory agent_server.__main__:app`."""
    try:
        config = _load()
        configure_logs(config.log_format, config.log_level)
        server = with_forwarded_scheme(freezing_once_started(build(config)))
        return telling_startup_failures(server, (ConfigError, AgentServerError, FeedbackError))
    except ValueError as error:
        raise SystemExit(f"Error: {error}") from None


def _load() -> Config:
    path = os.environ.get(CONFIG_VARIABLE)
    config = Config.load(Path(path) if path else None, os.environ)
    for name, value in config.env.items():
        os.environ.setdefault(name, value)
    return Config.load(Path(path) if path else None, os.environ)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="agent-server")
def main() -> None:
    """Runs AI agents over HTTP, and collects what their users say of the answers.

    Everything is embedded by default: one process, SQLite files in one data directory. DATABASE_URL=postgresql://…
    moves it to PostgreSQL. agent_server/README.md lists every setting.
    """


def _options(command: Any) -> Any:
    """The options that `dev` and `serve` share. Left out, the environment or the default decides."""
    for option in (
        click.option(
            "--allow-anyone",
            is_flag=True,
            default=None,
            help="Serve on any address without API keys, to whoever reaches it.",
        ),
        click.option(
            "--data-dir",
            type=click.Path(file_okay=False, path_type=Path),
            help="Where the SQLite files are.  [default: .agent_server beside the config file]",
        ),
        click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on.  [default: 2024]"),
        click.option("--host", help="The address to listen on.  [default: 127.0.0.1]"),
        click.option(
            "--config",
            "config_path",
            type=click.Path(dir_okay=False, path_type=Path),
            help="The configuration file.  [default: langgraph.json in this directory]",
        ),
    ):
        command = option(command)
    return command


@main.command()
@_options
@click.option("--reload/--no-reload", default=True, show_default=True, help="Start anew when a Python file changes.")
def dev(reload: bool, **given: Any) -> None:
    """Serve on this machine while you write your agent: readable logs, and a reload when a file changes."""
    os.environ.setdefault("AGENT_SERVER_BLOCKED_SECONDS", "0.2")
    config = _configure(given, log_format="console")
    click.echo(_welcome(config))
    _serve(config, reload_dirs=[str(config.directory)] if reload else None)


@main.command()
@_options
@click.option("--n-jobs-per-worker", type=click.IntRange(1), help="Runs at once.  [default: 100]")
def serve(n_jobs_per_worker: int | None, **given: Any) -> None:
    """Serve with production settings: JSON logs, no reload."""
    if n_jobs_per_worker is not None:
        os.environ["AGENT_SERVER_JOBS"] = str(n_jobs_per_worker)
    _serve(_configure(given, log_format="json"))


def _configure(given: dict[str, Any], log_format: str) -> Config:
    """Put what the command line says into the environment, where the server process finds it, and read it back."""
    path = given.pop("config_path") or Path("langgraph.json")
    if not path.exists():
        raise click.UsageError(f"There is no {path}; name your configuration file with --config")
    os.environ[CONFIG_VARIABLE] = str(path.resolve())
    os.environ.setdefault("AGENT_SERVER_LOG_FORMAT", log_format)
    for name, value in given.items():
        if value is not None:
            os.environ[f"AGENT_SERVER_{name.upper()}"] = str(Path(value).resolve() if name == "data_dir" else value)
    try:
        return _load()
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def _serve(config: Config, reload_dirs: list[str] | None = None) -> None:
    configure_logs(config.log_format, config.log_level)
    try:
        asyncio.run(check_is_closed(config))
    except AgentServerError as error:
        raise click.ClickException(str(error)) from None
    uvicorn.run(
        "agent_server.__main__:app",
        factory=True,
        host=config.host,
        port=config.port,
        reload=reload_dirs is not None,
        reload_dirs=reload_dirs,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        server_header=False,
        http=BoundedHttpProtocol,
        proxy_headers=False,  # `asgi/forwarded.py` reads them
    )


def _welcome(config: Config) -> str:
    address = f"http://{config.host}:{config.port}"
    own = [f"{address}/"] if config.http.app else []
    pages = "\n         ".join([*own, f"{address}/feedback/ui", f"{address}/docs"])
    return f"""
  Agent server on {address}
  Agents: {", ".join(sorted(config.graphs)) or 'none yet; name them under "graphs" in langgraph.json'}

  Open   {pages}
  Paste  curl -N {address}/runs/stream -H 'Content-Type: application/json' -d '{{
           "assistant_id": "agent", "stream_mode": "updates", "feedback_keys": ["user_liked", "user_disliked"],
           "input": {{"messages": [{{"role": "user", "content": "Tell me a joke about databases."}}]}}}}'
  Then   POST {{"score": 1}} to one of the URLs of the feedback event, and see it at {address}/api/v1/feedback
"""


def _config_of(path: Path | None, data_dir: Path | None) -> Config:
    here = Path("langgraph.json")
    try:
        config = Config.load(path or (here if here.exists() else None), os.environ)
    except ConfigError as error:
        raise Invalid(str(error)) from None
    return config if data_dir is None else replace(config, data_dir=data_dir)


@main.command()
@click.option("--config", "path", type=click.Path(dir_okay=False, path_type=Path), help="The configuration file.")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Where the SQLite files are.")
@click.argument("directory", type=click.Path(path_type=Path))
def backup(path: Path | None, data_dir: Path | None, directory: Path) -> None:
    """Copy the data into DIRECTORY, also while the server runs.

    DIRECTORY must not exist yet. To go back to the copy, start a server with it as --data-dir.
    """
    try:
        config = _config_of(path, data_dir)
        if config.database_url is not None:
            raise Conflict("The data is in PostgreSQL (DATABASE_URL); copy it with pg_dump")
        for file in back_up(config.data_dir, directory):
            click.echo(file)
    except AgentServerError as error:
        raise click.ClickException(str(error)) from None


def _config_of_feedback(path: Path | None, data_dir: Path | None) -> Config:
    config = _config_of(path, data_dir)
    if config.database_url is None and not (config.data_dir / "feedback.db").exists():
        raise NotFound(f"There is no feedback in {config.data_dir}; name another with --data-dir, or a --config")
    return config


@asynccontextmanager
async def feedback_alone(path: Path | None, data_dir: Path | None) -> AsyncIterator[FeedbackPlugin]:
    """The feedback module without a server, for the command line."""
    async with feedback_without_server(_config_of_feedback(path, data_dir)) as feedback:
        yield feedback


@asynccontextmanager
async def keys_alone(path: Path | None, data_dir: Path | None) -> AsyncIterator[ApiKeys]:
    """The API keys without a server, also while servers run on the database."""
    config = _config_of(path, data_dir)
    async with open_database(config.url_of("runs")) as database:
        await database.migrate("agent_server")
        yield ApiKeys(database)


main.add_command(feedback_commands(feedback_alone))
main.add_command(keys_commands(keys_alone))


if __name__ == "__main__":
    main()
