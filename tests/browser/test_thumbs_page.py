"""`examples/thumbs.html` as the README shows it, on its own origin, in Chromium."""

from __future__ import annotations

from pathlib import Path

import httpx
from playwright.sync_api import expect

from tests.browser.conftest import Visit, eventually
from tests.browser.site import Site
from tests.clients.server_process import EXAMPLE, ROOT, ServerProcess


def test_thumbs_page_stores_feedback(visit: Visit, site: Site, tmp_path: Path) -> None:
    with ServerProcess(EXAMPLE, tmp_path) as server:
        page_text = (ROOT / "examples" / "thumbs.html").read_text()
        site.pages["/thumbs"] = page_text.replace("http://127.0.0.1:2024", server.url)
        with visit(f"{site.url}/thumbs", script=True) as page:
            page.get_by_role("button", name="Ask").click()
            page.get_by_role("button", name="Good").click()
            expect(page.get_by_role("button", name="Good")).to_have_attribute("aria-pressed", "true")
            eventually(lambda: scores(server) == [1])


def scores(server: ServerProcess) -> list[float]:
    return [one["score"] for one in httpx.get(f"{server.url}/api/v1/feedback").json()]
