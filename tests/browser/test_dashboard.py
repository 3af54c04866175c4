"""The dashboard, as a team uses it: what people say is seen, filtered, looked into, reviewed and taken away."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from feedback.auth import Connection, Entry, Scope
from feedback.errors import FeedbackError, Unauthorized
from tests.browser.axe import check_accessible
from tests.browser.conftest import Visit
from tests.browser.dashboard import dashboard, tell, whole_server

REFUSED = ("401", "403", "422", "404")
"""What the console says of an answer that was refused, which is what these visits are about."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A service without keys."""
    with dashboard(tmp_path) as url:
        yield url


@pytest.fixture
def told(server: str) -> str:
    """The same, with a few answers of two keys and two versions, of today and of last month."""
    for at in range(24):
        tell(server, int(at % 4 != 0), version=1, days_ago=at % 3)
        tell(server, 1, version=2, days_ago=at % 3)
    tell(server, 5, key="stars", version=2, comment="Splendid work")
    tell(server, 2, key="stars", version=1, comment="Rather slow", days_ago=1)
    tell(server, 0, version=1, comment="An old complaint", days_ago=40)
    return server


def comments(page: Page) -> list[str]:
    """What the listed answers say."""
    return page.locator(".opener").all_inner_texts()


def test_vote_comes_to_the_dashboard_with_its_conversation_and_stays_text(tmp_path: Path, visit: Visit) -> None:
    words = "<img src=x onerror=alert(1)> <b>so so</b>"
    with whole_server(tmp_path) as url:
        thread = httpx.post(f"{url}/threads", json={}).json()["thread_id"]
        asked = {"assistant_id": "twice", "input": {"text": "<i>hey</i>"}, "feedback_keys": ["user_liked"]}
        ran = httpx.post(f"{url}/threads/{thread}/runs/wait", json=asked).json()
        with visit(ran["__feedback__"]["user_liked"] + "?score=1", script=True) as mail:
            mail.get_by_label("Anything to add?").fill(words)
            mail.get_by_role("button", name="Send").click()
            expect(mail.get_by_role("heading", name="Thank you")).to_be_visible()
        with visit(f"{url}/feedback/ui", script=True, width=1280) as page:
            expect(page.get_by_role("heading", name="user_liked")).to_be_visible()
            expect(page.locator(".versions")).to_contain_text("twice · user_liked")
            page.get_by_role("button", name=words).click()
            sheet = page.get_by_role("dialog")
            expect(sheet.locator("blockquote")).to_have_text(words)
            expect(sheet.locator(".message.judged .text")).to_contain_text("<i>hey</i> <i>hey</i>")
            expect(sheet.locator(".message.user .text")).to_contain_text("<i>hey</i>")
            assert page.locator("img, .answer b, dialog i").count() == 0


def test_filters_narrow_everything_and_stay_in_the_address(told: str, visit: Visit) -> None:
    with visit(f"{told}/feedback/ui", script=True, width=1280) as page:
        expect(page.locator(".key h3")).to_have_text(["thumbs", "stars"])
        page.get_by_label("Key", exact=True).select_option("stars")
        expect(page.locator(".key h3")).to_have_text(["stars"])
        assert comments(page) == ["Splendid work", "Rather slow"]
        page.get_by_label("Version", exact=True).select_option("1")
        expect(page.locator(".opener")).to_have_text(["Rather slow"])
        assert "key=stars&version=1" in page.url
        page.reload()
        expect(page.locator(".opener")).to_have_text(["Rather slow"])
        expect(page.get_by_label("Version", exact=True)).to_have_value("1")
        page.go_back()
        expect(page.locator(".opener")).to_have_text(["Splendid work", "Rather slow"])
        page.get_by_role("button", name="Clear filters").click()
        page.get_by_label("Time", exact=True).select_option("all")
        page.get_by_label("Text").fill("COMPLAINT")
        expect(page.locator(".opener")).to_have_text(["An old complaint"])
        page.get_by_label("Text").fill("")
        page.get_by_label("Comment").select_option("true")
        expect(page.locator(".opener")).to_have_text(["Splendid work", "Rather slow", "An old complaint"])
        page.get_by_label("Score from").fill("1")
        page.get_by_label("Score to").fill("2")
        expect(page.locator(".opener")).to_have_text(["Rather slow"])


def test_time_may_be_any_days(told: str, visit: Visit) -> None:
    with visit(f"{told}/feedback/ui?since=2020-01-01&until=2020-01-31", script=True, width=1280) as page:
        expect(page.get_by_role("heading", name="Nothing fits these filters")).to_be_visible()
        expect(page.get_by_label("From", exact=True)).to_have_value("2020-01-01")
        page.get_by_label("To", exact=True).fill("2099-01-01")
        expect(page.locator(".key h3")).to_have_text(["thumbs", "stars"])


def test_table_says_what_the_statistics_say(told: str, visit: Visit) -> None:
    [today, *_] = httpx.get(f"{told}/api/v1/feedback/statistics", params={"by": "day", "key": "thumbs"}).json()
    share, low, high = (f"{number * 100:.0f}" for number in (today["share"], *today["interval"].values()))
    with visit(f"{told}/feedback/ui?key=thumbs", script=True, width=1280) as page:
        expect(page.locator(".chart canvas")).to_be_visible()
        page.get_by_text("Figures as a table").click()
        row = page.get_by_role("region", name="Figures of thumbs").locator("tbody tr").first
        expect(row.locator("td").nth(3)).to_have_text(f"{share}%")
        expect(row.locator("td").nth(4)).to_have_text(f"{low}–{high}%")
        expect(row.locator("td").nth(1)).to_have_text(str(today["scores"]))


def test_two_versions_are_compared(told: str, visit: Visit) -> None:
    with visit(f"{told}/feedback/ui", script=True, width=1280) as page:
        finding = page.locator(".finding")
        expect(finding).to_have_text("Version 2 is better than version 1.")
        page.get_by_label("Is", exact=True).select_option("1")
        expect(finding).to_have_text("This is the same version twice.")
        page.get_by_label("better than").select_option("2")
        expect(finding).to_have_text("Version 1 is worse than version 2.")
        page.reload()
        expect(finding).to_have_text("Version 1 is worse than version 2.")


def test_answer_that_was_changed_shows_what_it_said_before(told: str, visit: Visit) -> None:
    name = tell(told, 1, key="stars", comment="<b>Hasty</b> words")
    httpx.patch(f"{told}/feedback/{name}", json={"score": 4, "comment": "Second thoughts"}).raise_for_status()
    with visit(f"{told}/feedback/ui?key=stars", script=True, width=1280) as page:
        page.get_by_role("button", name="Second thoughts").click()
        before = page.get_by_role("dialog").locator("section").filter(has=page.get_by_role("heading", name="Before"))
        expect(before.locator("li")).to_contain_text("<b>Hasty</b> words")
        expect(before.locator("li .score")).to_have_text("1")
        check_accessible(page)
        page.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="Splendid work").click()
        expect(page.get_by_role("dialog").locator("blockquote")).to_have_text("Splendid work")
        expect(before).to_be_hidden()


def test_review_with_a_note_is_kept_and_listed(told: str, visit: Visit) -> None:
    with visit(f"{told}/feedback/ui?key=stars", script=True, width=1280) as page:
        page.get_by_role("button", name="Rather slow").click()
        sheet = page.get_by_role("dialog")
        sheet.get_by_role("radio", name="Done").check()
        sheet.get_by_label("Note").fill("Moved to a faster model.")
        sheet.get_by_role("button", name="Save").click()
        expect(sheet.get_by_text("Saved")).to_be_visible()
        expect(page.locator(".pill.done")).to_have_count(1)
        page.reload()
        expect(sheet.get_by_label("Note")).to_have_value("Moved to a faster model.")
        expect(sheet.get_by_label("Done")).to_be_checked()
        sheet.get_by_text("History (1)").click()
        expect(sheet.locator(".log li")).to_contain_text("Moved to a faster model.")
        sheet.get_by_role("button", name="Close").click()
        page.locator("#statuses").get_by_role("radio", name="Done").check()
        expect(page.locator(".opener")).to_have_text(["Rather slow"])
        page.locator("#statuses").get_by_role("radio", name="New").check()
        expect(page.locator(".opener")).to_have_text(["Splendid work"])


def test_pages_show_every_answer_once_and_back_leads_back(server: str, visit: Visit) -> None:
    for at in range(60):
        tell(server, 1, comment=f"number {at}", days_ago=(60 - at) / 100)
    seen: list[str] = []
    with visit(f"{server}/feedback/ui", script=True, width=1280) as page:
        for size in (25, 25, 10):
            expect(page.locator(".opener")).to_have_count(size)
            seen += comments(page)
            if len(seen) < 60:
                page.get_by_role("button", name="Older answers").click()
                expect(page.locator(".opener").first).not_to_have_text(seen[-size])
        assert seen == [f"number {at}" for at in range(59, -1, -1)]
        expect(page.get_by_role("button", name="Older answers")).to_have_count(0)
        page.go_back()
        expect(page.locator(".opener").first).to_have_text("number 34")
        page.get_by_role("button", name="Back to the newest").click()
        expect(page.locator(".opener").first).to_have_text("number 59")


def test_export_is_what_is_shown_and_a_refused_one_says_why(tmp_path: Path, visit: Visit) -> None:
    with dashboard(tmp_path, api_keys=["sesame"]) as url:
        for key, score in (("stars", 5), ("stars", 1), ("thumbs", 1)):
            tell(url, score, key=key, api_key="sesame", comment="=1+1")
        with visit(f"{url}/feedback/ui?key=stars&min_score=2", script=True, complaints=REFUSED) as page:
            enter(page, "sesame")
            for label, rows in (("CSV", 1), ("JSON Lines", 1), ("KTO", 1)):
                page.get_by_text("Export", exact=True).click()
                with page.expect_download() as started:
                    page.get_by_role("button", name=label).click()
                text = Path(started.value.path()).read_text(encoding="utf-8")
                found = list(csv.DictReader(text.splitlines())) if label == "CSV" else text.splitlines()
                assert len(found) == rows, text
            assert started.value.suggested_filename == "feedback.kto.jsonl"
            assert json.loads(found[0])["completion"] == [{"role": "assistant", "content": "On its way."}]


def enter(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Open").click()


def test_key_is_asked_for_checked_and_kept_for_the_tab_only(tmp_path: Path, visit: Visit) -> None:
    with dashboard(tmp_path, api_keys=["sesame"]) as url:
        tell(url, 1, comment="behind the door", api_key="sesame")
        with visit(f"{url}/feedback/ui", script=True, complaints=REFUSED) as page:
            expect(page.get_by_label("API key")).to_be_focused()
            assert "behind the door" not in page.content()
            enter(page, "open barley")
            expect(page.get_by_role("alert")).to_contain_text("This key does not open it.")
            enter(page, "sesame")
            expect(page.get_by_role("button", name="behind the door")).to_be_visible()
            page.reload()
            expect(page.get_by_role("button", name="behind the door")).to_be_visible()
            assert page.evaluate("[localStorage.length, document.cookie, location.search]") == [0, "", ""]
            page.get_by_role("button", name="Forget key").click()
            expect(page.get_by_label("API key")).to_be_visible()
            assert page.evaluate("sessionStorage.length") == 0
            expect(page.locator("#main")).to_be_hidden()


class Forbidden(FeedbackError):
    """The key lacks the scope."""

    status_code = 403
    code = "forbidden"


async def by_scope(connection: Connection, scope: Scope) -> Entry:
    """Keys that are the scopes that they have, separated by commas."""
    if not (key := connection.headers.get("x-api-key")):
        raise Unauthorized("This needs an API key")
    if scope not in key.split(","):
        raise Forbidden(f"The key lacks {scope}")
    return Entry(showed_key=True)


def test_key_without_a_scope_is_told_which_it_lacks(tmp_path: Path, visit: Visit) -> None:
    with dashboard(tmp_path, api_keys=by_scope) as url:
        tell(url, 1, comment="look, do not touch", api_key="feedback-read,feedback-write")
        with visit(f"{url}/feedback/ui", script=True, complaints=REFUSED) as page:
            enter(page, "feedback-write")
            expect(page.get_by_role("alert")).to_contain_text("needs the scope feedback-read")
            enter(page, "feedback-read")
            page.get_by_role("button", name="look, do not touch").click()
            page.get_by_role("dialog").get_by_role("radio", name="Seen").check()
            page.get_by_role("button", name="Save").click()
            expect(page.get_by_role("alert")).to_contain_text("needs the scope feedback-write")


def test_projects_are_chosen_where_a_key_sees_several(tmp_path: Path, visit: Visit) -> None:
    with dashboard(tmp_path, api_keys={"operator": None, "clerk": "shop"}) as url:
        made = httpx.post(f"{url}/api/v1/feedback/projects", json={"name": "shop"}, headers={"x-api-key": "operator"})
        assert made.status_code == 200
        tell(url, 1, comment="of nobody's", api_key="operator")
        answer = tell(url, 0, key="stars", comment="of the shop", api_key="clerk")
        with visit(f"{url}/feedback/ui?key=thumbs", script=True, width=1280, complaints=REFUSED) as page:
            enter(page, "operator")
            expect(page.locator(".opener")).to_have_text(["of nobody's"])
            page.get_by_label("Project").select_option("shop")
            expect(page.locator(".opener")).to_have_text(["of the shop"])
            assert page.url.endswith("?project=shop")
            check_accessible(page)
            page.get_by_role("button", name="of the shop").click()
            page.get_by_role("dialog").get_by_role("radio", name="Seen").check()
            page.get_by_role("button", name="Save").click()
            expect(page.get_by_role("dialog")).to_contain_text("Saved")
            page.reload()
            expect(page.locator(".opener")).to_have_text(["of the shop"])
        with visit(f"{url}/feedback/ui", script=True, width=1280, complaints=REFUSED) as page:
            enter(page, "clerk")
            expect(page.locator(".opener")).to_have_text(["of the shop"])
            assert page.get_by_label("Project").count() == 0
        reviewed = httpx.get(f"{url}/api/v1/feedback/{answer}/review", headers={"x-api-key": "clerk"}).json()
        assert reviewed["status"] == "seen"


def test_lost_connection_is_told_and_tried_again(told: str, visit: Visit) -> None:
    lost = ("ERR_INTERNET", "/api/v1/", "icon.svg")
    with visit(f"{told}/feedback/ui", script=True, width=1280, complaints=lost) as page:
        expect(page.locator(".finding")).to_be_visible()
        expect(page.locator(".opener").first).to_be_visible()
        page.context.set_offline(True)
        page.get_by_role("button", name="Older answers").click()
        expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
        page.get_by_text("Export", exact=True).click()
        page.get_by_role("button", name="CSV").click()
        expect(page.locator("#notice")).to_contain_text("cannot be reached")
        page.context.set_offline(False)
        page.locator("#answers").get_by_role("button", name="Try again").click()
        expect(page.get_by_role("button", name="Back to the newest")).to_be_visible()
        with page.expect_download():
            page.locator("#notice").get_by_role("button", name="Try again").click()


def test_conversation_that_is_gone_is_said_to_be(server: str, visit: Visit) -> None:
    tell(server, 1, version=9, comment="who knows")
    with visit(f"{server}/feedback/ui", script=True) as page:
        page.get_by_role("button", name="who knows").click()
        expect(page.get_by_role("dialog")).to_contain_text("has nothing on this run now")


def test_no_answers_yet_are_said_how_to_get(server: str, visit: Visit) -> None:
    with visit(f"{server}/feedback/ui", script=True) as page:
        expect(page.get_by_role("heading", name="No answers yet")).to_be_visible()
        check_accessible(page)
        tell(server, 1, comment="the first")
        page.get_by_role("button", name="Look again").click()
        expect(page.get_by_role("button", name="the first")).to_be_visible()


def test_keyboard_alone_suffices(told: str, visit: Visit) -> None:
    with visit(f"{told}/feedback/ui?key=stars", script=True, width=1280) as page:
        opener = page.get_by_role("button", name="Splendid work")
        expect(opener).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the figures")).to_be_focused()
        page.keyboard.press("Enter")
        reach(page, ".opener")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog").get_by_label("Note")).to_be_visible()
        reach(page, "dialog [type=radio]")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Tab")
        page.keyboard.type("by keys")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.get_by_role("button", name="Splendid work")).to_be_focused()
        expect(page.locator(".pill.seen")).to_have_count(1)


def reach(page: Page, selector: str) -> None:
    """Press Tab until the focus, which has to be seen, is on what the selector names."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_everybody_can_use_it(told: str, visit: Visit, scheme: str, width: int) -> None:
    with visit(f"{told}/feedback/ui", script=True, width=width, color_scheme=scheme) as page:
        expect(page.locator(".finding")).to_be_visible()
        if width < 700:
            page.get_by_text("Filters", exact=True).click()
        page.get_by_text("Figures as a table").first.click()
        page.get_by_text("Export", exact=True).click()
        check_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Rather slow").click()
        expect(page.locator(".message")).to_have_count(2)
        check_accessible(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_enter(tmp_path: Path, visit: Visit, scheme: str) -> None:
    with (
        dashboard(tmp_path, api_keys=["sesame"]) as url,
        visit(f"{url}/feedback/ui", script=True, complaints=REFUSED, color_scheme=scheme) as page,
    ):
        enter(page, "wrong")
        expect(page.get_by_role("alert")).to_be_visible()
        check_accessible(page)


def test_page_without_javascript_says_where_the_figures_are(server: str, visit: Visit) -> None:
    with visit(f"{server}/feedback/ui") as page:
        expect(page.get_by_text(re.compile("needs JavaScript"))).to_be_visible()
