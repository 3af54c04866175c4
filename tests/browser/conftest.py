"""Chromium, and a server of its own for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import Litestar
from playwright.sync_api import Browser, sync_playwright

from agent_server.database import open_database
from feedback import FeedbackPlugin
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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The operating system's Chromium. It says that it has no head, as scanners do, so tests give it another name.

    For one module at a time: Playwright's event loop runs in the main thread until it is closed, and no other can then.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "Chromium is missing; `make test` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def feedback_server(tmp_path: Path) -> Iterator[str]:
    """The address of a server with nothing but the feedback plugin."""
    database = open_database(f"sqlite:///{tmp_path / 'feedback.db'}")
    with serving(Litestar(plugins=[FeedbackPlugin(database)])) as url:
        yield url
