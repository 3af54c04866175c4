"""`http.app` of `langgraph.json`: an ASGI app of the user's in front of ours. Its routes win where both have one.

Source: "How to add custom routes" in the official documentation, and `langgraph_api` 0.16.7 at work: a request whose
path the app has with other methods only is ours, and the app's middleware sees ours, too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog
from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.plugins import InitPlugin
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from agent_server.config import Config, ConfigError
from agent_server.imports import import_from, load_variable
from agent_server.lifespan import lifespan_of
from agent_server.refusal import refuse

log = structlog.get_logger("agent_server")

NO_ROUTE = (404, 405)


class HttpApp(InitPlugin):
    """The app that `http.app` names, at `path`. It starts after ours and stops before it.

    A Starlette app (FastAPI is one) gets ours as its last route, so that its middleware sees every request. Any other
    is asked first, and ours where it has no route: where it answers 404 or 405.
    """

    def __init__(self, config: Config, path: str) -> None:
        self._config = config
        self._path = path
        self._theirs: Any = None
        self._ours: Any = None
        self._state: dict[str, Any] = {}

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Start and stop the app with the server."""
        app_config.lifespan.append(self._opened)
        return app_config

    def before(self, ours: ASGIApp) -> ASGIApp:
        """Both as one app, once the server has started."""
        self._ours = ours

        async def both(scope: Scope, receive: Receive, send: Send) -> None:
            for_theirs = _copied(scope, self._state)
            if _is_starlette(self._theirs):
                await _answered(self._theirs, for_theirs, receive, send)
            else:
                await _first_theirs(self._theirs, self._ours, for_theirs, receive, send)

        return both

    @asynccontextmanager
    async def _opened(self, _server: Litestar) -> AsyncIterator[None]:
        import_from(self._config.dependencies, self._config.directory)
        self._theirs = load_variable("http.app", self._path, self._config.directory)
        if not callable(self._theirs):
            raise ConfigError(f"http.app: {self._path} is {self._theirs!r:.100}, which is no ASGI app")
        async with lifespan_of(self._theirs, "http.app") as self._state:
            with _as_last_route(self._theirs, self._ours):
                yield


def _is_starlette(app: Any) -> bool:
    """Whether it is one, asked without importing Starlette, which may not be there."""
    return any(one.__module__ == "starlette.applications" for one in type(app).__mro__)


def _copied(scope: Any, state: dict[str, Any] | None = None) -> Any:
    """A scope that an app may change without the other's knowledge; frameworks keep things of theirs in both levels."""
    return {**scope, "state": {**scope.get("state", {}), **(state or {})}}


@contextmanager
def _as_last_route(theirs: Any, ours: ASGIApp) -> Iterator[None]:
    if not _is_starlette(theirs):
        yield
        return
    from starlette.routing import Mount  # there, since their app is one of its

    async def unchanged(scope: Any, receive: Any, send: Any) -> None:
        await ours(_copied(scope), receive, send)

    last = Mount("", app=unchanged)
    theirs.router.routes.append(last)
    try:
        yield
    finally:
        theirs.router.routes.remove(last)


async def _answered(app: Any, scope: Any, receive: Any, send: Any) -> None:
    """Have the app answer; where it fails before it does, the answer is a 500, and the server's log has the rest."""
    begun = False

    async def noting(message: Any) -> None:
        nonlocal begun
        begun = True
        await send(message)

    try:
        await app(scope, receive, noting)
    except Exception as error:
        log.error("http_app_failed", method=scope.get("method"), path=scope["path"], exc_info=error)
        if begun or scope["type"] != "http":
            raise
        await refuse(noting, 500, "Internal Server Error. The server's log has the details")


async def _first_theirs(theirs: Any, ours: Any, scope: Any, receive: Any, send: Any) -> None:
    """Their answer, or ours where they have no route; theirs that there is none, where we have none either."""
    read: list[Message] = []
    held: list[Any] = []

    async def reading() -> Message:
        read.append(await receive())
        return read[-1]

    async def holding(message: Any) -> None:
        if held or (message["type"] == "http.response.start" and message["status"] in NO_ROUTE):
            held.append(message)
        else:
            await send(message)

    async def again() -> Message:
        return read.pop(0) if read else await receive()

    await _answered(theirs, _copied(scope), reading, holding)
    if held:
        await _then_ours(ours, _copied(scope), again, send, held)


async def _then_ours(ours: Any, scope: Any, receive: Any, send: Any, theirs: list[Any]) -> None:
    is_nowhere = False

    async def choosing(message: Any) -> None:
        nonlocal is_nowhere
        if message["type"] == "http.response.start" and message["status"] == 404:
            is_nowhere = "route_handler" not in scope  # Litestar notes there which handler it found
        if not is_nowhere:
            await send(message)

    await ours(scope, receive, choosing)
    for message in theirs if is_nowhere else ():
        await send(message)
