"""Pages behind presigned URLs that look as their project says, and else as the server's settings say."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin, RunFacts
from feedback.settings import FeedbackSettings
from feedback.settings.pages import PageSettings
from tests.feedback.conftest import RUN
from tests.feedback.pages.test_pages import BROWSER

App = AsyncTestClient[Litestar]
LOGO, OTHER = "data:image/png;base64,AAAA", "data:image/svg+xml;base64,PHN2Zy8+"
SERVER = PageSettings(product="Acme", logo=LOGO, colour="#0a7d5a")
PROJECTS = "/api/v1/feedback/projects"


async def reply(run_id: str) -> RunFacts:
    """A run of the project `shop`, whose agent replied."""
    return RunFacts(run_id, input={"question": "Who?"}, output={"answer": "It was me"}, project="shop")


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[App]:
    """A server whose pages show a product, with the project `shop`."""
    plugin = FeedbackPlugin(open_database(database_url), FeedbackSettings(pages=SERVER), run_lookup=reply)
    async with AsyncTestClient(Litestar(plugins=[plugin])) as client:
        assert (await client.post(PROJECTS, json={"name": "shop"})).status_code == 200
        yield client


async def page(app: App, project: str, **more: object) -> str:
    """The page of a new URL of the project."""
    wanted = {"run_id": RUN, "feedback_key": "thumbs", **more}
    minted = await app.post("/feedback/tokens", json=wanted, params={"project": project})
    return (await app.get(f"/feedback/tokens/{minted.json()['id']}", headers=BROWSER)).text


async def test_project_without_pages_shows_the_servers(app: App) -> None:
    html = await page(app, "shop")
    assert "Acme" in html
    assert LOGO in html
    assert "It was me" not in html


async def test_own_pages_replace_what_they_name(app: App) -> None:
    pages = {"product": "Shop & Co", "color": "#FE0", "quote": True}
    changed = await app.patch(f"{PROJECTS}/shop", json={"pages": pages})
    assert changed.json()["pages"] == {"product": "Shop & Co", "color": "#ffee00", "quote": True, "logo": "server"}
    html = await page(app, "shop")
    assert "Shop &amp; Co" in html
    assert "It was me" in html
    assert LOGO in html
    assert "Acme" not in html
    others = await page(app, "default")
    assert "Acme" in others


async def test_own_logo_is_shown_omitted_and_reset(app: App) -> None:
    for logo, kind, shown in ((OTHER, "own", OTHER), ("", "none", None), (None, "server", LOGO)):
        changed = await app.patch(f"{PROJECTS}/shop", json={"pages": {"logo": logo}})
        assert changed.json()["pages"]["logo"] == kind
        html = await page(app, "shop")
        assert (shown in html) if shown else ("<img" not in html)
    listed = (await app.get(PROJECTS)).text
    assert "base64" not in listed


async def test_thanks_and_errors_look_alike(app: App) -> None:
    await app.patch(f"{PROJECTS}/shop", json={"pages": {"product": "Shop"}})
    minted = await app.post(
        "/feedback/tokens",
        json={"run_id": RUN, "feedback_key": "thumbs", "max_uses": 1},
        params={"project": "shop"},
    )
    url = f"/feedback/tokens/{minted.json()['id']}"
    form = {**BROWSER, "Content-Type": "application/x-www-form-urlencoded"}
    thanks = await app.post(url, content="score=1&id=018f0000-0000-7000-8000-00000000000a", headers=form)
    assert (thanks.status_code, "Shop" in thanks.text) == (200, True)
    used = await app.get(url, headers=BROWSER)
    assert (used.status_code, "Shop" in used.text) == (410, True)


async def test_new_project_has_pages_at_once(app: App) -> None:
    made = await app.post(PROJECTS, json={"name": "kiosk", "pages": {"product": "Kiosk", "logo": ""}})
    assert made.json()["pages"]["product"] == "Kiosk"
    html = await page(app, "kiosk")
    assert ("Kiosk" in html, "<img" in html) == (True, False)
    cleared = await app.patch(f"{PROJECTS}/kiosk", json={"pages": {"product": None}})
    assert cleared.json()["pages"] == {"product": None, "color": None, "quote": None, "logo": "none"}
