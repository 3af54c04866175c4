"""Helpers for the tests of the chat page: a question, its answer, and what a person does with them."""

from __future__ import annotations

from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.clients.server_process import ServerProcess

JOKE = "Why do indexes never get lost? They always know which page they are on."
QUESTION = "Where do indexes go?"
LOST = ("net::ERR", "Failed to load resource", "/stream")
THUMBS = "feedback-buttons"


def ask(page: Page, question: str) -> None:
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")


def thumb(page: Page, name: str, nth: int = 0) -> Any:
    return page.locator(THUMBS).nth(nth).get_by_role("button", name=name)


def stored(server: ServerProcess) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = httpx.get(f"{server.url}/api/v1/feedback", params={"key": "user_score"}).json()
    return rows


def runs(server: ServerProcess) -> list[dict[str, Any]]:
    """Return the runs of the newest conversation."""
    [thread, *_] = httpx.post(f"{server.url}/threads/search", json={"sort_by": "created_at"}).json()
    found: list[dict[str, Any]] = httpx.get(f"{server.url}/threads/{thread['thread_id']}/runs").json()
    return found


def streaming(page: Page) -> None:
    """Wait until some of the answer has arrived, while more is to come."""
    expect(page.locator(".turn.streaming .answer")).to_contain_text("Why do")
