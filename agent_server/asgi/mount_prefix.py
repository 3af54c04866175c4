"""`http.mount_prefix`: prefix of every path except `/` and `/ok`, which health checks request."""

from __future__ import annotations

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from agent_server.asgi.error_response import refuse

WITHOUT = ("/", "/ok")


def mount_below(prefix: str, app: ASGIApp, healthy: ASGIApp) -> ASGIApp:
    """Return `app` with all its paths below `prefix`; `healthy` handles `/` and `/ok`."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == prefix or path.startswith(f"{prefix}/"):
            scope["root_path"] = prefix
            await app(scope, receive, send)
        elif path in WITHOUT:
            await healthy(scope, receive, send)
        elif scope["type"] == ScopeType.WEBSOCKET:
            await send({"type": "websocket.close", "code": 4404, "reason": "Not Found"})
        else:
            await refuse(send, 404, f"Not Found. All paths of this server begin with {prefix}")

    return respond
