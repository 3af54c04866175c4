"""`/docs` and `/openapi.json` describe exactly what is served, and load nothing from elsewhere."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import jsonschema_rs
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable, UnsatisfiedAssumption
from hypothesis.strategies import DrawFn, SearchStrategy, composite
from litestar.routes import HTTPRoute
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agent_server.config.api_keys import parse_api_keys
from tests.agent_server.served import config_of, served, whole_app

ALIASES = (
    *("/feedback", "/api/feedback", "/runs/multipart", "/api/runs/multipart"),
    *("/metadata", "/v1/metadata", "/api/info", "/api/metadata", "/api/v1/metadata", "/docs", "/openapi.json"),
)
"""Second paths of routes that are documented below `/api/v1`, and the document itself."""


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


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_streams_go_on_while_document_is_made(path: str, sqlite_url: str, tmp_path: Path) -> None:
    begun, yielded = threading.Event(), 0

    async def endless(_given: Any) -> AsyncIterator[str]:
        nonlocal yielded
        while True:
            yield "more"
            yielded += 1
            begun.set()
            await asyncio.sleep(0.001)

    async with served(whole_app(config_of(sqlite_url, tmp_path, drain_seconds=0), {"agent": endless})) as client:
        started = (await client.post("/runs", json={"assistant_id": "agent", "input": {}})).json()
        assert await asyncio.to_thread(begun.wait, 30)  # the app has a loop of its own
        before = yielded
        assert (await client.get(path)).status_code == 200
        assert yielded - before > 10
        await client.post(f"/threads/{started['thread_id']}/runs/{started['run_id']}/cancel")


async def test_every_operation_says_what_it_does(sqlite_url: str, tmp_path: Path) -> None:
    async with served(whole_app(config_of(sqlite_url, tmp_path))) as client:
        document = (await client.get("/openapi.json")).json()
    silent = [path for path, item in document["paths"].items() for one in item.values() if not one.get("description")]
    assert silent == []


async def test_search_documents_its_pagination_headers(sqlite_url: str, tmp_path: Path) -> None:
    async with served(whole_app(config_of(sqlite_url, tmp_path))) as client:
        document = (await client.get("/openapi.json")).json()
    for path in ("/assistants/search", "/threads/search", "/runs/crons/search"):
        headers = document["paths"][path]["post"]["responses"]["200"]["headers"]
        assert {"x-pagination-total", "x-pagination-next"} <= headers.keys()


async def test_docs_page_loads_own_files_only(sqlite_url: str, tmp_path: Path) -> None:
    async with served(whole_app(config_of(sqlite_url, tmp_path))) as client:
        for path in ("/docs", "/docs/"):
            page = await client.get(path)
            assert page.headers["content-type"].startswith("text/html")
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'" in policy
            assert "unsafe" not in policy
            assert re.findall(r"<script(?! src=)|<style|style=|https?:", page.text) == []
            named = re.findall(r'(?:src|href|data-document)="([^":]+)"', page.text)
            assert len(named) == 6
            for name in named:
                assert (await client.get(urljoin(f"http://server.test{path}", name))).status_code == 200, (path, name)


async def test_docs_files_are_revalidated(sqlite_url: str, tmp_path: Path) -> None:
    async with served(whole_app(config_of(sqlite_url, tmp_path))) as client:
        first = await client.get("/docs/docs.js")
        again = await client.get("/docs/docs.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_summaries_have_one_line_in_words(sqlite_url: str, tmp_path: Path) -> None:
    async with served(whole_app(config_of(sqlite_url, tmp_path))) as client:
        document = (await client.get("/openapi.json")).json()
    summaries = [one["summary"] for item in document["paths"].values() for one in item.values()]
    assert [one for one in summaries if len(one) > 60 or "\n" in one or re.search("[a-z][A-Z]", one)] == [
        one for one in summaries if "LangSmith" in one or "WorkflowAI" in one
    ]


async def test_document_lists_tags_agents_first(sqlite_url: str, tmp_path: Path) -> None:
    async with served(whole_app(config_of(sqlite_url, tmp_path))) as client:
        document = (await client.get("/openapi.json")).json()
    named = [tag["name"] for tag in document["tags"]]
    used = {tag for item in document["paths"].values() for one in item.values() for tag in one["tags"]}
    assert (len(named), set(named)) == (len(used), used)
    assert named[:3] == ["assistants", "threads", "runs"]
    assert named.index("store") < named.index("Feedback")


@pytest.mark.parametrize("needed", [False, True])
async def test_document_names_the_api_key(sqlite_url: str, tmp_path: Path, needed: bool) -> None:
    keys = {"api_keys": parse_api_keys("a-key-that-is-long-enough")} if needed else {}
    async with served(whole_app(config_of(sqlite_url, tmp_path, **keys))) as client:
        document = (await client.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"]["ApiKey"] == {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
    }
    assert document["security"] == [{"ApiKey": []}, {"Bearer": []}] + ([] if needed else [{}])
    without = {path for path, item in document["paths"].items() for one in item.values() if one.get("security") == [{}]}
    assert without == {
        *("/", "/ok", "/info", "/api/v1/info", "/v1/feedback"),
        *("/api/v1/feedback/tokens/{token}", "/api/v1/feedback/submit"),
    }


async def test_examples_of_bodies_fit_their_schemas(sqlite_url: str, tmp_path: Path) -> None:
    async with served(whole_app(config_of(sqlite_url, tmp_path))) as client:
        document = (await client.get("/openapi.json")).json()
    bodies = [one.get("requestBody", {}) for item in document["paths"].values() for one in item.values()]
    shown = [content for body in bodies for content in body.get("content", {}).values() if "example" in content]
    assert len(shown) > 30
    for content in shown:
        schema = {**content["schema"], "components": document["components"]}
        jsonschema_rs.validate(schema, content["example"])


async def test_docs_has_no_other_pages(sqlite_url: str, tmp_path: Path) -> None:
    async with served(whole_app(config_of(sqlite_url, tmp_path))) as client:
        for path in ("swagger", "redoc", "elements", "rapidoc", "scalar"):
            assert (await client.get(f"/docs/{path}")).status_code == 404


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of the whole application, served from its own thread."""
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
PARTS = 3
MOST_REJECTED = 20
"""After so many rejected drafts of requests, an operation counts as one without wrong requests.

For operations with wrong requests, at most three were rejected in a row; Hypothesis tries 458 drafts.
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_generated_requests_get_documented_responses_without_500(
    document: Any, mode: GenerationMode, part: int
) -> None:
    operations = islice(document.get_all_operations(), part, None, PARTS)
    words = _list_path_words(document)
    failures = [
        failure
        for found in operations
        if (failure := _failure(found.ok().label, found.ok().as_strategy(generation_mode=mode), words))
    ]
    assert "\n\n".join(failures) == ""


def _list_path_words(document: Any) -> frozenset[str]:
    """Return the parts of paths that are no parameters: a parameter of such a value leads to another operation."""
    return frozenset(part for path in document.raw_schema["paths"] for part in path.split("/") if "{" not in part)


def _failure(label: str, cases: SearchStrategy[Any], words: frozenset[str]) -> str:
    @settings(max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=_unless_none_exists(cases))
    def answered(case: Any) -> None:
        if case is not None and words.isdisjoint(map(str, (case.path_parameters or {}).values())):
            case.call_and_validate(checks=CHECKS, timeout=20)

    try:
        answered()
    except Unsatisfiable:  # no request of this operation can be wrong
        return ""
    except Exception as error:
        return f"{label}: {error}"
    return ""


def _unless_none_exists(cases: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Return a strategy of the cases, or of None after so many rejected drafts that none seems to exist."""
    rejected = 0

    @composite
    def drafts(draw: DrawFn) -> Any:
        nonlocal rejected
        try:
            case = draw(cases)
        except UnsatisfiedAssumption:
            rejected += 1
            if rejected < MOST_REJECTED:
                raise
            return None
        rejected = 0
        return case

    return drafts()
