"""Helpers for the tests of <feedback-buttons>: pages with the element, presigned URLs, and the stored feedback."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from html import escape
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, expect

from tests.feedback.conftest import RUN

OFFLINE = ("net::ERR", "Failed to load resource", "/feedback/tokens/")
"""What the browser logs about requests that a test lets fail."""
EVENTS = """
window.heard = [];
for (const name of ["feedback-submit", "feedback-success", "feedback-error"]) {
  document.addEventListener(name, (event) => {
    const { action, submission, result, error } = event.detail;
    heard.push([name, action, submission?.score ?? submission?.value ?? null, result?.status ?? error?.status ?? null]);
    if (window.prevents) event.preventDefault();
  });
}
"""
Shown = Callable[..., AbstractContextManager[Page]]


def mint(server: str, key: str = "user_score", config: Any = None, run: str = RUN) -> str:
    body = {"run_id": run, "feedback_key": key, "feedback_config": config}
    return str(httpx.post(f"{server}/feedback/tokens", json=body).json()["url"])


def buttons(**attributes: str) -> str:
    """Return the element as HTML."""
    written = " ".join(f'{name.replace("_", "-")}="{escape(value)}"' for name, value in attributes.items())
    return f"<feedback-buttons {written}></feedback-buttons>"


def thumbs(server: str, run: str = RUN, **attributes: str) -> str:
    """Return thumbs with a feedback key each."""
    keys = {"positive_src": "user_liked", "negative_src": "user_disliked"}
    urls = {name: mint(server, key, run=run) for name, key in keys.items()}
    return buttons(**urls, **attributes)


def listed(server: str, run: str = RUN) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = httpx.get(f"{server}/feedback", params={"run": run}).json()
    return rows


def stored(server: str, run: str = RUN) -> dict[str, tuple[Any, Any]]:
    """Return score and comment by feedback key; fail if a user has two pieces of feedback for one."""
    rows = listed(server, run)
    assert len({row["key"] for row in rows}) == len(rows)
    return {row["key"]: (row["score"], row["comment"]) for row in rows}


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def choice(page: Page, name: str) -> Locator:
    """Return a button, or one of the stars, which are radio buttons."""
    return page.get_by_role("radio" if "star" in name else "button", name=name, exact=True)


def press(page: Page, name: str, message: str = "Thank you.") -> None:
    """Press a button and wait for the message that follows once the server has stored the feedback."""
    choice(page, name).click()
    expect(page.get_by_role("status")).to_have_text(message)


def check_pressed(page: Page, *names: str) -> None:
    """Check that exactly these choices are pressed."""
    pressed = page.locator('[part="group"] :is([aria-pressed="true"], [aria-checked="true"])')
    expect(pressed).to_have_count(len(names))
    for name in names:
        expect(choice(page, name)).to_have_attribute(f"aria-{'checked' if 'star' in name else 'pressed'}", "true")
