"""<feedback-buttons> in Chromium, on a page of another origin with a strict content security policy."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import Route, expect

from tests.browser.axe import check_accessible
from tests.browser.buttons import (
    OFFLINE,
    Shown,
    button,
    buttons,
    check_pressed,
    choice,
    listed,
    mint,
    press,
    stored,
    thumbs,
)
from tests.browser.conftest import Visit, eventually
from tests.browser.site import Site
from tests.browser.test_email_pages import LABELS, STARS


def test_submission_is_changed_and_withdrawn(feedback_server: str, shown: Shown) -> None:
    with shown(thumbs(feedback_server)) as page:
        expect(page.get_by_role("group", name="Rate this answer")).to_be_visible()
        press(page, "Good answer")
        check_pressed(page, "Good answer")
        assert stored(feedback_server) == {"user_liked": (1, None)}
        press(page, "Bad answer")
        check_pressed(page, "Bad answer")
        assert stored(feedback_server) == {"user_disliked": (1, None)}
        press(page, "Bad answer", "Your feedback was removed.")
        check_pressed(page)
        assert stored(feedback_server) == {}
        press(page, "Good answer")
        assert stored(feedback_server) == {"user_liked": (1, None)}
        assert page.evaluate("heard") == [
            ["feedback-submit", "submit", 1, None],
            ["feedback-success", "submit", 1, "created"],
            ["feedback-submit", "submit", 1, None],
            ["feedback-success", "submit", 1, "created"],
            ["feedback-submit", "retract", None, None],
            ["feedback-success", "retract", None, "retracted"],
            ["feedback-submit", "submit", 1, None],
            ["feedback-success", "submit", 1, "created"],
        ]


def test_comment_and_reasons_belong_to_their_vote(feedback_server: str, shown: Shown) -> None:
    with shown(thumbs(feedback_server, reasons='["Wrong", "Too long, really"]')) as page:
        press(page, "Good answer")
        expect(page.get_by_label("Anything to add?")).to_be_hidden()
        press(page, "Bad answer")
        expect(button(page, "Bad answer")).to_be_focused()
        press(page, "Too long, really")
        page.get_by_label("Anything to add?").fill(" <b>missed</b> the point\n")
        press(page, "Send", "Thank you. Your comment is saved.")
        expect(page.get_by_label("Anything to add?")).to_be_hidden()
        expect(button(page, "Bad answer")).to_be_focused()
        [row] = listed(feedback_server)
        assert (row["key"], row["comment"]) == ("user_disliked", "<b>missed</b> the point")
        assert row["feedback_source"]["metadata"] == {"reasons": ["Too long, really"]}
        press(page, "Good answer")
        assert stored(feedback_server) == {"user_liked": (1, None)}
        press(page, "Bad answer")
        expect(page.get_by_label("Anything to add?")).to_have_value("")
        expect(button(page, "Too long, really")).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize(
    ("comment", "after_good", "after_bad"),
    [("never", False, False), ("negative", False, True), ("always", True, True)],
)
def test_comment_is_asked_for_as_the_page_says(
    feedback_server: str, shown: Shown, comment: str, after_good: bool, after_bad: bool
) -> None:
    with shown(buttons(src=mint(feedback_server), comment=comment)) as page:
        for name, questions in (("Good answer", after_good), ("Bad answer", after_bad)):
            press(page, name)
            expect(page.get_by_label("Anything to add?")).to_be_visible(visible=questions)


def test_keyboard_alone_suffices(feedback_server: str, shown: Shown) -> None:
    with shown(buttons(src=mint(feedback_server), reasons="Wrong, Too long")) as page:
        page.keyboard.press("Tab")
        expect(button(page, "Good answer")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        expect(page.get_by_role("status")).to_have_text("Thank you.")
        expect(button(page, "Bad answer")).to_be_focused()
        page.keyboard.press("Tab")
        expect(button(page, "Add a comment")).to_have_attribute("aria-expanded", "true")
        page.keyboard.press("Escape")
        expect(page.get_by_label("Anything to add?")).to_be_hidden()
        expect(button(page, "Add a comment")).to_be_focused()
        page.keyboard.press("Enter")
        expect(button(page, "Wrong")).to_be_focused()
        page.keyboard.press("Enter")
        for _ in range(2):
            page.keyboard.press("Tab")
        page.keyboard.type("by keys")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("status")).to_have_text("Thank you. Your comment is saved.")
        expect(button(page, "Bad answer")).to_be_focused()
        assert stored(feedback_server) == {"user_score": (0, "by keys")}


def test_escape_in_the_comment_returns_to_the_vote(feedback_server: str, shown: Shown) -> None:
    with shown(
        buttons(src=mint(feedback_server)), "document.addEventListener('keydown', (e) => heard.push(e.key))"
    ) as page:
        press(page, "Bad answer")
        page.get_by_label("Anything to add?").fill("not yet")
        page.keyboard.press("Escape")
        expect(button(page, "Bad answer")).to_be_focused()
        assert "Escape" not in page.evaluate("heard")
        expect(page.get_by_role("status")).to_have_text("Your comment is not sent yet.")
        button(page, "Continue your comment").click()
        expect(page.get_by_label("Anything to add?")).to_be_focused()
        expect(page.get_by_label("Anything to add?")).to_have_value("not yet")


def test_stored_vote_is_restored_after_a_reload(feedback_server: str, shown: Shown) -> None:
    with shown(thumbs(feedback_server, reasons="Wrong,Too long")) as page:
        press(page, "Bad answer")
        press(page, "Wrong")
        page.get_by_label("Anything to add?").fill("why?")
        press(page, "Send", "Thank you. Your comment is saved.")
        page.reload()
        check_pressed(page, "Bad answer")
        expect(page.get_by_label("Anything to add?")).to_be_hidden()
        button(page, "Edit comment").click()
        expect(page.get_by_label("Anything to add?")).to_have_value("why?")
        expect(button(page, "Wrong")).to_have_attribute("aria-pressed", "true")
        press(page, "Good answer")
        assert stored(feedback_server) == {"user_liked": (1, None)}
        page.reload()
        check_pressed(page, "Good answer")


def test_votes_of_named_users_stay_apart(feedback_server: str, shown: Shown) -> None:
    url = mint(feedback_server)
    with shown(buttons(src=url, user_id="ada")) as page:
        press(page, "Good answer")
        page.locator("feedback-buttons").evaluate("(one) => { one.userId = 'bob' }")
        check_pressed(page)
        press(page, "Bad answer")
        page.locator("feedback-buttons").evaluate("(one) => { one.userId = 'ada' }")
        check_pressed(page, "Good answer")
    rows = [(row["feedback_source"]["user_id"], row["score"]) for row in listed(feedback_server)]
    assert sorted(rows) == [("ada", 1), ("bob", 0)]


def test_vote_before_the_restore_replaces_the_earlier(feedback_server: str, shown: Shown) -> None:
    with shown(thumbs(feedback_server)) as page:
        press(page, "Good answer")
        held: list[Route] = []
        page.route("**/feedback/tokens/*format=json*", lambda route: held.append(route))
        page.reload()
        button(page, "Bad answer").click()
        check_pressed(page, "Bad answer")
        eventually(lambda: len(held) == 2)
        for route in held:
            route.continue_()
        expect(page.get_by_role("status")).to_have_text("Thank you.")
        assert stored(feedback_server) == {"user_disliked": (1, None)}


def test_offline_submission_is_rolled_back_and_reported(feedback_server: str, shown: Shown) -> None:
    with shown(thumbs(feedback_server), complaints=OFFLINE) as page:
        press(page, "Good answer")
        page.context.set_offline(True)
        button(page, "Bad answer").click()
        expect(page.get_by_role("status")).to_contain_text("That was not saved.")
        expect(page.get_by_role("status")).to_contain_text("online")
        check_pressed(page, "Good answer")
        expect(button(page, "Bad answer")).to_be_focused()
        assert page.evaluate("heard.at(-1)") == ["feedback-error", "submit", 1, 0]
        page.context.set_offline(False)
        press(page, "Bad answer")
        assert stored(feedback_server) == {"user_disliked": (1, None)}


def test_failed_comment_stays_in_its_box(feedback_server: str, shown: Shown) -> None:
    with shown(buttons(src=mint(feedback_server)), complaints=OFFLINE) as page:
        press(page, "Bad answer")
        page.context.set_offline(True)
        page.get_by_label("Anything to add?").fill("long thoughts")
        button(page, "Send").click()
        expect(page.get_by_role("status")).to_contain_text("That was not saved.")
        expect(page.get_by_label("Anything to add?")).to_have_value("long thoughts")
        page.context.set_offline(False)
        press(page, "Send", "Thank you. Your comment is saved.")
        assert stored(feedback_server) == {"user_score": (0, "long thoughts")}


def test_failed_switch_between_urls_shows_the_stored_vote(feedback_server: str, shown: Shown) -> None:
    with shown(thumbs(feedback_server), complaints=OFFLINE) as page:
        press(page, "Good answer")
        page.route("**/feedback/tokens/*", refuse_posts)
        button(page, "Bad answer").click()
        expect(page.get_by_role("status")).to_have_text(
            "That was not saved. The server has a problem. Please try again later."
        )
        check_pressed(page)
        assert stored(feedback_server) == {}


def refuse_posts(route: Route) -> None:
    if route.request.method != "POST":
        return route.continue_()
    body = '{"detail": "The database is on fire", "code": "internal"}'
    return route.fulfill(status=500, headers={"Access-Control-Allow-Origin": "*"}, body=body)


def test_only_the_last_of_quick_changes_counts(feedback_server: str, shown: Shown) -> None:
    with shown(thumbs(feedback_server)) as page:
        held: list[Route] = []
        page.route("**/feedback/tokens/*", lambda route: held.append(route) if not held else route.continue_())
        button(page, "Good answer").click()
        button(page, "Bad answer").click()
        button(page, "Good answer").click()
        button(page, "Bad answer").click()
        check_pressed(page, "Bad answer")
        eventually(lambda: held)
        held[0].continue_()
        expect(page.get_by_role("status")).to_have_text("Thank you.")
        assert stored(feedback_server) == {"user_disliked": (1, None)}


def test_page_may_prevent_what_is_pressed(feedback_server: str, shown: Shown) -> None:
    with shown(buttons(src=mint(feedback_server)), "window.prevents = true") as page:
        button(page, "Good answer").click()
        check_pressed(page)
        assert page.evaluate("heard") == [["feedback-submit", "submit", 1, None]]
        assert stored(feedback_server) == {}


def test_page_may_add_to_what_is_sent(feedback_server: str, shown: Shown) -> None:
    adding = "document.addEventListener('feedback-submit', (e) => { e.detail.submission.metadata = { page: 'a' } })"
    with shown(buttons(src=mint(feedback_server)), adding) as page:
        press(page, "Good answer")
    assert listed(feedback_server)[0]["feedback_source"]["metadata"] == {"page": "a"}


def test_stars_are_one_to_five(feedback_server: str, shown: Shown) -> None:
    with shown(buttons(src=mint(feedback_server, config=STARS), type="stars")) as page:
        press(page, "4 stars")
        check_pressed(page, "4 stars")
        expect(page.locator("button.filled")).to_have_count(4)
        expect(page.get_by_label("Anything to add?")).to_be_hidden()
        press(page, "2 stars")
        page.get_by_label("Anything to add?").fill("meh")
        press(page, "Send", "Thank you. Your comment is saved.")
        press(page, "1 star")
        assert stored(feedback_server) == {"user_score": (1, "meh")}
        page.reload()
        check_pressed(page, "1 star")
        press(page, "1 star", "Your feedback was removed.")
        assert stored(feedback_server) == {}


def test_categories_are_those_of_the_page(feedback_server: str, shown: Shown) -> None:
    with shown(buttons(src=mint(feedback_server), type="categories", categories="Funny, Old, <b>Odd</b>")) as page:
        press(page, "<b>Odd</b>")
        press(page, "Old")
        check_pressed(page, "Old")
        assert [row["value"] for row in listed(feedback_server)] == ["Old"]
        page.reload()
        check_pressed(page, "Old")


def test_categories_come_from_the_key_and_allow_several(feedback_server: str, shown: Shown) -> None:
    with shown(buttons(src=mint(feedback_server, config=LABELS), type="categories")) as page:
        press(page, "Solved my problem")
        press(page, "Did not help")
        check_pressed(page, "Solved my problem", "Did not help")
        page.reload()
        check_pressed(page, "Solved my problem", "Did not help")
        press(page, "Solved my problem")
        page.reload()
        check_pressed(page, "Did not help")
        assert [row["value"] for row in listed(feedback_server)] == ["Did not help"]
        press(page, "Did not help", "Your feedback was removed.")


def test_typed_comment_is_sent_on_leaving_the_page(feedback_server: str, shown: Shown) -> None:
    with shown(thumbs(feedback_server, reasons="Wrong"), complaints=OFFLINE) as page:
        press(page, "Bad answer")
        button(page, "Wrong").click()
        page.get_by_label("Anything to add?").fill("I must be off")
        page.goto("about:blank")
        [row] = eventually(lambda: [one for one in listed(feedback_server) if one["comment"]])
    assert (row["key"], row["score"], row["comment"]) == ("user_disliked", 1, "I must be off")
    assert row["feedback_source"]["metadata"] == {"reasons": ["Wrong"]}


def test_submission_while_leaving_the_page_is_stored(feedback_server: str, shown: Shown) -> None:
    with shown(thumbs(feedback_server), complaints=OFFLINE) as page:
        page.route("**/feedback/tokens/*format=json*", lambda _: None)
        button(page, "Good answer").click()
        page.goto("about:blank")
        assert eventually(lambda: stored(feedback_server)) == {"user_liked": (1, None)}


def test_fresh_url_of_the_same_run_keeps_feedback(feedback_server: str, shown: Shown) -> None:
    with shown(buttons(src=mint(feedback_server))) as page:
        element = page.locator("feedback-buttons")
        press(page, "Bad answer")
        page.get_by_label("Anything to add?").fill("draft")
        element.evaluate("(one, url) => { one.src = url }", mint(feedback_server, run="another run"))
        check_pressed(page)
        expect(page.get_by_label("Anything to add?")).to_be_hidden()
        element.evaluate("(one, url) => { one.src = url }", mint(feedback_server))
        check_pressed(page, "Bad answer")
        assert element.evaluate("(one) => one.feedback") == {"choice": "negative", "comment": "", "reasons": []}


def test_expired_url_shows_no_buttons(feedback_server: str, shown: Shown) -> None:
    url = mint(feedback_server)
    httpx.post(f"{url}/revoke").raise_for_status()
    with shown(buttons(src=url), complaints=OFFLINE) as page:
        expect(page.get_by_role("status")).to_have_text("This feedback link has expired. Thanks anyway!")
        expect(button(page, "Good answer")).to_be_hidden()
        assert page.evaluate("heard.at(-1)") == ["feedback-error", "restore", None, 410]
        page.locator("feedback-buttons").evaluate("(one, url) => { one.src = url }", mint(feedback_server))
        expect(button(page, "Good answer")).to_be_visible()


def test_url_that_expires_says_so(feedback_server: str, shown: Shown) -> None:
    url = mint(feedback_server)
    with shown(buttons(src=url), complaints=OFFLINE) as page:
        expect(button(page, "Good answer")).to_be_visible()
        page.wait_for_load_state("networkidle")
        httpx.post(f"{url}/revoke").raise_for_status()
        button(page, "Good answer").click()
        expect(page.get_by_role("status")).to_have_text("This feedback link has expired. Thanks anyway!")
        expect(button(page, "Good answer")).to_be_hidden()
        assert page.evaluate("heard.at(-1)") == ["feedback-error", "submit", 1, 410]


def test_properties_that_were_set_too_early_count(feedback_server: str, shown: Shown) -> None:
    early = f"""
      const element = document.createElement("feedback-buttons");
      Object.assign(element, {{ src: {mint(feedback_server)!r}, reasons: ["Wrong, sadly"], userId: "ada",
        texts: {{ positive: "Gut", negative: "Schlecht", thanks: "Danke." }}, comment: "never" }});
      document.querySelector("main").append(element);
    """
    with shown("", early) as page:
        press(page, "Schlecht", "Danke.")
        expect(button(page, "Wrong, sadly")).to_be_visible()
        expect(page.get_by_label("Anything to add?")).to_be_hidden()
        mirrored = page.locator("feedback-buttons").evaluate("(one) => [one.getAttribute('user-id'), one.reasons]")
        assert mirrored == ["ada", ["Wrong, sadly"]]


def test_without_urls_there_is_nothing_to_press(shown: Shown) -> None:
    with shown(buttons() + buttons(type="stars") + buttons(type="categories", categories="a,b")) as page:
        expect(page.get_by_role("group")).to_have_count(3)
        expect(page.get_by_role("button")).to_have_count(0)


def test_disabled_buttons_are_disabled(feedback_server: str, shown: Shown) -> None:
    with shown(buttons(src=mint(feedback_server), disabled="")) as page:
        expect(button(page, "Good answer")).to_be_disabled()
        page.locator("feedback-buttons").evaluate("(one) => { one.disabled = false }")
        press(page, "Good answer")


def test_page_gives_its_own_icons_names_and_style(feedback_server: str, shown: Shown) -> None:
    own = f"""<feedback-buttons src="{mint(feedback_server)}" label="This joke" positive-label="Funny">
      <i slot="positive">ha</i></feedback-buttons>"""
    rules = "feedback-buttons { --feedback-accent: rgb(1, 2, 3) } feedback-buttons::part(positive) { width: 91px }"
    styled = f"""const sheet = new CSSStyleSheet();
      sheet.replaceSync("{rules}");
      document.adoptedStyleSheets = [sheet];"""
    with shown(own, styled) as page:
        expect(page.get_by_role("group", name="This joke")).to_be_visible()
        expect(page.get_by_text("ha", exact=True)).to_be_visible()
        press(page, "Funny")
        expect(button(page, "Funny")).to_have_css("background-color", "rgb(1, 2, 3)")
        expect(button(page, "Funny")).to_have_css("width", "91px")


def test_links_inside_serve_those_without_javascript(feedback_server: str, visit: Visit, site: Site) -> None:
    url = mint(feedback_server)
    page_url = site.page(f'<feedback-buttons src="{url}"><a href="{url}?score=1">Good</a></feedback-buttons>')
    with visit(page_url) as page:
        page.get_by_role("link", name="Good").click()
        expect(page.get_by_role("button", name="Send")).to_be_visible()


EVERY_KIND = ("Good answer", "Bad answer", "4 stars", "Funny")


def every_kind(server: str) -> str:
    """Return one element of each kind, below each other."""
    return (
        thumbs(server, label="Thumbs with a key each", reasons="Wrong, Too long", comment="always")
        + buttons(src=mint(server, "stars", STARS), type="stars", label="Stars")
        + buttons(src=mint(server, "topics"), type="categories", categories="Funny, Old", label="Categories")
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1000])
def test_every_kind_is_accessible_and_fits(feedback_server: str, shown: Shown, scheme: str, width: int) -> None:
    with shown(every_kind(feedback_server), width=width, color_scheme=scheme) as page:
        check_accessible(page)
        for name in EVERY_KIND[1:]:
            choice(page, name).click()
        for text in page.get_by_role("status").all():
            expect(text).to_have_text("Thank you.")
        button(page, "Wrong").click()
        page.get_by_text("Thank you.").first.wait_for()
        check_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        boxes = [one.bounding_box() for one in page.get_by_role("button").all()]
        assert all(box and min(box["width"], box["height"]) >= 24 for box in boxes)


def test_forced_colours_and_reduced_motion_are_heeded(feedback_server: str, shown: Shown) -> None:
    options = {"forced_colors": "active", "reduced_motion": "reduce"}
    with shown(buttons(src=mint(feedback_server)), **options) as page:
        press(page, "Good answer")
        look = "(one) => [getComputedStyle(one).backgroundColor, getComputedStyle(one).transitionDuration]"
        pressed, other = (button(page, name).evaluate(look) for name in ("Good answer", "Bad answer"))
        assert pressed[0] != other[0]
        assert pressed[1] == "0s"
