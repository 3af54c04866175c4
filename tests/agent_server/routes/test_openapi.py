"""`/docs` and `/openapi.json` tell the truth about what is served, and need nothing from anywhere else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from litestar.routes import HTTPRoute
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.agent_server.served import config_of, served, whole_app

ALIASES = (
    *("/feedback", "/api/feedback", "/runs/multipart", "/api/runs/multipart"),
    *("/metadata", "/v1/metadata", "/api/info", "/api/metadata", "/api/v1/metadata", "/docs", "/openapi.json"),
)
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


async def test_searches_document_the_headers_that_tell_of_other_pages(sqlite_url: str, tmp_path: Path) -> None:
    async with served(whole_app(config_of(sqlite_url, tmp_path))) as client:
        document = (await client.get("/openapi.json")).json()
    for path in ("/assistants/search", "/threads/search", "/runs/crons/search"):
        headers = document["paths"][path]["post"]["responses"]["200"]["headers"]
        assert {"x-pagination-total", "x-pagination-next"} <= headers.keys()


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


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the whole app is served, from a thread of its own."""
    folder = tmp_path_factory.mktemp("served")
    app = whole_app(config_of("sqlite:///", folder))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    give_up_at = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def document(address: str) -> Any:
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_generated_requests_get_documented_answers_and_never_a_500(document: Any, mode: GenerationMode) -> None:
    failures = [
        failure
        for found in document.get_all_operations()
        if (failure := _failure(found.ok().label, found.ok().as_strategy(generation_mode=mode)))
    ]
    assert "\n\n".join(failures) == ""


def _failure(label: str, cases: Any) -> str:
    @settings(max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def answered(case: Any) -> None:
        case.call_and_validate(checks=CHECKS, timeout=20)

    try:
        answered()
    except Unsatisfiable:  # nothing of this operation can be wrong
        return ""
    except Exception as error:
        return f"{label}: {error}"
    return ""
