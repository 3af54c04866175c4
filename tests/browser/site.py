"""A web site of another origin, with pages that a test writes: strict about what they may load and run."""

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
"""No inline script, no inline style, no style sheet: what the buttons need to live with."""


@dataclass
class Site:
    """`url` is its address; what `pages` has is served at its path, as HTML, or as a script where it ends in `.js`.

    `policy` is the content security policy of every page.
    """

    url: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    policy: str = ""

    def page(self, body: str, *, script: str = "", trusted: str = "", path: str = "/") -> str:
        """The address of a new page with this body and module script, which may load from and call `trusted` only."""
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
    """A site on a port of its own."""
    site = Site()

    @get(["/", "/{path:path}"])
    async def show(path: FromPath[str] = "/") -> Response[str]:
        text = site.pages.get(path)
        kind = "text/javascript" if path.endswith(".js") else "text/html"
        headers = {"Content-Security-Policy": site.policy, "Cache-Control": "no-store"}
        return Response(text or "", status_code=404 if text is None else 200, media_type=kind, headers=headers)

    with serving(Litestar([show], openapi_config=None)) as site.url:
        yield site
