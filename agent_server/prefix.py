"""`http.mount_prefix`: every path begins with it, but `/` and `/ok`, which health checks ask for."""

from __future__ import annotations

import json
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

WITHOUT = ("/", "/ok")


def below(prefix: str, app: ASGIApp, healthy: ASGIApp) -> ASGIApp:
    """`app` with all its paths below `prefix`; `healthy` answers at `/` and `/ok`."""

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == prefix or path.startswith(f"{prefix}/"):
            scope["root_path"] = prefix
            await app(scope, receive, send)
        elif path in WITHOUT:
            await healthy(scope, receive, send)
        else:
            await _not_found(prefix, send)

    return mounted


async def _not_found(prefix: str, send: Any) -> None:
    body = json.dumps({"detail": f"Not Found. All paths of this server begin with {prefix}"}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
