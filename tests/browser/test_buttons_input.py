"""Input to <feedback-buttons>: keys, fingers, drafts, five languages, expired links. One server for all tests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from playwright.sync_api import Page, expect

from agent_server.database import open_database
from feedback import FeedbackPlugin
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
from tests.feedback.conftest import serving

COMMENT = "Anything to add?"
NAMES = {
    "en": ("Bad answer", "Thank you.", "This feedback link has expired. Thanks anyway!"),
    "de": ("Schlechte Antwort", "Vielen Dank.", "Dieser Feedback-Link ist abgelaufen. Trotzdem vielen Dank!"),
    "fr": ("Mauvaise réponse", "Merci.", "Ce lien d’évaluation a expiré. Merci quand même !"),
    "es": ("Mala respuesta", "Gracias.", "Este enlace de valoración ha caducado. ¡Gracias de todos modos!"),
    "ja": (
        "良くない回答",
        "ありがとうございます。",
        "このフィードバックリンクの有効期限が切れています。ありがとうございました。",
    ),
}
LONG = "Donaudampfschifffahrtsgesellschaftskapitän" * 3
ODD = ["<b>bold</b> & 'quoted'", "👩‍👩‍👧 great", "خطأ في الإجابة", LONG]


@pytest.fixture(scope="module")
def feedback_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of one server for all tests of the module, which use a run each."""
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('buttons') / 'feedback.db'}")
    with serving(Litestar(plugins=[FeedbackPlugin(database)])) as url:
        yield url


@pytest.fixture
def run() -> str:
    return str(uuid.uuid4())


def status_is(page: Page, text: str) -> None:
    expect(page.get_by_role("status")).to_have_text(text)


def revoke(url: str) -> None:
    httpx.post(f"{url}/revoke").raise_for_status()


def test_stars_are_a_radio_group(feedback_server: str, shown: Shown, run: str) -> None:
    with shown(buttons(src=mint(feedback_server, "stars", run=run), type="stars", comment="always")) as page:
        expect(page.get_by_role("radiogroup", name="Rate this answer")).to_be_visible()
        page.keyboard.press("Tab")
        expect(choice(page, "1 star")).to_be_focused()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        expect(choice(page, "4 stars")).to_be_focused()
        check_pressed(page, "4 stars")
        page.keyboard.press("ArrowUp")
        check_pressed(page, "3 stars")
        page.keyboard.press("End")
        page.keyboard.press("ArrowDown")
        check_pressed(page, "1 star")
        page.keyboard.press("Home")
        check_pressed(page, "1 star")
        page.evaluate("document.documentElement.dir = 'rtl'")
        page.keyboard.press("ArrowLeft")
        check_pressed(page, "2 stars")
        status_is(page, "Thank you.")
        page.keyboard.press("Tab")
        expect(button(page, "Add a comment")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        expect(choice(page, "2 stars")).to_be_focused()
        page.keyboard.press("Space")
        check_pressed(page)
        status_is(page, "Your feedback was removed.")
    assert stored(feedback_server, run) == {}


def test_reason_is_stored_as_it_is_pressed(feedback_server: str, shown: Shown, run: str) -> None:
    with shown(thumbs(feedback_server, run, reasons="Wrong, Too long")) as page:
        press(page, "Bad answer")
        page.get_by_label(COMMENT).fill("half a thou")
        press(page, "Wrong")
        [row] = listed(feedback_server, run)
        assert (row["comment"], row["feedback_source"]["metadata"]) == (None, {"reasons": ["Wrong"]})
        expect(page.get_by_label(COMMENT)).to_have_value("half a thou")
        press(page, "Too long")
        press(page, "Wrong")
        expect(button(page, "Too long")).to_have_attribute("aria-pressed", "true")
        expect(button(page, "Wrong")).to_have_attribute("aria-pressed", "false")
        [row] = listed(feedback_server, run)
        assert row["feedback_source"]["metadata"] == {"reasons": ["Too long"]}


def test_refused_reason_is_not_shown_as_pressed(feedback_server: str, shown: Shown, run: str) -> None:
    with shown(thumbs(feedback_server, run, reasons="Wrong"), complaints=OFFLINE) as page:
        press(page, "Bad answer")
        page.context.set_offline(True)
        button(page, "Wrong").click()
        expect(page.get_by_role("status")).to_contain_text("Is this device online?")
        expect(button(page, "Wrong")).to_have_attribute("aria-pressed", "false")
        page.context.set_offline(False)
        press(page, "Wrong")


@pytest.mark.parametrize("way", ["Close", "Escape"])
def test_closed_comment_stays_as_a_draft(feedback_server: str, shown: Shown, run: str, way: str) -> None:
    with shown(buttons(src=mint(feedback_server, run=run), comment="always")) as page:
        press(page, "Bad answer")
        page.get_by_label(COMMENT).fill("not yet")
        page.keyboard.press("Escape") if way == "Escape" else button(page, "Close").click()
        status_is(page, "Your comment is not sent yet.")
        expect(page.get_by_label(COMMENT)).to_be_hidden()
        press(page, "Good answer")
        expect(page.get_by_label(COMMENT)).to_have_value("")
        press(page, "Bad answer")
        expect(page.get_by_label(COMMENT)).to_have_value("not yet")
        press(page, "Send", "Thank you. Your comment is saved.")
    assert stored(feedback_server, run) == {"user_score": (0, "not yet")}


def test_sent_comment_is_read_edited_and_removed(feedback_server: str, shown: Shown, run: str) -> None:
    with shown(buttons(src=mint(feedback_server, run=run))) as page:
        press(page, "Bad answer")
        page.get_by_label(COMMENT).fill("first")
        press(page, "Send", "Thank you. Your comment is saved.")
        page.reload()
        button(page, "Edit comment").click()
        expect(page.get_by_label(COMMENT)).to_have_value("first")
        page.get_by_label(COMMENT).fill("second")
        press(page, "Send", "Thank you. Your comment is saved.")
        assert stored(feedback_server, run) == {"user_score": (0, "second")}
        button(page, "Edit comment").click()
        page.get_by_label(COMMENT).fill("")
        press(page, "Send")
        expect(button(page, "Add a comment")).to_be_visible()
    assert stored(feedback_server, run) == {"user_score": (0, None)}


@pytest.mark.parametrize("language", NAMES)
def test_texts_follow_the_language_of_the_page(feedback_server: str, shown: Shown, run: str, language: str) -> None:
    negative, thanks, expired = NAMES[language]
    gone = mint(feedback_server, run=run)
    revoke(gone)
    body = f'<div lang="{language}-XX">{thumbs(feedback_server, run)}{buttons(src=gone)}</div>'
    with shown(body, complaints=OFFLINE) as page:
        expect(page.get_by_role("status").last).to_have_text(expired)
        expect(page.get_by_role("button", name=negative)).to_have_count(1)
        button(page, negative).click()
        expect(page.get_by_role("status").first).to_have_text(thanks)
        check_accessible(page)
        for other in ("de", "xx"):
            page.locator("feedback-buttons").first.evaluate("(one, lang) => { one.lang = lang }", other)
            expect(page.get_by_role("status").first).to_have_text(NAMES.get(other, NAMES["en"])[1])


def test_every_text_exists_in_every_language(feedback_server: str, shown: Shown, run: str) -> None:
    module = f"const module = await import('{feedback_server}/feedback/feedback-buttons-texts.js');"
    with shown("", f"{module} window.languages = module.LANGUAGES;") as page:
        languages: dict[str, dict[str, Any]] = page.evaluate("languages")
        assert languages.keys() == NAMES.keys()
        for texts in languages.values():
            assert texts.keys() == languages["en"].keys()
            assert all(texts.values())
            assert len(texts["stars"]) == 5
        page.evaluate("document.documentElement.lang = 'fr'")
        body = buttons(src=mint(feedback_server, run=run))
        page.evaluate("(html) => document.querySelector('main').setHTMLUnsafe(html)", body)
        expect(button(page, "Bonne réponse")).to_be_visible()
        page.evaluate("document.documentElement.lang = 'ja'")
        expect(button(page, "良い回答")).to_be_visible()


@pytest.mark.parametrize(("scheme", "direction"), [("light", "ltr"), ("dark", "rtl")])
def test_finger_meets_large_targets(feedback_server: str, shown: Shown, run: str, scheme: str, direction: str) -> None:
    body = (
        thumbs(feedback_server, run, reasons=",".join(ODD[1:]))
        + buttons(src=mint(feedback_server, "stars", run=run), type="stars", label="Stars")
        + buttons(src=mint(feedback_server, "topics", run=run), type="categories", categories=",".join(ODD))
    )
    finger = {"has_touch": True, "is_mobile": True, "color_scheme": scheme, "width": 320}
    with shown(f'<div dir="{direction}">{body}</div>', **finger) as page:
        assert page.evaluate("matchMedia('(pointer: coarse)').matches")
        button(page, "Bad answer").tap()
        button(page, ODD[2]).first.tap()
        choice(page, "4 stars").tap()
        button(page, ODD[0]).tap()
        expect(page.get_by_text("Thank you.")).to_have_count(3)
        pressed = page.get_by_role("button").all() + page.get_by_role("radio").all()
        boxes = [box for one in pressed if (box := one.bounding_box())]
        assert len(boxes) > 12
        assert [box for box in boxes if min(box["width"], box["height"]) < 44] == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        check_accessible(page)
        page.get_by_label(COMMENT).first.fill(f"{ODD[1]} {LONG}")
        button(page, "Close").first.tap()
        check_accessible(page)
    values = {row["key"]: row["value"] for row in listed(feedback_server, run)}
    assert values["topics"] == ODD[0]


def test_stars_without_configuration_are_a_rating(feedback_server: str, shown: Shown, run: str) -> None:
    body = buttons(src=mint(feedback_server, "quality", run=run), type="stars") + buttons(
        src=mint(feedback_server, "csat", run=run)
    )
    with shown(body) as page:
        choice(page, "1 star").click()
        button(page, "Good answer").click()
        expect(page.get_by_text("Thank you.")).to_have_count(2)
    found = httpx.get(f"{feedback_server}/api/v1/feedback/statistics", params={"key": ["quality", "csat"]}).json()
    kinds = {one["key"]: one["kind"] for one in found}
    assert kinds == {"quality": "rating", "csat": "thumbs"}


def test_expired_press_goes_through_a_fresh_url(feedback_server: str, shown: Shown, run: str) -> None:
    first, fresh = (mint(feedback_server, run=run) for _ in range(2))
    refresh = f"document.querySelector('feedback-buttons').refresh = async () => '{fresh}'"
    with shown(buttons(src=first), refresh, complaints=OFFLINE) as page:
        press(page, "Good answer")
        revoke(first)
        press(page, "Bad answer")
        check_pressed(page, "Bad answer")
        assert stored(feedback_server, run) == {"user_score": (0, None)}
        assert "feedback-error" not in [one[0] for one in page.evaluate("heard")]
        revoke(fresh)
        button(page, "Good answer").click()
        status_is(page, "This feedback link has expired. Thanks anyway!")
        expect(button(page, "Good answer")).to_be_hidden()
        assert page.evaluate("heard.at(-1)")[3] == 410


def test_expired_link_is_renewed_before_a_press(feedback_server: str, shown: Shown, run: str) -> None:
    first, fresh = (mint(feedback_server, run=run) for _ in range(2))
    revoke(first)
    refresh = f"document.querySelector('feedback-buttons').refresh = async () => ({{ src: '{fresh}' }})"
    with shown(buttons(src=first), refresh, complaints=OFFLINE) as page:
        press(page, "Good answer")
    assert stored(feedback_server, run) == {"user_score": (1, None)}


def test_categories_follow_the_language_of_the_page(feedback_server: str, shown: Shown, run: str) -> None:
    tone = [{"value": 0, "label": "Too formal"}, {"value": 1, "label": "Just right"}, {"value": 2}]
    german = {"question": "Wie war der Ton?", "labels": {"Just right": "Genau richtig", "2": "Zu locker"}}
    config = {"type": "categorical", "categories": tone, "question": "How was the tone?"}
    config["translations"] = {"de": german}
    body = buttons(src=mint(feedback_server, "tone", config, run), type="categories", lang="de-CH")
    with shown(body) as page:
        expect(page.get_by_role("group", name="Wie war der Ton?").get_by_role("button")).to_have_text(
            ["Too formal", "Genau richtig", "Zu locker"]
        )
        button(page, "Genau richtig").click()
        status_is(page, "Vielen Dank.")
        check_accessible(page)
        page.evaluate("document.querySelector('feedback-buttons').lang = 'en'")
        expect(page.get_by_role("group", name="How was the tone?")).to_be_visible()
        check_pressed(page, "Just right")
    [row] = listed(feedback_server, run)
    assert (row["score"], row["value"]) == (1, "Just right")
