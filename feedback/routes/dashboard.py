"""The dashboard at `/feedback/ui`: a page that holds nothing by itself, and the files that it loads.

It reads and changes all through `/api/v1`, with the API key that it asks for. Nothing but its own files may run in it,
it talks to nobody but this server, and no text can become markup in it (Trusted Types).
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from litestar import Request, Response, Router, get
from litestar.response import Redirect

from feedback.routes.assets import asset_route

FOLDER = files("feedback") / "web" / "ui"
SHELL = "shell.html"
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


def dashboard_router() -> Router:
    """The page and its files. None needs an API key; what they ask for does."""
    page = (FOLDER / SHELL).read_bytes()

    @get("/feedback/ui", opt={"feedback_open": True}, include_in_schema=False)
    async def dashboard(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The page; at the address without a slash in the end, since all that it loads is named relative to that."""
        if request.scope["raw_path"].endswith(b"/"):
            return Redirect("../ui")
        return Response(page, headers=PAGE_HEADERS, media_type="text/html")

    names = sorted(file.name for file in FOLDER.iterdir() if file.name.endswith((".js", ".css", ".svg")))
    own = [asset_route(f"/feedback/ui/{name}", f"ui/{name}") for name in names]
    return Router("/", route_handlers=[dashboard, asset_route("/feedback/ui/theme.css", "theme.css"), *own])
