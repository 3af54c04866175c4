"""`/docs` and `/openapi.json` tell the truth about what is served, and need nothing from anywhere else."""

from __future__ import annotations

from pathlib import Path

from litestar.routes import HTTPRoute

from tests.agent_server.served import config_of, served, whole_app

ALIASES = ("/feedback", "/api/feedback", "/api/info", "/api/metadata", "/api/v1/metadata", "/docs", "/openapi.json")
"""Where the paths of others' clients are answered, too (documented below `/api/v1`), and the document itself."""


async def test_every_served_route_is_in_the_document(sqlite_url: str, tmp_path: Path) -> None:
    app = whole_app(config_of(sqlite_url, tmp_path))
    async with served(app) as client:
        document = (await client.get("/openapi.json")).json()
    served_here = {
        (method, route.path_format)
        for route in app.routes
        if isinstance(route, HTTPRoute) and not route.path.startswith(ALIASES)
        for method in route.methods - {"OPTIONS", "HEAD"}
    }
    documented = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert documented - {("HEAD", path) for _, path in documented} == served_here


async def test_every_operation_says_what_it_does(sqlite_url: str, tmp_path: Path) -> None:
    async with served(whole_app(config_of(sqlite_url, tmp_path))) as client:
        document = (await client.get("/openapi.json")).json()
    silent = [path for path, item in document["paths"].items() for one in item.values() if not one.get("description")]
    assert silent == []


async def test_page_shows_every_path_without_script_or_anything_from_elsewhere(sqlite_url: str, tmp_path: Path) -> None:
    async with served(whole_app(config_of(sqlite_url, tmp_path))) as client:
        page = await client.get("/docs")
        document = (await client.get("/openapi.json")).json()
    assert page.headers["content-type"].startswith("text/html")
    assert "https://" not in page.text
    assert "http://" not in page.text.replace("http://server.test", "")
    assert "<script" not in page.text
    assert [path for path in document["paths"] if f"<code>{path}</code>" not in page.text] == []


async def test_docs_has_no_other_pages(sqlite_url: str, tmp_path: Path) -> None:
    async with served(whole_app(config_of(sqlite_url, tmp_path))) as client:
        for path in ("swagger", "redoc", "elements", "rapidoc", "scalar"):
            assert (await client.get(f"/docs/{path}")).status_code == 404
