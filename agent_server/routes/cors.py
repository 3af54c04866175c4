"""Which pages of other origins may call the agent server: CORS, for its own routes alone.

Litestar's own setting is the whole app's, and answers preflights for every route in it; what stands beside the agent
server, as presigned feedback URLs do, which are open to every origin, says for itself who may call it.
"""

from __future__ import annotations

from collections.abc import Sequence

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

EXPOSED = "x-pagination-total, x-pagination-next, content-location, location, x-feedback-token"
MAX_AGE = "600"
METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
Fields = list[tuple[str, str]]


class Cors(ASGIMiddleware):
    """Answers preflights, and says of every other answer which origin may read it. `*` among `origins` is every one."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, origins: Sequence[str]) -> None:
        self._all = "*" in origins
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """The answer of `next_app` with the headers; to a preflight, an answer of its own."""
        headers = Headers.from_scope(scope)
        if (origin := headers.get("origin")) is None:
            await next_app(scope, receive, send)
        elif (
            scope["type"] == ScopeType.HTTP
            and scope["method"] == "OPTIONS"
            and "access-control-request-method" in headers
        ):
            await self._preflight(origin, headers.get("access-control-request-headers", ""), send)
        else:
            await next_app(scope, receive, self._marking(origin, send))

    def _may(self, origin: str) -> Fields:
        if self._all:
            return [("Access-Control-Allow-Origin", "*")]
        allowed = origin.lower() in self._origins
        return [("Vary", "Origin"), *([("Access-Control-Allow-Origin", origin)] if allowed else [])]

    def _marking(self, origin: str, send: Send) -> Send:
        async def marking(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders.from_message(message)
                for name, value in [*self._may(origin), ("Access-Control-Expose-Headers", EXPOSED)]:
                    headers.add(name, value)
            await send(message)

        return marking

    async def _preflight(self, origin: str, asked: str, send: Send) -> None:
        fields = self._may(origin)
        if allowed := self._all or len(fields) > 1:
            fields += [("Access-Control-Allow-Methods", METHODS), ("Access-Control-Max-Age", MAX_AGE)]
            fields += [("Access-Control-Allow-Headers", asked)] if asked else []
        body = b"" if allowed else b"This server does not take calls from pages of this origin"
        fields += [] if allowed else [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        await send({"type": "http.response.start", "status": 204 if allowed else 400, "headers": raw})
        await send({"type": "http.response.body", "body": body, "more_body": False})
