"""The headers of presigned URLs: open to all origins (`origins.py` restricts that), no caching, no referrer."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request

from feedback.errors import Invalid

TOKEN_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
PREFLIGHT_HEADERS = {
    **TOKEN_HEADERS,
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "content-type, x-api-key, authorization, idempotency-key",
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Max-Age": "7200",
}
_ADDRESS = re.compile(r"https?://[A-Za-z0-9_.:\[\]-]+/[A-Za-z0-9_.~/-]*")


def preflight(requested: str | None) -> dict[str, str]:
    """Return the response headers of a preflight, which allow all requested headers."""
    names = (
        requested if requested and requested.isascii() and requested.isprintable() and len(requested) < 1000 else None
    )
    return {**PREFLIGHT_HEADERS, **({"Access-Control-Allow-Headers": names} if names else {})}


def base_url(request: Request[Any, Any, Any], public_url: str | None, trust_forwarded: bool) -> str:
    """Return this service's base URL without a trailing slash: the configured one, or the request's.

    `X-Forwarded-Proto`, `-Host` and `-Prefix` count only behind a trusted proxy (`trust_forwarded`).
    """
    if public_url:
        return public_url
    scope, headers = request.scope, request.headers
    scheme, prefix = scope["scheme"], scope.get("root_path", "")
    host = headers.get("host") or _server(scope.get("server"))
    if trust_forwarded:
        scheme = _read_first(headers.get("x-forwarded-proto")) or scheme
        host = _read_first(headers.get("x-forwarded-host")) or host
        prefix = _read_first(headers.get("x-forwarded-prefix")) or prefix
    if not _ADDRESS.fullmatch(f"{scheme}://{host}/{prefix}"):
        raise Invalid("The request's Host header is not one that a URL can be made of; configure a public URL")
    return f"{scheme}://{host}/{prefix.strip('/')}".rstrip("/")


def _is_header(text: str) -> bool:
    return text.isascii() and text.isprintable() and len(text) < 1000


def _read_first(value: str | None) -> str:
    return (value or "").split(",")[0].strip()


def _server(server: tuple[str, int | None] | None) -> str:
    name, port = server or ("127.0.0.1", None)
    return f"{name}:{port}" if port else name
