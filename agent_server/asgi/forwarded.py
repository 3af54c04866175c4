"""The client's address and scheme as a proxy in front reports them: `X-Forwarded-For` and `X-Forwarded-Proto`.

The headers count if `trust_forwarded` is set and they come from a proxy on this machine; any other client could forge
them. The command line turns uvicorn's own handling off: it replaces the address of the connection's peer, and takes a
hop without a readable address for the client's.
"""

from __future__ import annotations

from collections.abc import Awaitable
from ipaddress import ip_address
from typing import Any

from litestar.types import ASGIApp, Receive, Send

from agent_server.config.addresses import is_loopback

_SCHEMES = (b"http", b"https")


def set_forwarded_scheme(app: ASGIApp) -> ASGIApp:
    """Return the app; requests through a proxy on this machine get the scheme of the client's request."""

    def respond(scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] in ("http", "websocket"):
            schemes = [value.strip() for name, value in scope["headers"] if name == b"x-forwarded-proto"]
            if schemes and schemes[-1] in _SCHEMES and _is_local(scope):
                scheme = schemes[-1].decode()
                scope["scheme"] = scheme if scope["type"] == "http" else scheme.replace("http", "ws")
        return app(scope, receive, send)

    return respond


def client_address(scope: Any, trust_forwarded: bool) -> str | None:
    """Return the address of the client: the nearest hop behind a trusted proxy, else the connection's peer."""
    peer: str | None = scope["client"][0] if scope.get("client") else None
    if not trust_forwarded and not _is_local(scope):
        return peer
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    hop = ",".join(lines).rpartition(",")[2].strip()
    return hop if _is_address(hop) else peer


def _is_local(scope: Any) -> bool:
    client = scope.get("client")
    return client is not None and is_loopback(client[0])


def _is_address(hop: str) -> bool:
    try:
        ip_address(hop)
    except ValueError:
        return False
    return True
