"""The pages behind links in e-mail, in a browser without JavaScript: shown, submitted, changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from playwright.sync_api import Browser, Page, expect

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings, RunFacts
from feedback.pages.texts import LANGUAGES
from feedback.settings.pages import PageSettings
from tests.browser.axe import check_accessible
from tests.browser.conftest import AGENT, Visit, eventually
from tests.feedback.conftest import serving

RUN = "018f0000-0000-7000-8000-000000000001"
THUMBS = {"type": "continuous", "min": 0, "max": 1}
STARS = {"type": "continuous", "min": 1, "max": 5}
CATEGORIES = [{"value": 1, "label": "Solved my problem"}, {"value": 2, "label": "Did not help"}]
LABELS = {"type": "categorical", "categories": CATEGORIES, "allows_multiple_categories": True}
SCALE = {"type": "continuous", "min": 0, "max": 10}
KINDS: list[tuple[Any, str]] = [(THUMBS, "1"), (STARS, "4"), (LABELS, "2"), (SCALE, "8"), (None, "1")]
ANY_TEXT = "h1, p, legend, label, small, button, a, span, blockquote, figcaption"


def mint(server: str, config: Any = None) -> str:
    body = {"run_id": RUN, "feedback_key": "user_score", "feedback_config": config}
    return str(httpx.post(f"{server}/feedback/tokens", json=body).json()["url"])


def alter_token(url: str) -> str:
    """Return the URL with another last character."""
    return url[:-1] + ("1" if url.endswith("0") else "0")


def stored(server: str) -> list[tuple[Any, Any]]:
    return [(row["score"], row["comment"]) for row in httpx.get(f"{server}/feedback", params={"run": RUN}).json()]


def test_link_submits_and_undoes_without_javascript(feedback_server: str, visit: Visit) -> None:
    with visit(mint(feedback_server, STARS) + "?score=4") as page:
        expect(page.get_by_role("radio", name="4")).to_be_checked()
        assert stored(feedback_server) == []
        page.get_by_role("radio", name="2").check()
        page.get_by_label("Anything to add?").fill("<b>so so</b>")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        assert stored(feedback_server) == [(2, "<b>so so</b>")]
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("heading", name="Your feedback was removed")).to_be_visible()
        assert stored(feedback_server) == []
        page.get_by_role("radio", name="5").check()
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        assert stored(feedback_server) == [(5, None)]


def test_keyboard_alone_suffices_and_focus_is_seen(feedback_server: str, visit: Visit) -> None:
    with visit(mint(feedback_server, THUMBS) + "?score=1") as page:
        page.keyboard.press("Tab")
        expect(page.get_by_role("radio", name="Good")).to_be_focused()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("radio", name="Bad")).to_be_checked()
        page.keyboard.press("Tab")
        page.keyboard.type("by keys")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Send")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("Your feedback is saved.")
        assert stored(feedback_server) == [(0, "by keys")]
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Your feedback was removed")).to_be_visible()
        assert stored(feedback_server) == []


def test_reloading_the_thanks_is_no_second_submission(feedback_server: str, visit: Visit) -> None:
    with visit(mint(feedback_server, THUMBS) + "?score=1") as page:
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert stored(feedback_server) == [(1, None)]


def test_comment_with_markup_is_shown_as_text(feedback_server: str, visit: Visit) -> None:
    evil = "</textarea><script>document.title='owned'</script><img src=x onerror=alert(1)>"
    with visit(str(httpx.URL(mint(feedback_server)).copy_merge_params({"comment": evil})), script=True) as page:
        expect(page.get_by_label("Anything to add?")).to_have_value(evil)
        expect(page).to_have_title("How was this answer?")
        assert page.locator("script, img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1000])
def test_everything_fits_and_can_be_read(feedback_server: str, visit: Visit, scheme: str, width: int) -> None:
    for config, score in KINDS:
        url = mint(feedback_server, config) + f"?score={score}"
        with visit(url, script=True, width=width, color_scheme=scheme) as page:
            check_readable(page)
            check_accessible(page)
            page.get_by_role("button", name="Send").click()
            expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
            check_readable(page)
            check_accessible(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_refusals_are_accessible_too(feedback_server: str, chromium: Browser, scheme: Any) -> None:
    context = chromium.new_context(user_agent=AGENT, color_scheme=scheme)
    page = context.new_page()
    url = mint(feedback_server)
    page.goto(alter_token(url))
    check_accessible(page)
    page.goto(url)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_be_visible()
    check_accessible(page)
    context.close()


def test_dead_link_says_so_kindly(feedback_server: str, chromium: Browser) -> None:
    page = chromium.new_page(user_agent=AGENT, java_script_enabled=False)
    response = page.goto(alter_token(mint(feedback_server)))
    assert response is not None
    assert response.status == 404
    expect(page.get_by_role("heading", name="This link is not complete")).to_be_visible()
    page.close()


def test_browser_without_a_head_counts(feedback_server: str, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)  # this browser calls itself HeadlessChrome
    page = context.new_page()
    page.goto(mint(feedback_server, THUMBS) + "?score=1")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_have_text("Your feedback is saved.")
    assert stored(feedback_server) == [(1, None)]
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Your feedback was removed")).to_be_visible()
    assert stored(feedback_server) == []
    context.close()


LONG = "Donaudampfschifffahrtsgesellschaftskapitän" * 4
REPLIES = {"light": f"<b>{LONG}</b> 👩‍👩‍👧", "dark": "هذا هو الجواب"}


@pytest.fixture(scope="module")
def branded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a server whose pages show a product and quote the reply, which is the run's id."""

    async def reply(run_id: str) -> RunFacts:
        return RunFacts(run_id, input="Who?", output=REPLIES[run_id])

    logo = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4="
    pages = PageSettings("Acme", logo, "#ffcc00", quotes_reply=True)
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('branded') / 'feedback.db'}")
    plugin = FeedbackPlugin(database, FeedbackSettings(pages=pages), run_lookup=reply)
    with serving(Litestar(plugins=[plugin])) as url:
        yield url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_language_and_product_is_accessible(branded_server: str, visit: Visit, scheme: str) -> None:
    ends = {"low_label": LONG, "high_label": "👍 <i>very likely</i>", "question": f"Would you recommend {LONG}?"}
    body = {"run_id": scheme, "feedback_key": "nps", "feedback_config": {**SCALE, **ends}}
    url = str(httpx.post(f"{branded_server}/feedback/tokens", json=body).json()["url"])
    finger = {"has_touch": True, "is_mobile": True, "color_scheme": scheme, "width": 320}
    with visit(url, script=True, complaints=("Failed to load resource",), **finger) as page:
        for language, texts in LANGUAGES.items():
            page.goto(f"{url}?lang={language}&score=12")
            expect(page.get_by_role("alert")).to_contain_text("12")
            expect(page.get_by_text(REPLIES[scheme])).to_be_visible()
            check_readable(page, least=44)
            check_accessible(page)
            page.get_by_role("radio", name="7").tap()
            page.get_by_role("button", name=texts.send).tap()
            expect(page.get_by_role("status")).to_have_text(texts.saved)
            check_readable(page, least=44)
            page.get_by_role("button", name=texts.undo).tap()
            expect(page.get_by_role("heading", name=texts.removed)).to_be_visible()
        page.goto(f"{alter_token(url)}?lang=ja")
        expect(page.get_by_role("heading", name=LANGUAGES["ja"].incomplete[0])).to_be_visible()
        check_readable(page)
        check_accessible(page)


def check_readable(page: Page, least: int = 24) -> None:
    """Check that nothing overflows, every control has `least` pixels and a name, and text has enough contrast."""
    measured = page.evaluate(MEASURE, [ANY_TEXT, least])
    assert measured["overflow"] <= 0
    assert measured["small"] == []
    assert [one for one in measured["contrasts"] if one[1] < 4.5] == []
    for role in ("radio", "checkbox", "button", "link"):
        for control in page.get_by_role(role).all():  # type: ignore[arg-type]
            assert control.evaluate("one => (one.labels?.[0] ?? one).textContent.trim()")


MEASURE = """([selector, least]) => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ground = one => {
    for (; one; one = one.parentElement) {
      const colour = rgb(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const contrast = one => {
    const [a, b] = [light(rgb(getComputedStyle(one).color)), light(ground(one))].sort((x, y) => y - x);
    return (a + .05) / (b + .05);
  };
  const controls = [...document.querySelectorAll('label.choice, button, a, textarea')];
  return {
    overflow: document.documentElement.scrollWidth - innerWidth,
    small: controls.filter(one => Math.min(one.offsetWidth, one.offsetHeight) < least).map(one => one.outerHTML),
    contrasts: [...document.querySelectorAll(selector)].filter(one => one.textContent.trim())
      .map(one => [one.textContent.trim(), contrast(one)]),
  };
}"""


async def long_reply(run_id: str) -> RunFacts:
    """A run whose agent replied at length."""
    return RunFacts(run_id, input={"question": "Who?"}, output={"answer": "Rather long, this one. " * 60})


def test_long_reply_leaves_the_choices_in_sight(tmp_path: Path, visit: Visit) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'feedback.db'}")
    settings = FeedbackSettings(pages=PageSettings(quotes_reply=True))
    app = Litestar(plugins=[FeedbackPlugin(database, settings, run_lookup=long_reply)])
    with serving(app) as server, visit(mint(server, THUMBS), script=True, width=390) as page:
        expect(page.get_by_role("radio", name="Good")).to_be_in_viewport()
        quote = page.locator("blockquote")
        assert quote.evaluate("one => one.scrollHeight > one.clientHeight")
        quote.focus()
        page.keyboard.press("End")
        eventually(lambda: quote.evaluate("one => one.scrollTop > 0"))
        check_accessible(page)


TRANSLATED = {
    "title": "Recommendation",
    "question": "Would you recommend us?",
    "low_label": "no",
    "high_label": "yes",
    "translations": {
        "de": {"title": "Empfehlung", "question": "Empfehlen Sie uns?", "high_label": "gerne"},
        "fr": {"labels": {"Solved my problem": "Résolu"}},
    },
}


def test_key_is_asked_in_the_persons_language(feedback_server: str, visit: Visit) -> None:
    scale, labels = mint(feedback_server, SCALE | TRANSLATED), mint(feedback_server, LABELS | TRANSLATED)
    with visit(scale, script=True, locale="de-AT") as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("Empfehlen Sie uns?")
        expect(page.locator("legend")).to_have_text("Empfehlung")
        expect(page.locator(".ends span")).to_have_text(["0 – no", "10 – gerne"])
        check_accessible(page)
    with visit(labels, locale="fr-FR") as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("Would you recommend us?")
        page.get_by_label("Résolu").check()
        page.get_by_role("button", name="Envoyer").click()
        expect(page.get_by_role("heading", name="Merci")).to_be_visible()
    [row] = httpx.get(f"{feedback_server}/feedback", params={"run": RUN}).json()
    assert row["value"] == "Solved my problem"
