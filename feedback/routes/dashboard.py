"""The dashboard at `/feedback/ui`: a page without data, and the files that it loads.

It reads and writes through `/api/v1` with the API key that the user enters. It runs only its own files, connects only
to this server, and never turns text into markup (Trusted Types).
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from litestar import Request, Response, get
from litestar.response import Redirect

from feedback.routes.app_router import AppRouter
from feedback.routes.assets import asset_route

FOLDER = files("feedback") / "web" / "ui"
VENDOR = "vendor/uplot-1.6.32"
VENDOR_FILES = ("uPlot.iife.min.js", "uPlot.min.css")
SHELL = "shell.html"
MODULE = '<script type="module"'
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}


def dashboard_router() -> AppRouter:
    """Return the routes of the page and its files. They need no API key; the API that they call does."""
    names = sorted(file.name for file in FOLDER.iterdir() if file.name.endswith((".js", ".css", ".svg")))
    page = _with_preloads((FOLDER / SHELL).read_text("utf-8"), names).encode()

    @get("/feedback/ui", opt={"feedback_open": True}, include_in_schema=False)
    async def dashboard(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Return the page, at the path without a trailing slash: its files' URLs are relative to that."""
        if request.scope["raw_path"].endswith(b"/"):
            return Redirect("../ui")
        return Response(page, headers=PAGE_HEADERS, media_type="text/html")

    own = [asset_route(f"/feedback/ui/{name}", f"ui/{name}") for name in names]
    vendored = [asset_route(f"/feedback/ui/vendor/{name}", f"{VENDOR}/{name}") for name in VENDOR_FILES]
    theme = asset_route("/feedback/ui/theme.css", "theme.css")
    return AppRouter("/", route_handlers=[dashboard, theme, *own, *vendored])


def _with_preloads(shell: str, names: Iterable[str]) -> str:
    """Return the page with links to all modules: a browser would find them import by import, each after another."""
    links = "".join(f'<link rel="modulepreload" href="ui/{name}">\n' for name in names if name.endswith(".js"))
    return shell.replace(MODULE, links + MODULE)
