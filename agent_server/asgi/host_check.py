"""Check the `Host` of every request once, before anything uses it: a URL, an access decision, a log line."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from agent_server.asgi.error_response import refuse

_HOST = re.compile(rb"(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?")
"""A name, an IPv4 address or an IPv6 address in brackets, and a port (RFC 3986, restricted to valid host names)."""
_HTTP_WITHOUT_HOST = ("1.0",)
_MESSAGE = "The request's Host header is not a host name or address with an optional port, such as localhost:2024"


def check_host(app: ASGIApp, trust_forwarded: bool = False) -> ASGIApp:
    """Return the app behind a check of `Host` (and `X-Forwarded-Host`, if it is trusted): 400 for a bad one."""

    def respond(scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] in ("http", "websocket") and not _is_valid(scope, trust_forwarded):
            return refuse_connection(scope, send, 400, _MESSAGE)
        return app(scope, receive, send)

    return respond


def is_host(value: bytes) -> bool:
    """Return whether the value of a `Host` header is a host with an optional, valid port."""
    found = _HOST.fullmatch(value)
    return found is not None and int(found[1] or 0) <= 65535


def _is_valid(scope: Scope, trust_forwarded: bool) -> bool:
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if not hosts:
        return scope.get("http_version") in _HTTP_WITHOUT_HOST
    if len(hosts) > 1 or not is_host(hosts[0]):
        return False
    return not trust_forwarded or all(is_host(one) for one in _list_forwarded_hosts(scope["headers"]))


def _list_forwarded_hosts(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[bytes]:
    for name, value in headers:
        if name == b"x-forwarded-host":
            yield from (one.strip() for one in value.split(b",") if one.strip())


async def refuse_connection(scope: Any, send: Send, status: int, detail: str) -> None:
    """Respond to a request with an error, or refuse a WebSocket."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": detail[:100]})
    else:
        await refuse(send, status, detail)
