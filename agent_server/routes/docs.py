"""`/docs`: the OpenAPI document in Swagger UI, from files of this package.

The page runs only these files, without inline scripts or styles, and connects only to this server. Swagger UI's style
sheet has its icons as `data:` images.
"""

from __future__ import annotations

import hashlib
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import OpenAPIRenderPlugin

from agent_server.routes.app_router import AppRouter
from agent_server.routes.openapi_document import document_of

WEB = files("agent_server") / "routes" / "web"
VIEWER = WEB / "vendor" / "swagger-ui-dist-5.35.0"
PAGE = WEB / "docs"
FILES = {
    "docs.js": PAGE,
    "docs.css": PAGE,
    "swagger-ui-bundle.js": VIEWER,
    "swagger-ui.css": VIEWER,
    "swagger-ui-bundle.js.LICENSE.txt": VIEWER,
}
MEDIA_TYPES = {"js": "text/javascript", "css": "text/css", "txt": "text/plain"}
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class DocsPage(OpenAPIRenderPlugin):
    """Renders the page that loads the viewer, which loads `/openapi.json`."""

    def __init__(self) -> None:
        super().__init__(path="/")
        self._page = (PAGE / "index.html").read_text(encoding="utf-8")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the page. Its URLs are relative, so that they also work behind a proxy that removes a prefix."""
        up, down = ("../", ".") if request.scope["raw_path"].endswith(b"/") else ("", "docs")
        title = escape(openapi_schema["info"]["title"])
        return self._page.format(title=title, files=down, document=f"{up}openapi.json").encode()


async def _make_document(request: Request[Any, Any, Any]) -> None:
    """Make the document that Litestar's handlers below `/docs` use: they would make it on the event loop."""
    await document_of(request.app)


def docs_router() -> AppRouter:
    """Return the router of the page's files, to which Litestar adds the page itself."""
    return AppRouter(
        "/docs",
        route_handlers=[_file_route(name) for name in FILES],
        response_headers=HEADERS,
        include_in_schema=False,
        before_request=_make_document,
    )


@cache
def _read(name: str) -> tuple[bytes, str]:
    """Return a file and its ETag. With the first visit, not at the start: most servers' memory holds no viewer."""
    content = (FILES[name] / name).read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _file_route(name: str) -> HTTPRouteHandler:
    media_type = MEDIA_TYPES[name.rpartition(".")[2]]

    @get(f"/{name}", sync_to_thread=True)
    def file(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Return the file, or 304 to a browser that has it."""
        content, etag = _read(name)
        same = request.headers.get("if-none-match") == etag
        return Response(
            b"" if same else content,
            status_code=304 if same else 200,
            media_type=media_type,
            headers={"ETag": etag},
        )

    return file
