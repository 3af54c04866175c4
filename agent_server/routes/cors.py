"""CORS: which origins may read responses of the agent server's routes and of the user's own.

Litestar's own setting covers a whole app and handles preflights for all its routes. Routes beside the agent server's,
such as presigned feedback URLs, which are open to every origin, need settings of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from agent_server.access.page_origins import PageOrigins
from agent_server.asgi.custom_app import RESPONDED_BY_SERVER
from agent_server.config import CorsRules
from agent_server.errors import Unavailable

EXPOSED = ("x-pagination-total", "x-pagination-next", "content-location", "location", "x-feedback-token")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ALWAYS_SENT = ("accept", "accept-language", "content-language", "content-type")
"""Headers that pages may send regardless of `allow_headers`, as on the official server."""
Fields = list[tuple[str, str]]
MAY_CROSS = "agent_server_may_cross"
"""The key in a WebSocket's scope that holds whether a page of its origin may open it."""


class Cors:
    """Responds to preflights, and adds the CORS headers to every other response.

    `needs_key` returns whether requests need an API key at the moment: the allowed origins depend on it.
    """

    def __init__(
        self, origins: PageOrigins, needs_key: Callable[[], Awaitable[bool]], rules: CorsRules | None = None
    ) -> None:
        self._rules = rules or CorsRules()
        self._origins = origins
        self._needs_key = needs_key
        self._methods = METHODS if "*" in self._rules.methods else tuple(one.upper() for one in self._rules.methods)
        self._headers = {*ALWAYS_SENT, *(name.lower() for name in self._rules.headers)}
        self._exposed = ", ".join(dict.fromkeys((*EXPOSED, *(name.lower() for name in self._rules.exposed))))

    def middleware(self) -> Callable[..., ASGIApp]:
        """Return a middleware for our own routes: a function, since Litestar makes deep copies of other objects."""

        def wrap_routes(app: ASGIApp, **_: Any) -> ASGIApp:
            def respond(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
                if not any(name == b"origin" for name, _ in scope["headers"]):
                    return app(scope, receive, send)
                return self._handle(scope, receive, send, app)

            return respond

        return wrap_routes

    async def _handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass on the response of `next_app` with the headers; respond to a preflight."""
        headers = Headers.from_scope(scope)
        origin = headers["origin"]
        needs_key = await self._is_key_needed()
        if scope["type"] == ScopeType.WEBSOCKET:
            scope["state"][MAY_CROSS] = self._origins.allow(origin, needs_key)
            await next_app(scope, receive, send)
        elif is_preflight(scope):
            await self._preflight(origin, headers, needs_key, send)
        else:
            await next_app(scope, receive, self._mark_response(self._may(origin, needs_key), send))

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Wrap an app of the user's; add the headers where its routes do not set them themselves.

        The app is called first: it may respond to preflights, and our routes behind it do so for their own paths.
        `RESPONDED_BY_SERVER` in the scope's state records that a response is ours.
        """

        async def respond(scope: Scope, receive: Receive, send: Send) -> None:
            headers = Headers(scope["headers"])  # `from_scope` stores state in the scope that both apps would share
            if scope["type"] != ScopeType.HTTP or (origin := headers.get("origin")) is None:
                await app(scope, receive, send)
                return
            needs_key = await self._is_key_needed()
            ours: list[bool] = scope.setdefault("state", {}).setdefault(RESPONDED_BY_SERVER, [])
            has_responded = False

            async def send_with_headers(message: Message) -> None:
                nonlocal has_responded
                if message["type"] == "http.response.start" and not ours and not _has_cors(message):
                    if is_preflight(scope):
                        has_responded = True
                        await self._preflight(origin, headers, needs_key, send)
                    else:
                        self._mark(message, self._may(origin, needs_key))
                if not has_responded:
                    await send(message)

            await app(scope, receive, send_with_headers)

        return respond

    async def _is_key_needed(self) -> bool:
        """Return whether requests need an API key; while the database does not respond, assume that they do."""
        try:
            return await self._needs_key()
        except Unavailable:
            return False

    def _may(self, origin: str, needs_key: bool) -> Fields:
        if self._origins.are_all(needs_key) and not self._rules.credentials:
            return [("Access-Control-Allow-Origin", "*")]
        allowed = [("Access-Control-Allow-Origin", origin)] if self._origins.allow(origin, needs_key) else []
        credentials = [("Access-Control-Allow-Credentials", "true")] if allowed and self._rules.credentials else []
        return [("Vary", "Origin"), *allowed, *credentials]

    def _mark_response(self, fields: Fields, send: Send) -> Send:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._mark(message, fields)
            await send(message)

        return send_marked

    def _mark(self, start: Message, fields: Fields) -> None:
        headers = MutableScopeHeaders.from_message(start)
        for name, value in [*fields, ("Access-Control-Expose-Headers", self._exposed)]:
            headers.add(name, value)

    async def _preflight(self, origin: str, headers: Headers, needs_key: bool, send: Send) -> None:
        requested = headers.get("access-control-request-headers", "")
        method = headers.get("access-control-request-method", "")
        fields = self._may(origin, needs_key)
        names = [name.strip().lower() for name in requested.split(",") if name.strip()]
        problem = self._problem(self._origins.allow(origin, needs_key), method, names)
        if problem is None:
            fields += [("Access-Control-Allow-Methods", ", ".join(self._methods))]
            fields += [("Access-Control-Max-Age", str(self._rules.max_age))]
            fields += [("Access-Control-Allow-Headers", requested)] if requested else []
            fields += [("Access-Control-Allow-Private-Network", "true")]  # a page may call a private network
        else:
            length = str(len(problem.encode()))
            fields += [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", length)]
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        await send({"type": "http.response.start", "status": 400 if problem else 204, "headers": raw})
        await send({"type": "http.response.body", "body": (problem or "").encode(), "more_body": False})

    def _problem(self, is_allowed: bool, method: str, headers: Iterable[str]) -> str | None:
        """Return why a page may not make the announced request, or None if it may."""
        if not is_allowed:
            return (
                "This server does not take calls from pages of this origin; AGENT_SERVER_CORS_ORIGINS, or "
                "http.cors.allow_origins in langgraph.json, lists those that it takes calls from"
            )
        if method.upper() not in self._methods:
            return f"Pages of other origins may call this server with {', '.join(self._methods)} only"
        if "*" not in self._headers and (others := [name for name in headers if name not in self._headers]):
            return f"Pages of other origins may not send the header {others[0]} to this server"
        return None


def is_preflight(scope: Scope) -> bool:
    """Return whether the request is a CORS preflight."""
    return (
        scope["type"] == ScopeType.HTTP
        and scope["method"] == "OPTIONS"
        and any(name == b"access-control-request-method" for name, _ in scope["headers"])
    )


def _has_cors(start: Any) -> bool:
    return any(name.lower() == b"access-control-allow-origin" for name, _ in start["headers"])
