"""Snippets of thumbs and stars for e-mail and Slack, and the pages that their links open."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from feedback.pages.snippets import LABELS, Row, add_feedback, stars, thumbs
from feedback.pages.texts import LANGUAGES
from tests.feedback.conftest import RUN, stored
from tests.feedback.pages.test_link_scanners import NAMED, headers_of
from tests.feedback.pages.test_pages import BROWSER, press

App = AsyncTestClient[Litestar]
URL = "https://feedback.example/api/v1/feedback/tokens/018f0000-0000-4000-8000-000000000001"


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


def links_of(row: Row) -> list[str]:
    """Return the links of the e-mail; check that Slack's buttons and the plain text have the same."""
    parser = Links()
    parser.feed(row.html())
    found = [str(link["href"]) for link in parser.found]
    assert [button["url"] for button in row.slack()[1]["elements"]] == found
    assert re.findall(r": (https?://\S+)", row.text()) == found
    assert all(link["aria-label"] for link in parser.found)
    return found


def test_thumbs_use_one_url_or_two() -> None:
    assert links_of(thumbs(URL)) == [URL + "?score=1", URL + "?score=0"]
    assert links_of(thumbs(URL, URL + "2")) == [URL + "?score=1", URL + "2?score=1"]


def test_stars_are_scores_from_one_on() -> None:
    assert links_of(stars(URL)) == [f"{URL}?score={score}&scale=1%2C5" for score in range(1, 6)]
    with pytest.raises(ValueError, match="2 to 10"):
        stars(URL, 11)


def test_links_carry_user_and_redirect() -> None:
    [first, _] = links_of(thumbs(URL, user_id="ada & co", redirect="https://shop.example/?a=1"))
    assert first == URL + "?score=1&user_id=ada+%26+co&redirect=https%3A%2F%2Fshop.example%2F%3Fa%3D1"
    assert add_feedback(URL + "?a=1", {"score": 1}) == URL + "?a=1&score=1"


@pytest.mark.parametrize("lang", list(LANGUAGES))
def test_row_and_its_page_speak_the_language(lang: str) -> None:
    row = thumbs(URL, lang=f"{lang}-XX", user_id="ada")
    assert links_of(row) == [f"{URL}?score={score}&user_id=ada&lang={lang}" for score in (1, 0)]
    assert f'<div lang="{lang}">' in row.html()
    for shown in (row.html(), row.text(), row.slack()[0]["text"]["text"]):
        assert LANGUAGES[lang].question in shown
    assert LABELS[lang].bad in row.text()
    assert row.html("Na?") != row.html()
    assert stars(URL, lang=lang).links[3].label == LABELS[lang].stars.format(score=4, most=5)
    assert LABELS.keys() == LANGUAGES.keys()


def test_unknown_language_of_a_row_is_refused() -> None:
    with pytest.raises(ValueError, match="'tlh'; ask for one of en, de, fr, es, ja"):
        stars(URL, lang="tlh")
    assert "lang" not in thumbs(URL).links[0].url


def test_nothing_in_a_row_becomes_markup() -> None:
    evil = '"><script>alert(1)</script>'
    html = thumbs(URL, user_id=evil).html(question=evil)
    assert "<script" not in html
    assert evil in unescape(html)
    for wrong in ("javascript:alert(1)", "/relative", ""):
        with pytest.raises(ValueError, match="presigned URL"):
            thumbs(wrong)


def test_slack_blocks_keep_slacks_bounds() -> None:
    section, actions = stars(URL, 10).slack("x" * 4000)
    assert (section["type"], len(section["text"]["text"])) == ("section", 3000)
    elements = actions["elements"]
    assert len({button["action_id"] for button in elements}) == len(elements) <= 25
    assert all(len(button["text"]["text"]) <= 75 and len(button["accessibility_label"]) <= 75 for button in elements)


async def test_row_of_links_counts_people_and_not_scanners(client: App) -> None:
    orders = [{"run_id": RUN, "feedback_key": key} for key in ("user_liked", "user_disliked")]
    liked, disliked = (await client.post("/feedback/tokens", json=orders)).json()
    [up, down] = links_of(thumbs(liked["url"], disliked["url"]))
    for name in NAMED:
        await client.get(up, headers=headers_of(name))
        await client.get(down, headers=headers_of(name))
    assert await stored(client) == []
    await press(client, down, (await client.get(down, headers=BROWSER)).text)
    assert [(row["key"], row["score"]) for row in await stored(client)] == [("user_disliked", 1)]
