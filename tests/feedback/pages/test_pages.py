"""The pages behind presigned URLs: their questions, their forms, and the input that they reject."""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings, RunFacts
from feedback.pages.colours import accent_rules, contrast
from feedback.pages.snippets import stars
from feedback.pages.texts import LANGUAGES
from feedback.settings import Links
from tests.feedback.conftest import mint, stored
from tests.feedback.pages.test_link_scanners import CHROME, NAVIGATION

App = AsyncTestClient[Litestar]
BROWSER = {"Accept": NAVIGATION, "User-Agent": CHROME}
THUMBS = {"type": "continuous", "min": 0, "max": 1}
STARS = {"type": "continuous", "min": 1, "max": 5}
COLOURS = {"type": "categorical", "categories": [{"value": 1, "label": "Red & co"}, {"value": 2, "label": "Blue"}]}
SEVERAL = {**COLOURS, "allows_multiple_categories": True}
EVIL = "\"><script>alert(1)</script><b x='"


async def page(client: httpx.AsyncClient, url: str, status: int = 200) -> str:
    response = await client.get(url, headers=BROWSER)
    assert (response.status_code, response.headers["content-type"]) == (status, "text/html; charset=utf-8")
    return response.text


def fields(html: str) -> dict[str, Any]:
    """Return the fields that the page's form sends if its button is pressed at once."""
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input [^>]*>", html):
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if attributes["type"] in ("hidden", "number") or " checked" in tag:
            found.setdefault(attributes["name"], []).append(unescape(attributes.get("value", "")))
    if comment := re.search(r"<textarea[^>]*>\n(.*?)</textarea>", html, re.DOTALL):
        found["comment"] = [unescape(comment[1])]
    return found


async def press(client: httpx.AsyncClient, url: str, html: str, **changes: str) -> str:
    response = await client.post(url.partition("?")[0], data=fields(html) | changes, headers=BROWSER)
    assert response.status_code == 200, response.text
    return response.text


KINDS: list[tuple[Any, str, str, dict[str, Any]]] = [
    (THUMBS, "score=1", "Good", {"score": 1}),
    (THUMBS, "score=false", "Bad", {"score": 0}),
    (THUMBS, "score=0.25", 'type="number"', {"score": 0.25}),
    (STARS, "score=4", "stars", {"score": 4}),
    (STARS, "value=4", "stars", {"score": 4}),
    ({"type": "continuous", "min": 0, "max": 10}, "score=10", "scale", {"score": 10}),
    ({"type": "continuous", "min": 0, "max": 100}, "score=42", 'max="100"', {"score": 42}),
    (COLOURS, "value=Red+%26+co", "Red &amp; co", {"score": 1, "value": "Red & co"}),
    (COLOURS, "score=2", "Blue", {"score": 2, "value": "Blue"}),
    (SEVERAL, "score=2", "checkbox", {"score": 2, "value": "Blue"}),
    ({"type": "freeform"}, "comment=so+%3Cso%3E", "so &lt;so&gt;", {"score": None, "comment": "so <so>"}),
    ({"type": "freeform"}, "value=fine", '<strong dir="auto">fine', {"value": "fine"}),
    (None, "score=1", "Yes", {"score": 1}),
    (None, "score=7&value=x", '<strong dir="auto">7, x', {"score": 7, "value": "x"}),
]


@pytest.mark.parametrize(("config", "query", "shows", "expected"), KINDS)
async def test_page_preselects_the_links_score(
    client: App, config: Any, query: str, shows: str, expected: dict[str, Any]
) -> None:
    url = await mint(client, **({"feedback_config": config} if config else {})) + "?" + query
    form = await page(client, url)
    assert shows in form
    assert await stored(client) == []
    assert "Thank you" in await press(client, url, form)
    [row] = await stored(client)
    assert {name: row[name] for name in expected} == expected


async def test_several_categories_may_be_ticked(client: App) -> None:
    url = await mint(client, feedback_config=SEVERAL)
    await client.post(url, data={"value": ["1", "2"]}, headers=BROWSER)
    [row] = await stored(client)
    assert row["value"] == {"labels": ["Red & co", "Blue"], "values": [1, 2]}


async def test_feedback_is_submitted_retracted_and_submitted_again(client: App, token_url: str) -> None:
    form = await page(client, token_url + "?score=1")
    thanked = await press(client, token_url, form, comment="good")
    assert [(row["score"], row["comment"]) for row in await stored(client)] == [(1, "good")]
    again = await press(client, token_url, thanked)
    assert ("Your feedback was removed" in again, await stored(client)) == (True, [])
    assert "Your feedback was removed" in await press(client, token_url, thanked)
    await press(client, token_url, again, score="0")
    assert [row["score"] for row in await stored(client)] == [0]


async def test_form_that_is_sent_twice_is_stored_once(client: App, token_url: str) -> None:
    form = await page(client, token_url + "?score=1")
    for _ in range(2):
        assert "Thank you" in await press(client, token_url, form)
    assert len(await stored(client)) == 1


async def test_changing_the_preselected_score_drops_the_links_fields(client: App, token_url: str) -> None:
    form = await page(client, token_url + "?score=1&comment=great")
    assert f'action="./{token_url.rpartition("/")[2]}"' in form
    await press(client, token_url, form, score="0", comment="")
    assert [(row["score"], row["comment"]) for row in await stored(client)] == [(0, None)]


async def test_fields_that_the_page_hides_are_submitted(client: App, token_url: str) -> None:
    await press(
        client, token_url, await page(client, token_url + '?score=1&user_id=ada&metadata={"a":1}&correction={"b":2}')
    )
    [row] = await stored(client)
    assert row["feedback_source"] == {"type": "api", "metadata": {"a": 1}, "user_id": "ada"}
    assert row["correction"] == {"b": 2}


async def test_empty_form_is_asked_again(client: App, token_url: str) -> None:
    response = await client.post(token_url, data={"comment": ""}, headers=BROWSER)
    assert (response.status_code, "Please choose something" in response.text) == (422, True)
    assert await stored(client) == []


async def test_wrong_score_in_a_link_can_be_corrected(client: App) -> None:
    url = await mint(client, feedback_config=STARS)
    for query in ("?score=1&user_id=+", "?comment=%00", "?metadata=5"):
        shown = await page(client, url + query)
        assert ("Send</button>" in shown, "not possible" in shown) == (True, False)
    for score in ("9", "high", "-1"):
        shown = await page(client, f"{url}?score={score}&comment=hello")
        assert f"“{score}” is not possible here. Please choose a number from 1 to 5." in shown
        assert (fields(shown)["comment"], "score" in fields(shown)) == (["hello"], False)
    response = await client.post(url, data={"score": "9", "comment": "kept"}, headers=BROWSER)
    assert (response.status_code, "from 1 to 5" in response.text) == (422, True)
    assert fields(response.text)["comment"] == ["kept"]


async def test_only_feedback_of_this_url_is_retracted(client: App, token_url: str) -> None:
    other = await mint(client, "other")
    given = (await client.post(other, json={"score": 1})).json()["id"]
    response = await client.post(token_url, data={"undo": given}, headers=BROWSER)
    assert response.status_code == 404
    assert len(await stored(client)) == 1


@pytest.mark.parametrize("field", ["score", "value", "comment", "correction", "metadata", "user_id", "id", "redirect"])
async def test_nothing_that_comes_in_becomes_markup(client: App, field: str) -> None:
    categories = [{"value": 1, "label": EVIL}, {"value": 2}]
    for config in (None, {"type": "categorical", "categories": categories}):
        url = await mint(client, "key" + EVIL, **({"feedback_config": config} if config else {}))
        form = await client.get(url, params={field: EVIL}, headers=BROWSER)
        sent = await client.post(url, data={"comment": "x", field: EVIL}, headers=BROWSER)
        undone = await client.post(url, data={"undo": EVIL}, headers=BROWSER)
        for response in (form, sent, undone):
            assert response.headers["content-type"].startswith("text/html")
            assert "<script" not in response.text
            assert "<b x" not in response.text


async def test_page_forbids_frames_scripts_caches_and_indexing(client: App, token_url: str) -> None:
    thanked = await client.post(token_url, data={"score": "1"}, headers=BROWSER)
    gone = await client.get(f"/feedback/tokens/{uuid.uuid4()}", headers=BROWSER)
    for response in (await client.get(token_url, headers=BROWSER), thanked, gone):
        [style] = re.findall("<style>(.*?)</style>", response.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert response.headers["content-security-policy"] == (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        )
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["x-robots-tag"] == "noindex, nofollow"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<script|<img|<link|style=| on\w+=|https?://", response.text)


async def test_unknown_and_expired_urls_are_explained(client: App, token_url: str, database_url: str) -> None:
    assert "This link is not complete" in await page(client, token_url[:-1], 404)
    async with open_database(database_url) as database:
        await database.write(lambda db: db.execute("UPDATE feedback_grant SET expires_at = 1"))
    expired = "This feedback link has expired. Thanks anyway!"
    assert expired in await page(client, token_url + "?score=1", 410)
    response = await client.post(token_url, data={"score": "1"}, headers=BROWSER)
    assert (response.status_code, expired in response.text) == (410, True)


@pytest.fixture
async def shop(sqlite_url: str) -> AsyncIterator[App]:
    links = Links(redirect_origins=("https://shop.example", "http://localhost:8080"))
    async with AsyncTestClient(
        Litestar(plugins=[FeedbackPlugin(open_database(sqlite_url), FeedbackSettings(links=links))])
    ) as client:
        yield client


async def test_page_leads_on_to_a_listed_origin(shop: App) -> None:
    for address in ("https://shop.example/thanks?a=1&b=2", "https://SHOP.example", "http://localhost:8080/x"):
        url = await mint(shop)
        form = await shop.get(url, params={"score": "1", "redirect": address}, headers=BROWSER)
        thanked = await press(shop, url, form.text)
        assert address in unescape(thanked)
        assert "Continue to" in thanked
        assert "Continue to" in await press(shop, url, await press(shop, url, thanked), score="1")


OPEN_REDIRECTS = [
    "https://evil.example/",
    "https://shop.example.evil.example/",
    "https://shop.example@evil.example/",
    "https://shop.example:443@evil.example/",
    "https://shop.example\\@evil.example/",
    "https://evil.example\\.shop.example/",
    "http://shop.example/",
    "https://shop.example:8443/",
    "//evil.example/",
    "//shop.example/",
    "/\\evil.example",
    "javascript:alert(1)//https://shop.example",
    "data:text/html,x",
    "https://shop.example\n.evil.example/",
    "https://[shop.example/",
]


async def test_page_leads_on_to_nowhere_else(shop: App, subtests: pytest.Subtests) -> None:
    for address in OPEN_REDIRECTS:
        with subtests.test(address=address):
            url = await mint(shop)
            response = await shop.post(url, data={"score": "1", "redirect": address}, headers=BROWSER)
            assert "Thank you" in response.text
            assert "Continue to" not in response.text
            form = await shop.get(url, params={"redirect": address}, headers=BROWSER)
            assert "redirect" not in fields(form.text)


async def test_page_asks_what_the_keys_own_configuration_says(client: App) -> None:
    created = await client.post("/feedback-configs", json={"feedback_key": "stars", "feedback_config": STARS})
    assert created.status_code == 200, created.text
    assert "stars" in await page(client, await mint(client, "stars") + "?score=4")


async def test_retraction_restores_a_use_of_the_url(client: App) -> None:
    url = await mint(client, max_uses=1)
    thanked = await press(client, url, await page(client, url + "?score=1"))
    used = await client.post(url, data={"score": "0"}, headers=BROWSER)
    assert (used.status_code, "was used already" in used.text) == (410, True)
    again = await press(client, url, thanked)
    assert "Thank you" in await press(client, url, again, score="0")
    assert [row["score"] for row in await stored(client)] == [0]


async def test_resubmitting_an_earlier_page_changes_the_feedback(client: App, token_url: str) -> None:
    form = await page(client, token_url + "?score=1")
    for changes in ({}, {}, {"score": "0", "comment": "on second thoughts"}):
        assert "Thank you" in await press(client, token_url, form, **changes)
    [feedback] = await stored(client)
    assert (feedback["score"], feedback["comment"]) == (0, "on second thoughts")
    other = await mint(client)
    refused = await client.post(other, data=fields(form), headers=BROWSER)
    assert refused.status_code == 409, "the holder of another URL cannot change it"
    assert (await stored(client))[0]["score"] == 0


async def test_page_of_a_used_up_link_asks_nothing(client: App) -> None:
    url = await mint(client, max_uses=1)
    for _ in range(2):
        form = await page(client, url + "?score=1")
    thanks = await press(client, url, form)
    assert "This feedback link was used already" in await page(client, url + "?score=0", 410)
    assert "Your feedback was removed" in await press(client, url, thanks)
    assert "Thank you" in await press(client, url, await page(client, url + "?score=0&user_id=ada"))
    assert "Anything to add" in await page(client, url + "?score=1&user_id=ada"), "a change is no second use"


async def test_page_shows_the_texts_of_the_key(client: App) -> None:
    texts = {"title": "Recommendation", "question": "Would you recommend <us>?"}
    ends = {"low_label": "not likely", "high_label": "very likely"}
    for key, high in (("nps", 10), ("wide", 100)):
        config = {"type": "continuous", "min": 0, "max": high, **ends, **texts}
        created = await client.post("/feedback-configs", json={"feedback_key": key, "feedback_config": config})
        assert created.status_code == 200, created.text
        shown = await page(client, await mint(client, key))
        assert '<h1 dir="auto">Would you recommend &lt;us&gt;?</h1>' in shown
        assert "Recommendation" in shown
        assert ("not likely" in shown, "very likely" in shown, "Nps" in shown) == (True, True, False)
        assert ("10 – very likely" in shown) == (high == 10)
    unnamed = await page(client, await mint(client, "some_key"))
    assert ("How was this answer?" in unnamed, "Some key" in unnamed) == (True, False)


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", "de-AT,de;q=0.9,en;q=0.5", "de"),
        ("", "nl, fr;q=0.4, ja;q=0.8", "ja"),
        ("", "es;q=0, xx", "en"),
        ("", "", "en"),
        ("", "*;q=x,;;q=,,", "en"),
        ("?lang=fr", "de", "fr"),
        ("?lang=es-MX", "de", "es"),
        ("?lang=%3Cb%3E", "de", "de"),
    ],
)
async def test_page_speaks_the_language_of_its_reader(client: App, query: str, header: str, language: str) -> None:
    url = await mint(client)
    texts, headers = LANGUAGES[language], {**BROWSER, "Accept-Language": header}
    form = await client.get(url + query, headers=headers)
    assert (form.headers["content-language"], "Accept-Language" in form.headers["vary"]) == (language, True)
    assert f'<html lang="{language}">' in form.text
    assert all(text in form.text for text in (texts.question, texts.intro, texts.send))
    [action] = re.findall(r'action="\./([^"]+)"', form.text)
    sent = await client.post(
        url.rpartition("/")[0] + "/" + action, data=fields(form.text) | {"score": "1"}, headers=headers
    )
    assert (sent.status_code, texts.saved in sent.text) == (200, True)
    gone = await client.get(f"/feedback/tokens/{uuid.uuid4()}{query}", headers=headers)
    assert (gone.status_code, texts.incomplete[0] in gone.text) == (404, True)


def test_every_text_names_the_same_values() -> None:
    braces = [
        [sorted(re.findall(r"{\w+}", str(getattr(texts, name)))) for name in texts.__struct_fields__]
        for texts in LANGUAGES.values()
    ]
    assert all(one == braces[0] for one in braces)
    assert all(getattr(texts, name) for texts in LANGUAGES.values() for name in texts.__struct_fields__)


async def test_links_name_their_scale(client: App) -> None:
    url = await mint(client, "quality")
    link = "/" + stars("http://feedback.test" + url).links[3].url.split("/", 3)[3]
    form = await page(client, link)
    assert (fields(form)["score"], 'class="stars"' in form) == (["4"], True)
    assert "Thank you" in await press(client, url, form)
    [row] = await stored(client)
    assert (row["score"], row["extra"]) == (4, {"scale": [1, 5]})
    for wrong in ("5,1", "1", "a,b", "1,2,3"):
        response = await client.get(f"{url}?score=1&scale={wrong}", headers={"Accept": "application/json"})
        assert (response.status_code, "`scale`" in response.json()["detail"]) == (422, True)
    beyond = await client.post(url, json={"score": 7, "scale": [1, 5]})
    assert (beyond.status_code, "from 1 to 5" in beyond.json()["detail"]) == (422, True)


async def echo(run_id: str) -> RunFacts:
    """Return a run whose agent's answer contains markup."""
    return RunFacts(run_id, input={"question": "Who?"}, output={"answer": f"<b>It was {'x' * 2000}"})


async def test_page_shows_the_product_and_quotes_the_reply(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    environ = {"PRODUCT": "Acme & Söhne", "LOGO": str(tmp_path / "logo.svg"), "COLOR": "#FE0", "QUOTE": "true"}
    settings = FeedbackSettings.load({f"AGENT_SERVER_FEEDBACK_{name}": text for name, text in environ.items()})
    plugin = FeedbackPlugin(open_database(sqlite_url), settings, run_lookup=echo)
    async with AsyncTestClient(Litestar(plugins=[plugin])) as client:
        url = await mint(client)
        response = await client.get(url, headers=BROWSER)
        assert "Acme &amp; Söhne" in response.text
        assert 'src="data:image/svg+xml;base64,' in response.text
        assert "&lt;b&gt;It was" in response.text
        [style] = re.findall("<style>(.*?)</style>", response.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = response.headers["content-security-policy"]
        assert f"style-src 'sha256-{digest}'; img-src data:;" in policy
        accents = re.findall(r"--accent: light-dark\((#\w+), (#\w+)\)", style)[-1]
        assert contrast(accents[0], "#ffffff") >= 4.5
        assert contrast(accents[1], "#1c1b25") >= 4.5


async def test_reply_is_not_quoted_by_default(sqlite_url: str) -> None:
    async with AsyncTestClient(
        Litestar(plugins=[FeedbackPlugin(open_database(sqlite_url), run_lookup=echo)])
    ) as client:
        assert "It was" not in await page(client, await mint(client))


@pytest.mark.parametrize("colour", ["#000000", "#ffffff", "#ff0000", "#ffee00", "#1c1b25", "#777777"])
def test_any_colour_of_a_product_is_readable(colour: str) -> None:
    light, dark = re.findall(r"light-dark\((#\w+), (#\w+)\)", accent_rules(colour))[0]
    assert contrast(light, "#ffffff") >= 4.5
    assert contrast(dark, "#1c1b25") >= 4.5
    assert contrast("#17131f", dark) >= 4.5
