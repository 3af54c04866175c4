"""The dashboard page is open and contains no data; its requests need an API key if the service has any."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin

REQUESTED = ["search", "statistics", "assistants", "export"]


@pytest.fixture
def locked(tmp_path: Path) -> Litestar:
    """Return an application whose feedback needs an API key."""
    return Litestar(plugins=[FeedbackPlugin(open_database(f"sqlite:///{tmp_path / 'f.db'}"), api_keys=["sesame"])])


async def test_page_is_public_but_its_data_is_not(locked: Litestar) -> None:
    async with AsyncTestClient(locked) as client:
        page = await client.get("/feedback/ui")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        for file in ("app.js", "vendor/uPlot.iife.min.js", "layout.css", "theme.css", "icon.svg"):
            assert (await client.get(f"/feedback/ui/{file}")).status_code == 200, file
        for path in REQUESTED:
            assert (await client.get(f"/api/v1/feedback/{path}")).status_code == 401, path
            assert (await client.get(f"/api/v1/feedback/{path}", headers={"x-api-key": "sesame"})).status_code == 200


async def test_page_loads_all_modules_at_once(locked: Litestar) -> None:
    async with AsyncTestClient(locked) as client:
        page = await client.get("/feedback/ui")
        preloaded = re.findall(r'<link rel="modulepreload" href="(ui/[a-z]+\.js)">', page.text)
        modules = {name: (await client.get(f"/feedback/{name}")).text for name in preloaded}
    imported = {f"ui/{name}" for text in modules.values() for name in re.findall(r'from "\./([a-z]+\.js)"', text)}
    assert imported | {"ui/app.js"} == set(preloaded)


async def test_page_may_run_nothing_but_its_own_files(locked: Litestar) -> None:
    async with AsyncTestClient(locked) as client:
        page = await client.get("/feedback/ui")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "style=" not in page.text
    assert "http" not in page.text


async def test_trailing_slash_redirects_to_the_page(locked: Litestar) -> None:
    async with AsyncTestClient(locked) as client:
        response = await client.get("/feedback/ui/", follow_redirects=False)
        assert (response.status_code, response.headers["location"]) == (302, "../ui")
        assert (await client.get("/feedback/ui/")).status_code == 200


async def test_page_does_not_shadow_feedback_by_id(locked: Litestar) -> None:
    async with AsyncTestClient(locked) as client:
        response = await client.get("/feedback/tokens/nothing", headers={"accept": "application/json"})
        assert response.status_code == 404
        assert (await client.get("/feedback/x", headers={"x-api-key": "sesame"})).status_code == 422
