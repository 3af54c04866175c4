"""The example's chat page: `http.app` in langgraph.json serves it in front of the agent server's own routes.

The page consists of the files in `chat/`, without a build step. Any ASGI app works here; this one uses Litestar.
"""

from pathlib import Path

from litestar import Litestar, Response, get
from litestar.params import FromPath

FILES = {file.name: file.read_bytes() for file in (Path(__file__).parent / "chat").iterdir()}
KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@get(["/", "/chat/{name:str}"])
async def chat(name: FromPath[str] = "index.html") -> Response[bytes]:
    """Return the page or one of its files."""
    found = FILES.get(name)
    kind = KINDS.get(name.rpartition(".")[2], "text/plain")
    return Response(found or b"", status_code=404 if found is None else 200, media_type=kind, headers=HEADERS)


app = Litestar([chat], openapi_config=None, logging_config=None)
