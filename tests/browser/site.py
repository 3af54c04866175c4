"""A web site of another origin whose pages a test writes, with a strict content security policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from litestar import Litestar, Response, get
from litestar.params import FromPath

from tests.feedback.conftest import serving

STRICT = (
    "default-src 'none'; img-src data:; script-src {origins}; connect-src {origins}; "
    "base-uri 'none'; form-action 'none'"
)
"""No inline script, no inline style, no style sheet: the policy that the buttons must work under."""


@dataclass
class Site:
    """A site at `url`. It serves `pages` at their paths, as HTML, or as a script if the path ends in `.js`.

    `policy` is the content security policy of every page.
    """

    url: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    policy: str = ""

    def page(self, body: str, *, script: str = "", trusted: str = "", path: str = "/") -> str:
        """Add a page with this body and module script and return its address; it may use only itself and `trusted`."""
        self.policy = STRICT.format(origins=f"'self' {trusted}".strip())
        name = f"{path.rstrip('/')}/page.js"
        self.pages[name] = script
        self.pages[path] = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>'
            '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
            f'<link rel="icon" href="data:,"><script type="module" src="{name}"></script></head>'
            f"<body><main><h1>A page</h1>{body}</main></body></html>"
        )
        return self.url + path


@contextmanager
def site_served() -> Iterator[Site]:
    """Serve a site on a free port."""
    site = Site()

    @get(["/", "/{path:path}"])
    async def show(path: FromPath[str] = "/") -> Response[str]:
        text = site.pages.get(path)
        kind = "text/javascript" if path.endswith(".js") else "text/html"
        headers = {"Content-Security-Policy": site.policy, "Cache-Control": "no-store"}
        return Response(text or "", status_code=404 if text is None else 200, media_type=kind, headers=headers)

    with serving(Litestar([show], openapi_config=None)) as site.url:
        yield site
