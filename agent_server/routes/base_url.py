"""The server's address as clients see it."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection

from agent_server.config import Config


def base_url(request: ASGIConnection[Any, Any, Any, Any], config: Config) -> str:
    """Return `https://host/prefix` without a trailing slash: the configured public URL, or else the request's own.

    Forwarded headers count only if a proxy is trusted (`trust_forwarded`), since any client can send them.
    """
    if config.public_url:
        return config.public_url.rstrip("/")
    own = request.base_url
    scheme, host, prefix = _HTTP.get(own.scheme, own.scheme), own.netloc, own.path
    if config.trust_forwarded:
        scheme = _read_first(request, "x-forwarded-proto") or scheme
        host = _read_first(request, "x-forwarded-host") or host
        prefix = _read_first(request, "x-forwarded-prefix") or prefix
    return f"{scheme}://{host}{prefix}".rstrip("/")


_HTTP = {"ws": "http", "wss": "https"}


def _read_first(request: ASGIConnection[Any, Any, Any, Any], header: str) -> str:
    """Return the outermost proxy's value: the first of a comma-separated list."""
    return request.headers.get(header, "").split(",")[0].strip()
