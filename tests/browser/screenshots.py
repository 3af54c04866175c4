"""Makes the screenshots of the documents anew, with real servers and Chromium: `make screenshots`."""

from __future__ import annotations

import random
import shutil
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from litestar import Litestar
from playwright.sync_api import Browser, Page, expect, sync_playwright

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings, RunFacts
from feedback.settings.pages import PageSettings
from tests.browser.buttons import buttons, mint
from tests.browser.chat import JOKE, THUMBS, ask, thumb
from tests.browser.conftest import AGENT, ARGUMENTS
from tests.browser.site import site_served
from tests.clients.server_process import EXAMPLE, ServerProcess
from tests.feedback.conftest import serving

FOLDER = Path("examples/screenshots")
RUN = "018f0000-0000-7000-8000-0000{at:04x}{version:04x}"
TURNS = (
    ("Where is my refund?", "It left us on Monday. Your bank shows it within three to five working days."),
    ("Can I change the address of my order?", "Yes, until it is packed: open the order, choose Edit, and enter it."),
    ("Which plan has single sign-on?", "The Business plan and above. Shall I show you what else it has?"),
)
PRAISE = ("Quick and clear.", "I did not know that, great.", None, None)
COMPLAINTS = ("That is not what I asked.", "Too many steps.", None, None)
REASONS = ("Wrong", "Too long", "Not helpful")
STARS = {"type": "continuous", "min": 1, "max": 5, "title": "Stars"}
TONES = [{"value": at, "label": label} for at, label in enumerate(("Too formal", "Just right", "Too casual"))]
TONE = {"type": "categorical", "title": "Tone", "categories": [TONES[0], TONES[1] | {"is_positive": True}, TONES[2]]}
NPS = {"type": "continuous", "min": 0, "max": 10, "title": "Recommendation", "low_label": "not likely",
       "question": "Would you recommend our assistant?", "high_label": "very likely"}  # fmt: skip
LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" rx="9" fill="#0a7d5a"/>'
    '<path d="M11 28l9-17 9 17" fill="none" stroke="#fff" stroke-width="4" stroke-linecap="round"/></svg>'
)
DEFAULT_PAGES = PageSettings()
ACME_PAGES = PageSettings(
    "Acme Assistant", f"data:image/svg+xml;base64,{b64encode(LOGO.encode()).decode()}", "#0a7d5a", quotes_reply=True
)
STYLE = """() => {
  document.querySelector("h1").remove();
  Object.assign(document.body.style, { margin: "24px 32px", font: "16px/1.5 system-ui, sans-serif" });
}"""
"""Styles a page whose content security policy allows no style sheet."""
SETTLED = 1500
"""Milliseconds until the charts of a page are drawn."""


async def look_up(run_id: str) -> RunFacts:
    """Return a run of the support or the sales bot; its id holds the number of its question and its version."""
    at, version = int(run_id[-8:-4], 16), int(run_id[-4:], 16)
    question, reply = TURNS[at % len(TURNS)] if version else ("Tell me a joke.", JOKE)
    turns = [{"type": "human", "content": question}, {"type": "ai", "content": reply}]
    name = ("Support bot", "Sales bot")[at % 2]
    return RunFacts(run_id, f"thread {at}", name, version or 1, input={"messages": turns[:1]},
                    output={"messages": turns}, assistant_name=name)  # fmt: skip


@contextmanager
def feedback_server(folder: Path, pages: PageSettings = DEFAULT_PAGES) -> Iterator[str]:
    database = open_database(f"sqlite:///{folder / 'feedback.db'}")
    with serving(
        Litestar(plugins=[FeedbackPlugin(database, FeedbackSettings(pages=pages), run_lookup=look_up)])
    ) as url:
        yield url


def send_month(url: str) -> None:
    """Create a month of feedback, the same each time."""
    drawn = random.Random(7)
    with httpx.Client(base_url=url) as client:
        for key, config in (("stars", STARS), ("tone", TONE)):
            client.post("/feedback-configs", json={"feedback_key": key, "feedback_config": config}).raise_for_status()
        for at in range(360):
            is_good = drawn.random() < 0.7
            scores = {
                "thumbs": int(is_good),
                "stars": drawn.choice((4, 5, 5) if is_good else (2, 3, 4)),
                "tone": drawn.choice((1, 1, 1, 0, 2)),
            }
            at_time = datetime.now(UTC) - timedelta(days=28 * (at / 360) ** 0.9, minutes=9)
            about = {"run_id": RUN.format(at=at, version=1 + at % 3), "created_at": at_time.isoformat()}
            for key in drawn.sample(sorted(scores), drawn.randint(1, 3)):
                is_down = key == "thumbs" and not is_good
                words = {"comment": drawn.choice(PRAISE if is_good else COMPLAINTS)} if key == "thumbs" else {}
                reasons = {"reasons": drawn.sample(REASONS, drawn.randint(1, 2))} if is_down else {}
                source = {"type": "app", "user_id": f"user-{at % 23}@example.com", "metadata": reasons}
                body = {"key": key, "score": scores[key], "feedback_source": source, **about, **words}
                client.post("/feedback", json=body).raise_for_status()


def shoot_dashboard(open_page: Callable[..., Page], folder: Path) -> None:
    with feedback_server(folder) as url:
        send_month(url)
        for name, view in (("dashboard", "overview"), ("dashboard-feedback", "feedback")):
            page = open_page(f"{url}/feedback/ui?view={view}", 1280, 985)
            page.wait_for_timeout(SETTLED)
            page.screenshot(path=FOLDER / f"{name}.png")


def shoot_email_page(open_page: Callable[..., Page], folder: Path) -> None:
    with feedback_server(folder, ACME_PAGES) as url:
        page = open_page(mint(url, "nps", NPS, RUN.format(at=0, version=0)) + "?score=8", 640, 769)
        page.screenshot(path=FOLDER / "email-page.png")


def shoot_buttons(open_page: Callable[..., Page], folder: Path) -> None:
    """Press thumbs, stars and categories, in light and in dark colours."""
    with feedback_server(folder) as server, site_served() as site:
        body = f"<p>{JOKE}</p>"
        body += buttons(src=mint(server, "thumbs"), reasons="Not funny, Heard it before")
        body += buttons(src=mint(server, "stars", STARS), type="stars")
        body += buttons(src=mint(server, "tone", TONE), type="categories")
        address = site.page(body, script=f'import "{server}/feedback/feedback-buttons.js";', trusted=server)
        for scheme in ("light", "dark"):
            page = open_page(address, 480, 505, color_scheme=scheme)
            page.evaluate(STYLE)
            page.get_by_role("button", name="Bad answer").click()
            page.get_by_role("button", name="Heard it before").click()
            page.get_by_role("textbox").fill("My grandmother tells this one.")
            page.get_by_role("radio", name="4 stars").click()
            page.get_by_role("button", name="Just right").click()
            expect(page.get_by_role("status")).to_have_text(["Thank you."] * 3)
            page.wait_for_timeout(SETTLED)
            page.screenshot(path=FOLDER / f"buttons-{scheme}.png")


def shoot_chat(open_page: Callable[..., Page], folder: Path) -> None:
    with ServerProcess(EXAMPLE, folder, AGENT_TOKEN_SECONDS="0.01") as server:
        page = open_page(server.url, 1280, 800)
        for at, question in enumerate(("Tell me a joke about databases.", "Cheer up a lonely foreign key.")):
            ask(page, question)
            expect(page.locator(THUMBS)).to_have_count(at + 1)
        thumb(page, "Good answer").click()
        thumb(page, "Bad answer", 1).click()
        page.locator(THUMBS).nth(1).get_by_role("textbox").fill("I have heard this one before.")
        page.locator(THUMBS).nth(1).get_by_role("button", name="Send").click()
        expect(page.locator("#votes .vote")).to_have_count(2)
        page.screenshot(path=FOLDER / "chat.png")


def open_pages(browser: Browser) -> Callable[..., Page]:
    """Return a function that opens a page of this size in a browser window of its own."""

    def open_page(url: str, width: int, height: int, **options: Any) -> Page:
        size: Any = {"width": width, "height": height}
        page = browser.new_context(user_agent=AGENT, viewport=size, **options).new_page()
        page.goto(url)
        page.wait_for_load_state("networkidle")
        return page

    return open_page


def main() -> None:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        for shoot in (shoot_dashboard, shoot_email_page, shoot_buttons, shoot_chat):
            with tempfile.TemporaryDirectory() as folder:
                shoot(open_pages(browser), Path(folder))
        browser.close()


if __name__ == "__main__":
    main()
