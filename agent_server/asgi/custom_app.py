"""`http.app` of `langgraph.json`: an ASGI app of the user's in front of ours; its routes take precedence.

Source: "How to add custom routes" in the official documentation, and the behaviour of `langgraph_api` 0.16.7: our
routes handle a request whose path the app has only with other methods, and the app's middleware also wraps ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog
from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.plugins import InitPlugin
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from agent_server.asgi.error_response import get_headers, refuse
from agent_server.asgi.lifespan import run_lifespan
from agent_server.asgi.live_connection import CONNECTION
from agent_server.config import Config, ConfigError
from agent_server.config.user_code import load_variable
from agent_server.errors import AgentServerError, ClientLeft

log = structlog.get_logger("agent_server")

NO_ROUTE = (404, 405)

Guard = Callable[[Any], Awaitable[None]]
"""Checks that the request of an ASGI scope is authenticated. Errors: `AgentServerError`."""
RESPONDED_BY_SERVER = "agent_server_responded"
"""The key in a request's state of a list that becomes non-empty once one of our routes responds."""


class HttpApp(InitPlugin):
    """The app that `http.app` names, at `path`. It starts after ours and stops before it.

    A Starlette app (FastAPI is one) gets ours as its last route, so that its middleware wraps every request. Any other
    app is called first, and ours if the app has no route, that is, responds with 404 or 405.
    """

    def __init__(self, config: Config, path: str, guard: Guard | None = None) -> None:
        """`guard`, if given, is called before each of the app's own routes."""
        self._config = config
        self._path = path
        self._guard = guard
        self._user_app: Any = None
        self._ours: Any = None
        self._state: dict[str, Any] = {}

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Start and stop the app with the server."""
        app_config.lifespan.append(self._run_app)
        return app_config

    def mount_before(self, ours: ASGIApp) -> ASGIApp:
        """Return both as one app, usable once the server has started."""
        self._ours = _record_responses(ours)

        async def respond(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("state", {}).setdefault(RESPONDED_BY_SERVER, [])
            scope["state"].pop(CONNECTION, None)  # every part of a response goes through the user's middleware
            scope_below = _copy_scope(scope, self._state)
            if _is_starlette(self._user_app):
                await _call_guarded(self._user_app, scope_below, receive, send)
            else:
                await _respond_user_app_first(self._user_app, self._ours, scope_below, receive, send)

        return respond

    @asynccontextmanager
    async def _run_app(self, _server: Litestar) -> AsyncIterator[None]:
        self._user_app = load_variable("http.app", self._path, self._config)
        if not callable(self._user_app):
            raise ConfigError(f"http.app: {self._path} is {self._user_app!r:.100}, which is no ASGI app")
        if self._guard is not None and not _is_starlette(self._user_app):
            raise ConfigError(
                f"http.enable_custom_route_auth needs an app of Starlette or FastAPI, whose routes it can tell "
                f"from its own; {self._path} is a {type(self._user_app).__name__}. Authenticate in the app itself"
            )
        async with run_lifespan(self._user_app, "http.app") as self._state:
            with _as_last_route(self._user_app, self._ours, self._guard):
                yield


def _record_responses(ours: ASGIApp) -> ASGIApp:
    """Return our app; it records in the request's state that a route of ours responds."""

    async def record(scope: Any, receive: Any, send: Any) -> None:
        async def send_recorded(message: Any) -> None:
            if message["type"] == "http.response.start" and "route_handler" in scope:  # set if Litestar found a route
                scope["state"][RESPONDED_BY_SERVER].append(True)
            await send(message)

        await ours(scope, receive, send_recorded if scope["type"] == "http" else send)

    return record


def _is_starlette(app: Any) -> bool:
    """Return whether it is a Starlette app, without importing Starlette, which may not be installed."""
    return any(one.__module__ == "starlette.applications" for one in type(app).__mro__)


def _copy_scope(scope: Any, state: dict[str, Any] | None = None) -> Any:
    """Return a copy of the scope, in both levels of which an app may store data without affecting the other."""
    return {**scope, "state": {**scope.get("state", {}), **(state or {})}}


@contextmanager
def _as_last_route(user_app: Any, ours: ASGIApp, guard: Guard | None) -> Iterator[None]:
    if not _is_starlette(user_app):
        yield
        return
    from starlette.routing import Mount  # imported here: only a Starlette app needs it

    async def respond_last(scope: Any, receive: Any, send: Any) -> None:
        await ours(_copy_scope(scope), receive, send)

    last = Mount("", app=respond_last)
    user_app.router.routes.append(last)
    unguarded = user_app.router.middleware_stack
    if guard is not None:
        user_app.router.middleware_stack = _guard_routes(unguarded, user_app.router.routes, last, guard)
    try:
        yield
    finally:
        user_app.router.routes.remove(last)
        user_app.router.middleware_stack = unguarded


def _guard_routes(routing: Any, routes: Sequence[Any], ours: Any, guard: Guard) -> ASGIApp:
    """Return an app's routing, which runs behind its middleware, with the guard before the app's own routes."""
    from starlette.routing import Match

    async def guard_and_route(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            found = next(route for route in routes if route.matches(scope)[0] is Match.FULL)
            try:
                if found is not ours:
                    await guard(scope)
            except AgentServerError as error:
                await _refuse(scope, send, error)
                return
        await routing(scope, receive, send)

    return guard_and_route


async def _refuse(scope: Any, send: Any, error: AgentServerError) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": str(error)[:100]})
    else:
        await refuse(send, error.status_code, str(error), get_headers(error))


async def _call_guarded(app: Any, scope: Any, receive: Any, send: Any) -> None:
    """Call the app; if it fails before it responds, respond with a 500 and log the details."""
    begun = False

    async def send_noted(message: Any) -> None:
        nonlocal begun
        begun = True
        await send(message)

    try:
        await app(scope, receive, send_noted)
    except ClientLeft as error:
        if not begun:
            await refuse(send_noted, error.status_code, str(error))
    except Exception as error:
        log.error("http_app_failed", method=scope.get("method"), path=scope["path"], exc_info=error)
        if begun or scope["type"] != "http":
            raise
        await refuse(send_noted, 500, "Internal Server Error. The server's log has the details")


async def _respond_user_app_first(user_app: Any, ours: Any, scope: Any, receive: Any, send: Any) -> None:
    """Send the user's app's response, or ours if it has no route; if neither has one, send the user's 404."""
    read: list[Message] = []
    held: list[Any] = []
    is_socket, is_open = scope["type"] == "websocket", False

    async def receive_recorded() -> Message:
        read.append(await receive())
        return read[-1]

    async def send_or_hold(message: Any) -> None:
        nonlocal is_open
        is_open = is_open or message["type"] == "websocket.accept"
        if held or _is_refusal(message, is_open):
            held.append(message)
        else:
            await send(message)

    async def receive_again() -> Message:
        return read.pop(0) if read else await receive()

    try:
        await (
            user_app(_copy_scope(scope), receive_recorded, send_or_hold)
            if is_socket
            else _call_guarded(user_app, _copy_scope(scope), receive_recorded, send_or_hold)
        )
    except Exception:
        if not is_socket or is_open:
            raise
        held.append(_CLOSED)  # an app without WebSocket support raises
    if held:
        await _respond_server_second(ours, _copy_scope(scope), receive_again, send, held)


_CLOSED = {"type": "websocket.close", "code": 1000}


def _is_refusal(message: Any, is_open: bool) -> bool:
    """Return whether the message means that the app has no such route: 404, 405, or a refused WebSocket."""
    if message["type"] == "http.response.start":
        return message["status"] in NO_ROUTE
    return not is_open and message["type"].startswith(("websocket.close", "websocket.http.response"))


async def _respond_server_second(ours: Any, scope: Any, receive: Any, send: Any, held: list[Any]) -> None:
    is_nowhere = False

    async def send_unless_missing(message: Any) -> None:
        nonlocal is_nowhere
        if message["type"] == "websocket.close" or message.get("status") == 404:
            is_nowhere = "route_handler" not in scope  # Litestar stores the handler that it found there
        if not is_nowhere:
            await send(message)

    await ours(scope, receive, send_unless_missing)
    for message in held if is_nowhere else ():
        await send(message)
