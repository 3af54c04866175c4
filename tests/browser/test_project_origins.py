"""A project with listed sites, in Chromium: their pages may submit; other sites' pages and images may not."""

from __future__ import annotations

from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.site import Site, site_served
from tests.browser.test_email_pages import RUN

SUBMIT = """async (url) => {
    try {
        const headers = { "content-type": "application/json" };
        return (await fetch(url, { method: "POST", body: '{"score": 1}', headers })).status;
    } catch {
        return "refused";
    }
}"""
BEACON = """async (url) => {
    try {
        return (await fetch(url, { method: "POST", body: '{"score": 1}', mode: "no-cors" })).type;
    } catch {
        return "refused";
    }
}"""
IMAGE = """(url) => new Promise((ended) => {
    const image = new Image();
    image.onload = image.onerror = () => ended(true);
    image.src = `${url}?score=1`;
})"""


def url_of_shop(server: str, site: Site) -> str:
    """Return a URL of the project `shop`, which lists only the site."""
    created = httpx.post(f"{server}/api/v1/feedback/projects", json={"name": "shop", "origins": [site.url]})
    assert created.status_code == 200, created.text
    minted = httpx.post(
        f"{server}/feedback/tokens", json={"run_id": RUN, "feedback_key": "k"}, params={"project": "shop"}
    )
    return str(minted.json()["url"])


def count_feedback(server: str) -> int:
    listed: list[Any] = httpx.get(f"{server}/feedback", params={"project": "shop"}).json()
    return len(listed)


def outcomes(visit: Visit, site: Site, server: str, *tried: str, url: str) -> list[Any]:
    """Try these on a page of the site and return the outcomes."""
    site_page = site.page("", trusted=server)
    site.policy = site.policy.replace("img-src", f"img-src {server}")
    with visit(site_page, script=True, complaints=(server, "Failed to load", "CORS")) as page:
        opened: Page = page
        return [opened.evaluate(one, url) for one in tried]


def test_only_listed_sites_may_submit(feedback_server: str, site: Site, visit: Visit) -> None:
    url = url_of_shop(feedback_server, site)
    assert outcomes(visit, site, feedback_server, SUBMIT, url=url) == [200]
    with site_served() as other:
        assert outcomes(visit, other, feedback_server, SUBMIT, BEACON, IMAGE, url=url) == ["refused", "opaque", True]
    assert count_feedback(feedback_server) == 1


def test_linked_page_submits_under_listed_origins(feedback_server: str, site: Site, visit: Visit) -> None:
    url = url_of_shop(feedback_server, site)
    with visit(f"{url}?score=1") as page:
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert count_feedback(feedback_server) == 1
