"""Chromium as a person uses it, and a server for each test."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from playwright.sync_api import Browser, Page, Request, sync_playwright

from agent_server.database import open_database
from feedback import FeedbackPlugin
from tests.browser.buttons import EVENTS, Shown
from tests.browser.site import Site, site_served
from tests.feedback.conftest import serving

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
"""The user agent of a person's browser; feedback from a headless one does not count."""
GRAVE = ("error", "warning", "assert")
LET_GO = "net::ERR_ABORTED"
"""Chromium's error for a request that its page broke off after it had read the stream's end, or by leaving."""
Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start the operating system's Chromium. It calls itself headless, as scanners do, so tests give it another name.

    The scope is one module: Playwright's event loop runs in the main thread until it is closed, and no other can then.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "Chromium is missing; `make test` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


def failure_of(request: Request) -> list[str]:
    """Return the complaint about a failed request, none if its page broke it off."""
    return [] if request.failure == LET_GO else [f"{request.url} {request.failure}"]


@pytest.fixture
def visit(chromium: Browser) -> Visit:
    """Return a function that opens a page as a person's browser does; at the end, assert that nothing went wrong.

    `complaints` are the texts that the visit expects in errors; the content security policy's are never expected.
    """

    @contextmanager
    def visiting(
        url: str, script: bool = False, width: int = 800, complaints: tuple[str, ...] = (), **options: Any
    ) -> Iterator[Page]:
        size = {"width": width, "height": 700}
        context = chromium.new_context(java_script_enabled=script, user_agent=AGENT, viewport=size, **options)
        page = context.new_page()
        page.set_default_timeout(10_000)
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type in GRAVE else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("requestfailed", lambda request: problems.extend(failure_of(request)))
        page.goto(url)
        yield page
        assert [one for one in problems if not any(expected in one for expected in complaints)] == []
        context.close()

    return visiting


@pytest.fixture
def feedback_server(tmp_path: Path) -> Iterator[str]:
    """Yield the address of a server that has only the feedback plugin."""
    database = open_database(f"sqlite:///{tmp_path / 'feedback.db'}")
    with serving(Litestar(plugins=[FeedbackPlugin(database)])) as url:
        yield url


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve a web site on another origin than the servers'."""
    with site_served() as site:
        yield site


def eventually(found: Callable[[], Any]) -> Any:
    """Wait until `found` returns something true and return it, for requests that a page sends while it is left."""
    deadline = time.monotonic() + 20
    while not (it := found()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.05)
    return it


@pytest.fixture
def shown(visit: Visit, site: Site, feedback_server: str) -> Shown:
    """Return a function that opens a page of another origin with this body; it records the buttons' events.

    `script` runs first.
    """

    @contextmanager
    def showing(body: str, script: str = "", **options: Any) -> Iterator[Page]:
        module = f"{EVENTS}\n{script}\nawait import('{feedback_server}/feedback/feedback-buttons.js');"
        url = site.page(body, script=module + "document.body.id = 'ready'", trusted=feedback_server)
        with visit(url, script=True, **options) as page:
            page.locator("#ready").wait_for()
            yield page

    return showing
