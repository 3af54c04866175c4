"""The server process: it builds the app, reports when it responds, and drains before it stops."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import FrameType
from typing import NamedTuple

import click
import uvicorn
from litestar import Litestar
from litestar.types import ASGIApp

from agent_server.app import AgentServerPlugin
from agent_server.asgi.forwarded import set_forwarded_scheme
from agent_server.asgi.garbage_collection import freeze_once_started
from agent_server.asgi.health_only import health_only
from agent_server.asgi.http_protocol import BoundedHttpProtocol
from agent_server.asgi.startup_errors import causes, explain_startup_errors
from agent_server.asgi.websocket_protocol import PatientWebSocketProtocol
from agent_server.cli.banner import banner, format_reloaded
from agent_server.cli.settings import RELOADED, export_env, load_config
from agent_server.composition import build
from agent_server.config import Config, ConfigError
from agent_server.errors import AgentServerError
from agent_server.observability.logs import configure_logs
from feedback import FeedbackError

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than clients (5 s) and load balancers (60 s) reuse one, so that none
sends a request into a closing connection."""
SHUTDOWN_SECONDS = 10
TICK_SECONDS = 1.0
KNOWN_ERRORS = (ConfigError, AgentServerError, FeedbackError, ValueError)
FAILED = 3
"""The exit status of a server that could not start, the same as Uvicorn's."""


class Mode(NamedTuple):
    """How the server process runs; the settings themselves are in the environment."""

    address: str
    """The URL at which it is reachable, without a prefix."""
    welcomes: bool = False
    """Whether it prints a banner."""
    waits: bool = False
    """Whether a supervisor starts it again after a change."""
    moved: str = ""
    """The message if it does not listen on its usual port."""


def uvicorn_config(app: str | ASGIApp, config: Config) -> uvicorn.Config:
    """Return Uvicorn's settings."""
    return uvicorn.Config(
        app,
        host=config.host,
        port=config.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        server_header=False,
        http=BoundedHttpProtocol,
        ws=PatientWebSocketProtocol,
        ws_max_size=config.max_body_bytes,
        interface="asgi3",  # uvicorn cannot tell this of a function that returns an awaitable
        proxy_headers=False,  # `asgi/forwarded.py` reads them
    )


def serve_process(mode: Mode, sockets: list[socket.socket] | None = None) -> None:
    """Serve on the sockets until a signal. Errors: `SystemExit`, after printing the reason."""
    gc.disable()  # until the app has started: nothing loaded until then is garbage
    failures: list[BaseException] = []
    try:
        config = load_config()
        export_env(config)
        configure_logs(config.log_format, config.log_level)
        built = build(config)
        app = explain_startup_errors(freeze_once_started(built), lambda error: _note_failure(error, failures))
        server = Server(uvicorn_config(_wrap_app(app, config), config), built, config, mode)
        server.run(sockets)
    except KNOWN_ERRORS as error:
        _explain([error], mode)
    except SystemExit:
        if not failures:
            raise
        _explain(failures, mode)


def _wrap_app(app: ASGIApp, config: Config) -> ASGIApp:
    return health_only(app) if config.role == "worker" else set_forwarded_scheme(app)


def _note_failure(error: BaseException, failures: list[BaseException]) -> str | None:
    """Keep an error that explains itself, to be printed in place of Uvicorn's log line."""
    if not isinstance(error, KNOWN_ERRORS):
        return None
    failures.append(error)
    return ""


def _explain(failures: list[BaseException], mode: Mode) -> None:
    error = next(iter([one for failure in failures for one in causes(failure)]))
    click.echo(f"Error: {error}", err=True)
    trace = getattr(error, "trace", "")
    if trace and os.environ.get("AGENT_SERVER_VERBOSE", "").lower() in ("1", "true", "yes", "on"):
        click.echo(trace, err=True)
    if mode.waits:
        click.echo("Waiting for a change; Ctrl+C stops.", err=True)
    raise SystemExit(FAILED)


class Server(uvicorn.Server):
    """Uvicorn's server, which also prints a banner, and drains at the first signal."""

    def __init__(self, settings: uvicorn.Config, built: Litestar, config: Config, mode: Mode) -> None:
        super().__init__(settings)
        self._plugin = built.plugins.get(AgentServerPlugin)
        self._settings = config
        self._mode = mode
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None
        self._exiting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app and listen, then report it."""
        await super().startup(sockets)
        if not self.started:
            return
        self._loop = asyncio.get_running_loop()
        self._log_started_message(sockets or [])
        if self._mode.welcomes:
            click.echo(await self._build_greeting())

    async def _build_greeting(self) -> str:
        if RELOADED in os.environ:
            return format_reloaded(self._plugin.agents)
        needs_key = bool(self._settings.auth) or await self._plugin.key_auth.keys_are_set()
        return await banner(self._settings, self._mode.address, self._plugin.agents, needs_key, self._mode.moved)

    async def main_loop(self) -> None:
        """Refresh the `Date` header each second until the exit.

        Uvicorn's loop looks for the exit ten times a second, which was a third of an idle server's CPU.
        """
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._exiting.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal; stop at the second one, or if there is nothing to drain."""
        if self._loop is None or self._draining is not None or not self._settings.drain_seconds:
            self._exit(sig, frame)
        else:
            self._loop.call_soon_threadsafe(self._begin_draining, sig, frame)

    def _exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._exiting.set)

    def _begin_draining(self, sig: int, frame: FrameType | None) -> None:
        if self._draining is None:
            self._draining = asyncio.ensure_future(_drain_and_stop(self._plugin.drain, lambda: self._exit(sig, frame)))


async def _drain_and_stop(drain: Callable[[], Awaitable[None]], stop: Callable[[], None]) -> None:
    try:
        await drain()
    finally:
        stop()
