"""The routes of a worker process: those that probes and Prometheus read."""

from __future__ import annotations

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from agent_server.asgi.error_response import refuse

PATHS = ("/ok", "/metrics")
DETAIL = "This process only executes runs; it serves /ok and /metrics. Send other requests to a server"


def health_only(app: ASGIApp) -> ASGIApp:
    """Return the app; every path except `/ok` and `/metrics` gets 404."""

    async def healthy(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and not scope["path"].endswith(PATHS):
            await refuse(send, 404, DETAIL)
        elif scope["type"] == ScopeType.WEBSOCKET:
            await send({"type": "websocket.close", "code": 1008, "reason": DETAIL})
        else:
            await app(scope, receive, send)

    return healthy
