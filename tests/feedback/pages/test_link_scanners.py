"""Link scanners, unfurlers and prefetching browsers submit nothing; programs that mean to submit do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings
from feedback.settings import Links
from tests.feedback.conftest import mint, stored

App = AsyncTestClient[Litestar]

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
NAVIGATION = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
OLD_IE = "image/gif, image/jpeg, image/pjpeg, application/x-ms-application, text/html, */*"

SCANNERS: dict[str, tuple[str, str | None, str | None]] = {
    # name: method, User-Agent, Accept
    "Defender Safe Links, on click": ("GET", CHROME + " Edg/126.0.0.0", NAVIGATION),
    "Defender Safe Links, on delivery": ("GET", CHROME, "text/html"),
    "Defender Safe Links, nameless": ("GET", None, None),
    "Defender detonation, Internet Explorer": (
        "GET", "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko", OLD_IE,
    ),
    "Outlook, looking first": ("HEAD", "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0; Pro)", "*/*"),
    "Office, looking first": ("GET", "Microsoft Office Existence Discovery", "*/*"),
    "Word, before the browser": (
        "GET", "Mozilla/4.0 (compatible; ms-office; MSOffice 16)", "*/*",
    ),
    "Barracuda": ("GET", "Barracuda Sentinel (EE)", "*/*"),
    "BarracudaCentral": ("GET", "Mozilla/5.0 (compatible; BarracudaCentral/1.0)", "text/html,*/*"),
    "Mimecast": ("GET", "Mozilla/5.0 (compatible; Mimecast URL Protect)", "*/*"),
    "Proofpoint URL Defense": ("GET", "Mozilla/5.0 (compatible; proofpoint-urldefense/1.0)", "*/*"),
    "Proofpoint sandbox, as Firefox": (
        "GET", "Mozilla/5.0 (Windows NT 6.1; Win64; x64; rv:52.0) Gecko/20100101 Firefox/52.0", NAVIGATION,
    ),
    "Cisco IronPort": ("GET", "Cisco-IronPort/1.0", "*/*"),
    "Symantec, by HEAD": ("HEAD", "Symantec.cloud/MessageLabs", "*/*"),
    "Slack, unfurling": ("GET", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "*/*"),
    "Slack, images": ("GET", "Slack-ImgProxy (+https://api.slack.com/robots)", "image/*,*/*;q=0.8"),
    "Teams": (
        "GET",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) SkypeUriPreview Preview/0.5 "
        "skype-url-preview@microsoft.com",
        "*/*",
    ),
    "Facebook": ("GET", "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "*/*"),
    "iMessage": (
        "GET",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 "
        "Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    "Twitter": ("GET", "Twitterbot/1.0", "*/*"),
    "LinkedIn": (
        "GET", "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)", "*/*",
    ),
    "Telegram": ("GET", "TelegramBot (like TwitterBot)", "*/*"),
    "WhatsApp": ("GET", "WhatsApp/2.23.20.0 A", "*/*"),
    "Discord": ("GET", "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", "*/*"),
    "Google": (
        "GET", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "text/html,*/*;q=0.8",
    ),
    "Gmail, images": (
        "GET",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "image/*,*/*",
    ),
    "Yahoo, images": ("GET", "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "*/*"),
    "Bing, previewing": (
        "GET",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b",
        "*/*",
    ),
    "Apple": ("GET", "Mozilla/5.0 (compatible; Applebot/0.1; +http://www.apple.com/go/applebot)", "*/*"),
    "Mastodon": ("GET", "http.rb/5.1.1 (Mastodon/4.2.1; +https://mastodon.example/)", "text/html"),
    "Embedly": ("GET", "Mozilla/5.0 (compatible; Embedly/0.2; +http://support.embed.ly/)", "*/*"),
    "a browser without a head": ("GET", CHROME.replace("Chrome/", "HeadlessChrome/"), NAVIGATION),
}  # fmt: skip
"""The first request of each program, as documented or commonly known. Scanners that run scripts look like Chrome."""


NAMED = [
    name
    for name, (_, agent, _) in SCANNERS.items()
    if agent is None or not (agent.startswith(CHROME) or "Trident" in agent or "Firefox/52" in agent)
]
"""The programs that do not claim to be a browser."""


def headers_of(name: str) -> dict[str, str]:
    _, agent, accept = SCANNERS[name]
    return {"User-Agent": agent or "", "Accept": accept or ""}


async def test_no_scanner_votes(client: App, token_url: str) -> None:
    for name, (method, _, _) in SCANNERS.items():
        response = await client.request(method, token_url + "?score=1&comment=hi", headers=headers_of(name))
        assert response.status_code == 200, name
        if method == "GET":
            assert response.headers["content-type"] == "text/html; charset=utf-8", name
            assert "<title>How was this answer?</title>" in response.text, name
        assert await stored(client) == [], name


async def test_shown_form_counts_from_any_client(client: App) -> None:
    for name in NAMED:
        url, headers = await mint(client, name.replace(",", "")), {**headers_of(name), "Accept": NAVIGATION}
        blind = await client.post(url, data={"score": "1"}, headers=headers)
        assert (blind.status_code, "Nothing is saved yet" in blind.text) == (422, True), name
        assert await stored(client, key=name.replace(",", "")) == [], name
        [shown_id] = re.findall(r'name="id" value="([^"]+)"', blind.text)
        sent = await client.post(url, data={"score": "1", "id": shown_id}, headers=headers)
        assert (sent.status_code, "Your feedback is saved." in sent.text) == (200, True), name
        assert [row["score"] for row in await stored(client, key=name.replace(",", ""))] == [1], name


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch;prerender", "Accept": NAVIGATION, "User-Agent": CHROME},
        {"Purpose": "prefetch", "Accept": "*/*"},
        {"X-Purpose": "preview", "Accept": NAVIGATION},
        {"X-Moz": "prefetch", "Accept": "*/*"},
    ],
)
@pytest.mark.parametrize("mode", ["auto", "direct"])
async def test_prefetch_stores_no_feedback(sqlite_url: str, headers: dict[str, str], mode: str) -> None:
    async with serving(sqlite_url, Links(mode=mode)) as client:  # type: ignore[arg-type]
        url = await mint(client)
        assert (await client.get(url + "?score=1", headers=headers)).status_code == 200
        assert await stored(client) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "curl/8.5.0", "Accept": "*/*"},
        {"User-Agent": "langsmith-py/0.15.1-httpx", "Accept": "*/*"},
        {"User-Agent": "python-httpx/0.28.1", "Accept": "application/json"},
        {"User-Agent": "node", "Accept": "application/json", "Sec-Fetch-Mode": "cors"},
        {"User-Agent": "okhttp/4.12.0", "Accept": "application/json"},
        {"User-Agent": "axios/1.7.2", "Accept": "application/json, text/plain, */*"},
        {"User-Agent": "Mine/1", "Accept": "application/json, text/html;q=0.5"},
    ],
)
async def test_program_that_asks_for_it_submits(client: App, token_url: str, headers: dict[str, str]) -> None:
    response = await client.get(token_url + "?score=1", headers=headers)
    assert (response.status_code, response.json()["status"]) == (200, "created")
    assert len(await stored(client)) == 1


UNDECIDED = [
    {"User-Agent": "python-httpx/0.28.1", "Accept": "*/*"},
    {"User-Agent": "python-requests/2.32.5", "Accept": "*/*"},
    {"User-Agent": "Go-http-client/1.1"},
    {"User-Agent": "node", "Accept": "*/*", "Sec-Fetch-Mode": "cors"},
    {"User-Agent": "Java/21.0.1", "Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"},
    {"User-Agent": "Trellix-EmailSecurity/1.0", "Accept": "*/*"},
    {"User-Agent": "Sublime-Security-Link-Analysis", "Accept": "*/*"},
    {"User-Agent": CHROME, "Accept": "*/*"},
    {"User-Agent": CHROME, "Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    {"User-Agent": CHROME, "Accept": "application/json"},
    {"User-Agent": CHROME, "Accept": "application/json", "Sec-Fetch-Mode": "same-origin"},
    {"User-Agent": CHROME, "Accept": "image/avif,image/webp,*/*;q=0.8", "Sec-Fetch-Mode": "no-cors"},
    {"User-Agent": "Mine/1", "Accept": "application/json", "Sec-Fetch-Mode": "no-cors"},
    {"User-Agent": "Mine/1", "Accept": "application/json", "Sec-Fetch-Mode": "navigate"},
    {"User-Agent": "curl/8.5.0", "Accept": "text/html"},
    {"User-Agent": "", "Accept": "application/json"},
]


async def test_client_that_does_not_ask_gets_a_page(client: App, token_url: str, subtests: pytest.Subtests) -> None:
    for headers in UNDECIDED:
        with subtests.test(headers=headers):
            for query in ("score=1", "value=good&user_id=anna", "comment=hi", "correction=x", "metadata={}"):
                shown = await client.get(f"{token_url}?{query}", headers=headers)
                is_program = headers["User-Agent"] in ("", "Mine/1")
                assert (shown.status_code, "Send</button>" in shown.text) == (200, not is_program)
                assert await stored(client) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
    ids=["image", "frame"],
)
async def test_images_and_frames_never_count(sqlite_url: str, headers: dict[str, str]) -> None:
    async with serving(sqlite_url, Links(mode="direct")) as client:
        url = await mint(client)
        await client.get(url + "?score=1", headers={**headers, "User-Agent": CHROME, "Accept": "image/*,*/*"})
        assert await stored(client) == []
        click = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "User-Agent": CHROME, "Accept": NAVIGATION}
        await client.get(url + "?score=1", headers=click)
        assert len(await stored(client)) == 1


def serving(url: str, links: Links) -> AsyncTestClient[Litestar]:
    return AsyncTestClient(Litestar(plugins=[FeedbackPlugin(open_database(url), FeedbackSettings(links=links))]))


@pytest.fixture
async def strict(sqlite_url: str) -> AsyncIterator[App]:
    """A client of a service where opening a link submits nothing, except for the feedback key `quick`."""
    async with serving(sqlite_url, Links(mode="confirm", by_key={"quick": "direct", "plain": "auto"})) as client:
        yield client


async def test_in_confirm_mode_no_link_votes(strict: App) -> None:
    url = await mint(strict)
    for headers in ({"Accept": "*/*"}, {"Accept": NAVIGATION}, {"Accept": "application/json"}):
        response = await strict.get(url + "?score=1", headers=headers)
        assert response.status_code == 200
        assert ("Send</button>" in response.text) == (headers["Accept"] != "application/json")
    assert await stored(strict) == []
    assert (await strict.post(url, json={"score": 1})).status_code == 200


async def test_key_has_a_mode_of_its_own(strict: App) -> None:
    quick, plain = await mint(strict, "quick"), await mint(strict, "plain")
    response = await strict.get(quick + "?score=1", headers={"Accept": NAVIGATION, "User-Agent": CHROME})
    assert "Your feedback is saved." in response.text
    await strict.get(plain + "?score=1", headers={"Accept": NAVIGATION, "User-Agent": CHROME})
    assert [row["key"] for row in await stored(strict)] == ["quick"]
    await strict.get(plain + "?score=1", headers={"Accept": "application/json"})
    assert [row["key"] for row in await stored(strict)] == ["plain", "quick"]


async def test_named_scanner_stores_nothing_in_direct_mode(sqlite_url: str) -> None:
    async with serving(sqlite_url, Links(mode="direct")) as client:
        url = await mint(client)
        for name in NAMED:
            response = await client.request(SCANNERS[name][0], url + "?score=1", headers=headers_of(name))
            assert (response.status_code, await stored(client)) == (200, []), name


def test_wrong_modes_and_origins_are_refused_at_start() -> None:
    for wrong in ({"mode": "always"}, {"by_key": {"k": "x"}}, {"redirect_origins": ("https://a.example/path",)}):
        with pytest.raises(ValueError, match=r"none of confirm, auto, direct|is not an origin"):
            Links(**wrong)  # type: ignore[arg-type]
