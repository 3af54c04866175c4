"""`/docs` in Chromium: grouped operations, search, and requests from the page, with an API key and a prefix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from agent_server.composition import build
from agent_server.config import Config
from tests.browser.axe import violations
from tests.browser.conftest import Visit
from tests.browser.dashboard import AGENT
from tests.feedback.conftest import serving

KEY = "a-key-that-is-long-enough"
NOT_MET_BY_SWAGGER_UI = {"color-contrast", "label", "nested-interactive", "scrollable-region-focusable", "select-name"}
"""Rules of axe-core that Swagger UI 5.35 breaks in its own markup; all others hold."""


@contextmanager
def server(folder: Path, prefix: str = "", api_key: str = "") -> Iterator[str]:
    """Yield the address of a server with one agent below the prefix; if `api_key` is set, requests need it."""
    (folder / "agent.py").write_text(AGENT)
    http = {"mount_prefix": prefix} if prefix else {}
    (folder / "langgraph.json").write_text(json.dumps({"graphs": {"agent": "./agent.py:twice"}, "http": http}))
    environ = {"AGENT_SERVER_DATA_DIR": str(folder), **({"AGENT_SERVER_API_KEYS": api_key} if api_key else {})}
    with serving(build(Config.load(folder / "langgraph.json", environ))) as url:
        yield url + prefix


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(tmp_path_factory.mktemp("docs")) as url:
        yield url


def groups(page: Page) -> list[str]:
    """Return the names of the groups once the last one is shown."""
    expect(page.locator("[data-tag=system]")).to_be_visible()
    return [str(one.get_attribute("data-tag")) for one in page.locator(".opblock-tag").all()]


def open_operation(page: Page, phrase: str, path: str) -> None:
    """Search for the operation and open its form."""
    page.get_by_label("Search paths").fill(phrase)
    page.locator(".opblock", has=page.locator(f"[data-path='{path}']")).locator(".opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()


def execute(page: Page, status: int) -> None:
    """Send the form's request and check the status of the response."""
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .response-col_status").last).to_contain_text(str(status))


def test_groups_search_and_markdown(visit: Visit, url: str) -> None:
    with visit(f"{url}/docs/", script=True, width=1100) as page:
        named = groups(page)
        assert named[:4] == ["assistants", "threads", "runs", "stateless runs"]
        assert named.index("store") < named.index("Presigned feedback") < named.index("LangSmith runs")
        expect(page.get_by_text("Conversations: the state that runs share")).to_be_visible()
        page.get_by_label("Search paths").fill("nothing of the kind")
        expect(page.locator(".opblock-tag")).to_have_count(0)
        page.get_by_label("Search paths").fill("cancel ROLLBACK")
        expect(page.locator(".opblock-summary-path")).to_have_text(
            ["/threads/{thread_id}/runs/{run_id}/cancel", "/runs/{run_id}/cancel"]
        )
        page.locator(".opblock-summary-control").first.click()
        expect(page.locator(".opblock-description code").first).to_have_text("interrupt")
        assert "`" not in page.locator(".opblock-description").inner_text()
        assert {one["id"] for one in violations(page)} <= NOT_MET_BY_SWAGGER_UI


def test_page_calls_the_server(visit: Visit, url: str) -> None:
    with visit(f"{url}/docs", script=True, width=1100) as page:
        groups(page)
        open_operation(page, "search threads", "/threads/search")
        execute(page, 200)
        open_operation(page, "stateless run on its own thread final", "/runs/wait")
        page.locator(".body-param__text").last.fill('{"assistant_id": "agent", "input": {"text": "hey"}}')
        execute(page, 200)
        expect(page.locator(".live-responses-table .response-col_description").last).to_contain_text("hey hey")


def test_page_sends_the_api_key_below_a_prefix(visit: Visit, tmp_path: Path) -> None:
    refused = ("401 (Unauthorized)",)
    with (
        server(tmp_path, "/agents", KEY) as url,
        visit(f"{url}/docs", script=True, width=1100, complaints=refused) as page,
    ):
        groups(page)
        open_operation(page, "search threads", "/threads/search")
        execute(page, 401)
        page.get_by_role("button", name="Authorize").first.click()
        page.locator("#api_key_value").fill(KEY)
        page.locator(".auth-btn-wrapper").get_by_role("button", name="Apply credentials").first.click()
        page.get_by_role("button", name="Close").first.click()
        execute(page, 200)
