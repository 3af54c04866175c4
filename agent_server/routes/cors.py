"""Which pages of other origins may call the agent server: CORS, for its own routes alone.

Litestar's own setting is the whole app's, and answers preflights for every route in it; what stands beside the agent
server, as presigned feedback URLs do, which are open to every origin, says for itself who may call it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from agent_server.config import CorsRules

EXPOSED = ("x-pagination-total", "x-pagination-next", "content-location", "location", "x-feedback-token")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ALWAYS_SENT = ("accept", "accept-language", "content-language", "content-type")
"""Headers that pages may send whatever `allow_headers` says, as on the official server."""
Fields = list[tuple[str, str]]
MAY_CROSS = "agent_server_may_cross"
"""Where the scope of a WebSocket says whether a page of the origin that it comes from may open it."""


class Cors(ASGIMiddleware):
    """Answers preflights, and says of every other answer which origin may read it. `*` among `origins` is every one."""

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET)

    def __init__(self, origins: Sequence[str], rules: CorsRules | None = None) -> None:
        self._rules = rules or CorsRules()
        self._all = "*" in origins
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._pattern = re.compile(self._rules.origin_pattern) if self._rules.origin_pattern else None
        self._methods = METHODS if "*" in self._rules.methods else tuple(one.upper() for one in self._rules.methods)
        self._headers = {*ALWAYS_SENT, *(name.lower() for name in self._rules.headers)}
        self._exposed = ", ".join(dict.fromkeys((*EXPOSED, *(name.lower() for name in self._rules.exposed))))

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """The answer of `next_app` with the headers; to a preflight, an answer of its own."""
        headers = Headers.from_scope(scope)
        if (origin := headers.get("origin")) is None:
            await next_app(scope, receive, send)
        elif scope["type"] == ScopeType.WEBSOCKET:
            scope["state"][MAY_CROSS] = self._is_allowed(origin)
            await next_app(scope, receive, send)
        elif (
            scope["type"] == ScopeType.HTTP
            and scope["method"] == "OPTIONS"
            and (method := headers.get("access-control-request-method"))
        ):
            await self._preflight(origin, method, headers.get("access-control-request-headers", ""), send)
        else:
            await next_app(scope, receive, self._marking(origin, send))

    def _is_allowed(self, origin: str) -> bool:
        return (
            self._all
            or origin.lower() in self._origins
            or (self._pattern is not None and self._pattern.fullmatch(origin) is not None)
        )

    def _may(self, origin: str) -> Fields:
        if self._all and not self._rules.credentials:
            return [("Access-Control-Allow-Origin", "*")]
        allowed = [("Access-Control-Allow-Origin", origin)] if self._is_allowed(origin) else []
        credentials = [("Access-Control-Allow-Credentials", "true")] if allowed and self._rules.credentials else []
        return [("Vary", "Origin"), *allowed, *credentials]

    def _marking(self, origin: str, send: Send) -> Send:
        async def marking(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders.from_message(message)
                for name, value in [*self._may(origin), ("Access-Control-Expose-Headers", self._exposed)]:
                    headers.add(name, value)
            await send(message)

        return marking

    async def _preflight(self, origin: str, method: str, asked: str, send: Send) -> None:
        fields = self._may(origin)
        problem = self._problem(origin, method, [name.strip().lower() for name in asked.split(",") if name.strip()])
        if problem is None:
            fields += [("Access-Control-Allow-Methods", ", ".join(self._methods))]
            fields += [("Access-Control-Max-Age", str(self._rules.max_age))]
            fields += [("Access-Control-Allow-Headers", asked)] if asked else []
        else:
            length = str(len(problem.encode()))
            fields += [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", length)]
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        await send({"type": "http.response.start", "status": 400 if problem else 204, "headers": raw})
        await send({"type": "http.response.body", "body": (problem or "").encode(), "more_body": False})

    def _problem(self, origin: str, method: str, headers: Iterable[str]) -> str | None:
        """Why a page of `origin` may not make the request that it asks for; nothing where it may."""
        if not self._is_allowed(origin):
            return "This server does not take calls from pages of this origin"
        if method.upper() not in self._methods:
            return f"Pages of other origins may call this server with {', '.join(self._methods)} only"
        if "*" not in self._headers and (others := [name for name in headers if name not in self._headers]):
            return f"Pages of other origins may not send the header {others[0]} to this server"
        return None
