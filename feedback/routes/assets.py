"""The package's static files below `/feedback/`: pages of any origin may load them, byte for byte as installed.

Only the files named here are served. Browsers revalidate a file on each use (`no-cache` with an ETag, so usually a 304
of a few bytes), so that a module and its imports always have the same version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from litestar import Request, Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

from feedback.routes.app_router import AppRouter

ASSETS = (
    "feedback-client.js",
    "feedback-client.d.ts",
    "feedback-buttons.js",
    "feedback-buttons.d.ts",
    "feedback-buttons-choices.js",
    "feedback-buttons-state.js",
    "feedback-buttons-style.js",
    "feedback-buttons-texts.js",
    "feedback-buttons-view.js",
    "feedback-adapters.js",
    "feedback-adapters.d.ts",
    "feedback-react.d.ts",
    "feedback-tokens.js",
    "feedback-tokens.d.ts",
    "workflowai-react.js",
    "workflowai-react.d.ts",
)
"""The files of `feedback/web` that are served at `/feedback/<name>`."""

MEDIA_TYPES = {
    "js": "text/javascript",
    "css": "text/css",
    "html": "text/html",
    "svg": "image/svg+xml",
    "ts": "text/plain",
    "txt": "text/plain",
}
"""By suffix; Litestar adds the character set to text."""
ASSET_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "no-cache",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
NO_MORE: Mapping[str, str] = MappingProxyType({})


def assets_router() -> AppRouter:
    """Return the routes of the files for other sites' pages; none needs an API key."""
    return AppRouter("/", route_handlers=[asset_route(f"/feedback/{name}", name) for name in ASSETS])


def asset_route(path: str, file: str, headers: Mapping[str, str] = NO_MORE) -> HTTPRouteHandler:
    """Return a route that serves a file of `feedback/web`, read now, with additional `headers`."""
    content, etag = _read(file)
    sent = {**ASSET_HEADERS, "ETag": etag, **headers}
    media_type = MEDIA_TYPES[file.rpartition(".")[2]]

    @route(path, http_method=[HttpMethod.GET, HttpMethod.HEAD], opt={"feedback_open": True}, include_in_schema=False)
    async def asset(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Return the file, or 304 to clients that have this version."""
        if is_same(etag, request.headers.get("if-none-match")):
            return Response(b"", status_code=304, headers=sent)
        return Response(content, status_code=200, headers=sent, media_type=media_type)

    return asset


@cache
def _read(file: str) -> tuple[bytes, str]:
    """Return a file and its ETag, the same for every app of the process."""
    content = (files("feedback") / "web" / file).read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_same(etag: str, if_none_match: str | None) -> bool:
    """Return whether an `If-None-Match` header matches the tag (RFC 9110 section 13.1.2: weak comparison)."""
    named = [one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")]
    return etag in named or named == ["*"]
