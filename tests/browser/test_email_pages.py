"""The pages behind links in mail, in a browser without JavaScript: seen, answered, thought better of."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import check_accessible
from tests.browser.conftest import AGENT, Visit

RUN = "018f0000-0000-7000-8000-000000000001"
THUMBS = {"type": "continuous", "min": 0, "max": 1}
STARS = {"type": "continuous", "min": 1, "max": 5}
CATEGORIES = [{"value": 1, "label": "Solved my problem"}, {"value": 2, "label": "Did not help"}]
LABELS = {"type": "categorical", "categories": CATEGORIES, "allows_multiple_categories": True}
SCALE = {"type": "continuous", "min": 0, "max": 10}
KINDS: list[tuple[Any, str]] = [(THUMBS, "1"), (STARS, "4"), (LABELS, "2"), (SCALE, "8"), (None, "1")]
ANY_TEXT = "h1, p, legend, label, small, button, a, span"


def mint(server: str, config: Any = None) -> str:
    body = {"run_id": RUN, "feedback_key": "user_score", "feedback_config": config}
    return str(httpx.post(f"{server}/feedback/tokens", json=body).json()["url"])


def spoilt(url: str) -> str:
    """The URL with another last character."""
    return url[:-1] + ("1" if url.endswith("0") else "0")


def kept(server: str) -> list[tuple[Any, Any]]:
    return [(row["score"], row["comment"]) for row in httpx.get(f"{server}/feedback", params={"run": RUN}).json()]


def test_link_submits_and_undoes_without_javascript(feedback_server: str, visit: Visit) -> None:
    with visit(mint(feedback_server, STARS) + "?score=4") as page:
        expect(page.get_by_role("radio", name="4")).to_be_checked()
        assert kept(feedback_server) == []
        page.get_by_role("radio", name="2").check()
        page.get_by_label("Anything to add?").fill("<b>so so</b>")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        assert kept(feedback_server) == [(2, "<b>so so</b>")]
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("heading", name="taken back")).to_be_visible()
        assert kept(feedback_server) == []
        page.get_by_role("radio", name="5").check()
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        assert kept(feedback_server) == [(5, None)]


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
        expect(page.get_by_role("status")).to_have_text("Your feedback was stored.")
        assert kept(feedback_server) == [(0, "by keys")]
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="taken back")).to_be_visible()
        assert kept(feedback_server) == []


def test_reload_of_the_thanks_is_no_second_answer(feedback_server: str, visit: Visit) -> None:
    with visit(mint(feedback_server, THUMBS) + "?score=1") as page:
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert kept(feedback_server) == [(1, None)]


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
    page.goto(spoilt(url))
    check_accessible(page)
    page.goto(url)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_be_visible()
    check_accessible(page)
    context.close()


def test_dead_link_says_so_kindly(feedback_server: str, chromium: Browser) -> None:
    page = chromium.new_page(user_agent=AGENT, java_script_enabled=False)
    answer = page.goto(spoilt(mint(feedback_server)))
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="This link is not complete")).to_be_visible()
    page.close()


def check_readable(page: Page) -> None:
    """Nothing sticks out, every control is 24 pixels at least and has a name, and text stands out from its ground."""
    measured = page.evaluate(MEASURE, ANY_TEXT)
    assert measured["overflow"] <= 0
    assert measured["small"] == []
    assert [one for one in measured["contrasts"] if one[1] < 4.5] == []
    for role in ("radio", "checkbox", "button", "link"):
        for control in page.get_by_role(role).all():  # type: ignore[arg-type]
            assert control.evaluate("one => (one.labels?.[0] ?? one).textContent.trim()")


MEASURE = """selector => {
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
    small: controls.filter(one => Math.min(one.offsetWidth, one.offsetHeight) < 24).map(one => one.outerHTML),
    contrasts: [...document.querySelectorAll(selector)].filter(one => one.textContent.trim())
      .map(one => [one.textContent.trim(), contrast(one)]),
  };
}"""
