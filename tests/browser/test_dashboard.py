"""The dashboard as a team uses it: feedback is listed, filtered, opened, reviewed, configured and exported."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from feedback.auth import Connection, Entry, Scope
from feedback.errors import FeedbackError, Unauthorized
from tests.browser.axe import check_accessible
from tests.browser.conftest import Visit
from tests.browser.dashboard import dashboard, fill, send_feedback, whole_server

expect.set_options(timeout=15_000)  # CI has two slow cores
REFUSED = ("401", "403", "422", "404", "409")
"""The statuses that the console may log: these visits are about refused requests."""
WORDS = "<img src=x onerror=alert(1)> <b>so so</b>"
TONE = [{"value": 0, "label": "Too formal"}, {"value": 1, "label": "Just right"}, {"value": 2, "label": "Too casual"}]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Run a service without API keys."""
    with dashboard(tmp_path) as url:
        yield url


@pytest.fixture
def filled(server: str) -> str:
    """Run the same with feedback of two keys and two versions, of today and of last month."""
    for at in range(24):
        send_feedback(server, int(at % 4 != 0), version=1, days_ago=at % 3, feedback_source=source(f"one {at}"))
        send_feedback(server, 1, version=2, days_ago=at % 3, feedback_source=source(f"two {at}"))
    send_feedback(server, 5, key="stars", version=2, comment="Splendid work")
    send_feedback(server, 2, key="stars", version=1, comment="Rather slow", days_ago=1)
    send_feedback(server, 0, version=1, comment="An old complaint", days_ago=40, feedback_source=source("old"))
    return server


def source(user: str, kind: str = "app", **metadata: object) -> dict[str, object]:
    """Return a feedback source: a user of an application, unless `kind` is given."""
    return {"type": kind, "user_id": user, "metadata": metadata}


def comments(page: Page) -> list[str]:
    """Return the comments of the listed rows."""
    return page.locator(".opener").all_inner_texts()


def opened(url: str, query: str = "", view: str = "feedback") -> str:
    """Return the address of a part of the dashboard."""
    return f"{url}/feedback/ui?view={view}{query}"


def test_vote_is_listed_with_question_and_reply(tmp_path: Path, visit: Visit) -> None:
    with whole_server(tmp_path) as url:
        bot = {"graph_id": "twice", "name": "Support bot", "metadata": {}}
        assistant = httpx.post(f"{url}/assistants", json=bot).json()["assistant_id"]
        thread = httpx.post(f"{url}/threads", json={}).json()["thread_id"]
        request_body = {"assistant_id": assistant, "input": {"text": "<i>hey</i>"}, "feedback_keys": ["user_liked"]}
        request_body["metadata"] = {"plan": "pro", "ticket": "not declared"}
        ran = httpx.post(f"{url}/threads/{thread}/runs/wait", json=request_body).json()
        body = {"score": 1, "comment": WORDS, "user_id": "ada"}
        assert httpx.post(ran["__feedback__"]["user_liked"], json=body).status_code == 200
        with visit(opened(url, "", "overview"), script=True, width=1280) as page:
            expect(page.get_by_role("heading", name="user_liked")).to_be_visible()
            expect(page.locator(".key")).to_contain_text("Response rate 100%")
            page.get_by_role("link", name="Versions").click()
            expect(page.locator(".versions")).to_contain_text("Support bot · user_liked")
            page.get_by_role("link", name="Feedback", exact=True).click()
            row = page.locator(".row-of-run")
            expect(row).to_contain_text("<i>hey</i> <i>hey</i>")
            expect(row).to_contain_text("Support bot v1 · ada")
            page.get_by_role("button", name=WORDS).click()
            sheet = page.get_by_role("dialog")
            expect(sheet.locator("blockquote")).to_have_text(WORDS)
            expect(sheet.locator(".message.judged .text")).to_contain_text("<i>hey</i> <i>hey</i>")
            expect(sheet.locator(".message.user .text")).to_contain_text("<i>hey</i>")
            assert page.locator("img, .story b, dialog i").count() == 0
            expect(sheet).not_to_contain_text("not declared")
            sheet.get_by_role("link", name="pro", exact=True).click()
            expect(page).to_have_url(re.compile("metadata=plan%3Apro"))
            expect(page.get_by_role("button", name="Remove the filter plan")).to_be_visible()
            expect(page.get_by_label("plan", exact=True)).to_have_value("pro")
            expect(page.locator(".row-of-run")).to_have_count(1)


def test_figures_follow_the_kind_of_the_key(server: str, visit: Visit) -> None:
    config = {"type": "categorical", "categories": TONE}
    httpx.post(f"{server}/feedback-configs", json={"feedback_key": "tone", "feedback_config": config})
    scores = {"thumbs": [1, 1, 0], "user_disliked": [1, 0, 0, 0], "rated": [1, 2, 1, 2], "tone": [0, 1, 1],
              "latency_ms": [120, 640, 950.5], "faithfulness": [0.9, 0.8]}  # fmt: skip
    for key, given in scores.items():
        for at, score in enumerate(given):
            kind = "model" if key == "faithfulness" else "app"
            send_feedback(server, score, key=key, feedback_source=source(f"{key} {at}", kind))
    send_feedback(server, None, key="note", comment="Only words")
    with visit(opened(server, "", "overview"), script=True, width=1280) as page:
        page.get_by_role("button", name="Show 1 more key").click()
        card = lambda key: page.locator(f'[data-key="{key}"]')  # noqa: E731
        expect(card("thumbs").locator(".headline")).to_have_text("67% positive")
        expect(card("user_disliked").locator(".headline")).to_have_text("25% dislikes")
        expect(card("rated").locator(".headline")).to_have_text("1.5 ★ mean on a scale of 1 to 5")
        expect(card("faithfulness").locator(".headline")).to_have_text("0.85 mean on a scale of 0 to 1")
        expect(card("latency_ms").locator(".headline")).to_have_text("640 median")
        expect(card("latency_ms")).to_contain_text("Mean 570.17")
        expect(card("tone").locator(".headline")).to_have_text(
            "3 pieces of feedback; no category is marked as good or bad"
        )
        expect(card("tone").locator(".bars li")).to_have_text(
            [re.compile("Too formal.*1"), re.compile("Just right.*2"), re.compile("Too casual.*0")]
        )
        expect(card("note").locator(".headline")).to_have_text("1 piece of feedback without a score")
        expect(card("rated").locator(".tag")).to_have_text("Rating inferred")
        assert (
            "positive" not in card("rated").inner_text() + card("tone").inner_text() + card("latency_ms").inner_text()
        )
        card("tone").get_by_role("link", name="Just right").click()
        expect(page.locator(".row-of-run")).to_have_count(2)
        assert "key=tone" in page.url
        assert "min_score=1&max_score=1" in page.url
        expect(page.locator(".score").first).to_have_text("Just right")
        expect(page.locator(".opener").first).to_have_text("No comment")
        assert page.locator(".score.good, .score.bad").count() == 0


def test_first_day_shows_figures_instead_of_a_chart(server: str, visit: Visit) -> None:
    send_feedback(server, 1)
    with visit(opened(server, "", "overview"), script=True, width=1280) as page:
        expect(page.locator(".few")).to_contain_text("not over yet (UTC)")
        assert page.locator(".chart").count() == 0
        send_feedback(server, 0, days_ago=1, version=2)
        page.get_by_role("button", name="Refresh").click()
        expect(page.locator(".chart canvas")).to_be_visible()
        label = page.locator(".chart").get_attribute("aria-label") or ""
        assert "(until now)" in label
        expect(page.locator("#keys-about")).to_contain_text("Days are UTC")


def test_point_bar_and_version_lead_to_their_feedback(filled: str, visit: Visit) -> None:
    with visit(opened(filled, "&key=thumbs", "overview"), script=True, width=1280) as page:
        page.get_by_text("Figures as a table").click()
        page.get_by_role("region", name="Figures of thumbs").locator("tbody th a").nth(1).click()
        expect(page.locator(".opener").first).to_be_visible()
        assert re.search(r"since=(\d{4}-\d\d-\d\d)&until=\1", page.url), page.url
        page.go_back()
        page.get_by_role("link", name="Thumbs down").click()
        expect(page.get_by_role("button", name="Remove the filter Score to")).to_be_visible()
        expect(page.locator(".opener")).to_have_count(6)
        page.get_by_role("link", name="Versions").click()
        page.get_by_role("button", name="Clear filters").click()
        page.locator(".versions").get_by_role("link", name="v2").first.click()
        expect(page.get_by_label("Version", exact=True)).to_have_value("2")
        box = page.locator(".row-of-run").first
        expect(box).to_contain_text("Help desk v2")


def test_click_on_a_chart_shows_that_day(filled: str, visit: Visit) -> None:
    with visit(opened(filled, "&key=thumbs", "overview"), script=True, width=1280) as page:
        page.locator(".u-over").hover()
        expect(page.locator(".readout")).to_contain_text("of")
        page.locator(".u-over").click()
        expect(page.locator(".row-of-run").first).to_be_visible()
        assert "since=" in page.url


def test_filters_narrow_everything_and_stay_in_the_address(filled: str, visit: Visit) -> None:
    with visit(opened(filled), script=True, width=1280) as page:
        page.get_by_label("Key", exact=True).select_option("stars")
        expect(page.locator(".opener")).to_have_text(["Splendid work", "Rather slow"])
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
        expect(page.locator(".opener").first).not_to_have_text("An old complaint")
        page.get_by_text("More filters").click()
        page.get_by_label("Comment").select_option("true")
        expect(page.locator(".opener")).to_have_text(["Splendid work", "Rather slow", "An old complaint"])
        page.get_by_label("Score from").fill("1")
        page.get_by_label("Score to").fill("2")
        expect(page.locator(".opener")).to_have_text(["Rather slow"])
        page.get_by_role("button", name="Clear filters").click()
        page.get_by_label("User").fill("two 3")
        page.keyboard.press("Enter")
        expect(page.locator(".row-of-run")).to_have_count(1)
        page.get_by_role("button", name="Remove the filter User").click()
        page.get_by_label("Source").select_option("api")
        expect(page.locator(".opener")).to_have_text(["Splendid work", "Rather slow"])


def test_twenty_thousand_pieces_fit_every_screen(tmp_path: Path, visit: Visit) -> None:
    fill(tmp_path)
    with dashboard(tmp_path) as url, visit(opened(url, "", "overview"), script=True, width=390) as page:
        expect(page.locator(".key h3")).to_have_text(["thumbs", "disliked", "stars", "tone", "latency"])
        expect(page.locator(".histogram li")).to_have_count(20)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("link", name="Versions").click()
        expect(page.locator(".versions tbody")).to_have_count(25)
        page.get_by_role("link", name="Feedback", exact=True).click()
        expect(page.locator(".row-of-run")).to_have_count(25)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator(".story b, .story i").count() == 0
        arabic = page.locator(".opener .clamped", has_text="مرحبا").first
        assert arabic.evaluate("one => getComputedStyle(one).direction") == "rtl"
        long = page.locator(".opener .clamped", has_text="Donaudampfschiff").first
        assert long.evaluate("one => one.clientHeight < 60"), "two lines at most"
        page.get_by_role("button", name="Older feedback").click()
        expect(page.get_by_role("button", name="Back to the newest")).to_be_visible()
        page.get_by_role("link", name="Overview").click()
        for project, scores in (("default", "12,000 scores"), ("shop", "1,200 scores")):
            page.get_by_label("Project").select_option(project)
            expect(page.locator('[data-key="thumbs"]')).to_contain_text(scores)
        page.get_by_role("link", name="Versions").click()
        expect(page.locator(".versions tbody")).to_have_count(25)


def test_sources_have_cards_of_their_own(server: str, visit: Visit) -> None:
    for at in range(3):
        send_feedback(server, 1, feedback_source=source(f"user {at}"))
        send_feedback(server, 0, feedback_source=source(f"judge {at}", "model"))
    with visit(opened(server, "", "overview"), script=True, width=1280) as page:
        expect(page.locator(".key .headline")).to_have_text(["100% positive", "0% positive"])
        expect(page.locator(".tag.source")).to_have_text(["from app", "from model"])
        page.locator(".key").nth(1).get_by_role("heading").get_by_role("link").click()
        expect(page.locator(".row-of-run")).to_have_count(3)
        expect(page.get_by_label("Source")).to_have_value("model")


def test_time_may_be_any_days(filled: str, visit: Visit) -> None:
    with visit(opened(filled, "&since=2020-01-01&until=2020-01-31", "overview"), script=True, width=1280) as page:
        expect(page.get_by_role("heading", name="Nothing fits these filters")).to_be_visible()
        expect(page.get_by_label("Time", exact=True)).to_have_value("own")
        expect(page.get_by_label("From", exact=True)).to_have_value("2020-01-01")
        page.get_by_label("To", exact=True).fill("2099-01-01")
        expect(page.locator(".key h3")).to_have_text(["thumbs", "stars"])


def test_table_says_what_the_statistics_say(filled: str, visit: Visit) -> None:
    [today, *_] = httpx.get(f"{filled}/api/v1/feedback/statistics", params={"by": "day", "key": "thumbs"}).json()
    share, low, high = (f"{number * 100:.0f}" for number in (today["share"], *today["interval"].values()))
    with visit(opened(filled, "&key=thumbs", "overview"), script=True, width=1280) as page:
        expect(page.locator(".chart canvas")).to_be_visible()
        page.get_by_text("Figures as a table").click()
        row = page.get_by_role("region", name="Figures of thumbs").locator("tbody tr").first
        expect(row.locator("td").nth(2)).to_have_text(f"{share}%")
        expect(row.locator("td").nth(3)).to_have_text(re.compile(f"{low}.*{high}%"))
        expect(row.locator("td").nth(1)).to_have_text(str(today["scores"]))


def test_numbers_and_dates_follow_the_locale(filled: str, visit: Visit) -> None:
    with visit(opened(filled, "", "overview"), script=True, width=1280, locale="de-DE") as page:
        expect(page.locator('[data-key="stars"] .headline')).to_contain_text("3,5")
        expect(page.locator('[data-key="thumbs"] .headline strong')).to_have_text(re.compile("^\\d+\\s%$"))


def test_two_versions_are_compared(filled: str, visit: Visit) -> None:
    with visit(opened(filled, "", "versions"), script=True, width=1280) as page:
        finding = page.locator(".finding")
        expect(finding).to_have_text("Version 2 is better than version 1.")
        expect(page.locator(".comparison")).to_contain_text("95 % confidence interval")
        expect(page.locator(".sample").first).to_contain_text("100% positive (86% – 100%) of 24 scores")
        page.get_by_label("Is", exact=True).select_option("1")
        expect(finding).to_have_text("This is the same version twice.")
        page.get_by_label("better than").select_option("2")
        expect(finding).to_have_text("Version 1 is worse than version 2.")
        page.reload()
        expect(finding).to_have_text("Version 1 is worse than version 2.")
        page.get_by_label("What", exact=True).select_option(label="Help desk · stars")
        expect(finding).to_have_text("Too few scores to compare.")


def test_changed_feedback_shows_its_earlier_versions(filled: str, visit: Visit) -> None:
    name = send_feedback(filled, 1, key="stars", comment="<b>Hasty</b> words", feedback_source=source("eve"))
    httpx.patch(f"{filled}/feedback/{name}", json={"score": 4, "comment": "Second thoughts"}).raise_for_status()
    with visit(opened(filled, "&key=stars"), script=True, width=1280) as page:
        page.get_by_role("button", name="Second thoughts").click()
        before = page.get_by_role("dialog").locator("section").filter(has=page.get_by_role("heading", name="Before"))
        expect(before.locator("li")).to_contain_text("<b>Hasty</b> words")
        expect(before.locator("li .score")).to_have_text("1 ★")
        check_accessible(page)
        page.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="Splendid work").click()
        expect(page.get_by_role("dialog").locator("blockquote")).to_have_text("Splendid work")
        expect(before).to_be_hidden()


def test_review_is_saved_as_it_is_chosen(filled: str, visit: Visit) -> None:
    with visit(opened(filled, "&key=stars"), script=True, width=1280) as page:
        page.get_by_role("button", name="Rather slow").click()
        sheet = page.get_by_role("dialog")
        sheet.get_by_label("Your name").fill("Ada")
        sheet.get_by_role("radio", name="Done").check()
        expect(sheet.get_by_text("Saved", exact=True)).to_be_visible()
        sheet.get_by_label("Note").fill("Moved to a faster model.")
        sheet.get_by_role("button", name="Save").click()
        expect(sheet.get_by_text("History (2)")).to_be_visible()
        page.reload()
        expect(sheet.get_by_label("Note")).to_have_value("Moved to a faster model.")
        expect(sheet.get_by_label("Done")).to_be_checked()
        sheet.get_by_text("History (2)").click()
        expect(sheet.locator(".log li").first).to_contain_text("Moved to a faster model.")
        expect(sheet.locator(".log li")).to_contain_text(["by Ada", "by Ada"])
        expect(sheet.get_by_label("Your name")).to_have_value("Ada")
        sheet.get_by_role("button", name="Close").click()
        page.locator("#statuses").get_by_role("radio", name="Done").check()
        expect(page.locator(".opener")).to_have_text(["Rather slow"])
        page.locator("#statuses").get_by_role("radio", name="New").check()
        expect(page.locator(".opener")).to_have_text(["Splendid work"])


def test_typed_note_survives_next_and_close(filled: str, visit: Visit) -> None:
    with visit(opened(filled, "&key=stars"), script=True, width=1280) as page:
        page.get_by_role("button", name="Splendid work").click()
        sheet = page.get_by_role("dialog")
        sheet.get_by_label("Note").fill("Tell the team.")
        sheet.get_by_role("button", name="Next").click()
        expect(sheet.locator("blockquote")).to_have_text("Rather slow")
        sheet.get_by_label("Assignee").fill("ada")
        held: list[Route] = []
        page.route("**/review", lambda route: held.append(route))
        page.keyboard.press("Escape")
        expect(sheet).to_be_hidden()
        expect(page.locator(".row-of-run")).to_have_count(2)
        [put] = held
        put.continue_()
        page.unroute("**/review")
        expect(page.locator(".state .meta")).to_have_text("ada")
        page.get_by_role("button", name="Splendid work").click()
        expect(sheet.get_by_label("Note")).to_have_value("Tell the team.")
        expect(sheet.get_by_text("History (1)")).to_be_visible()


def test_review_that_fails_after_closing_is_named(filled: str, visit: Visit) -> None:
    with visit(opened(filled, "&key=stars"), script=True, width=1280, complaints=("503",)) as page:
        page.get_by_role("button", name="Splendid work").click()
        sheet = page.get_by_role("dialog")
        sheet.get_by_label("Note").fill("Tell the team.")
        down = {"status": 503, "json": {"detail": "The database does not respond"}}
        page.route("**/review", lambda route: route.fulfill(**down))  # type: ignore[arg-type]
        page.keyboard.press("Escape")
        expect(page.locator("#notice")).to_contain_text("A review was not saved. The database does not respond")
        expect(sheet).to_be_hidden()


def test_next_and_previous_go_through_the_list(filled: str, visit: Visit) -> None:
    with visit(opened(filled, "&has_comment=true&days=all"), script=True, width=1280) as page:
        page.get_by_role("button", name="Splendid work").click()
        quote = page.get_by_role("dialog").locator("blockquote")
        expect(quote).to_have_text("Splendid work")
        page.keyboard.press("j")
        expect(quote).to_have_text("Rather slow")
        page.get_by_role("button", name="Next").click()
        expect(quote).to_have_text("An old complaint")
        expect(page.get_by_role("button", name="Next")).to_be_disabled()
        page.keyboard.press("k")
        expect(quote).to_have_text("Rather slow")
        page.get_by_role("dialog").get_by_label("Note").fill("jk")
        expect(quote).to_have_text("Rather slow")


def test_several_rows_are_reviewed_at_once(filled: str, visit: Visit) -> None:
    with visit(opened(filled, "&key=stars"), script=True, width=1280) as page:
        expect(page.locator(".row-of-run")).to_have_count(2)
        page.get_by_label("Select all rows").check()
        expect(page.get_by_text("2 rows selected")).to_be_visible()
        check_accessible(page)
        page.get_by_role("button", name="Mark as done").click()
        expect(page.locator(".pill.done")).to_have_count(2)
        expect(page.get_by_label("Select all rows")).to_be_focused()


def test_rows_are_assigned_and_collected_in_a_dataset(server: str, visit: Visit) -> None:
    send_feedback(server, 1, feedback_source=source("eve"))
    send_feedback(server, 0, feedback_source=source("bob"))
    with visit(opened(server), script=True, width=1280) as page:
        expect(page.locator(".row-of-run")).to_have_count(2)
        page.get_by_label("Select all rows").check()
        page.get_by_role("button", name="Assign").click()
        page.get_by_role("dialog").get_by_label("Assignee").fill("ada")
        page.get_by_role("dialog").get_by_role("button", name="Assign").click()
        expect(page.locator(".state .meta")).to_have_text(["ada", "ada"])
        page.locator(".picked").first.check()
        page.get_by_role("button", name="Add to dataset").click()
        page.get_by_role("dialog").get_by_label("Dataset").fill("good ones")
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("dialog")).to_be_hidden()
        page.get_by_text("More filters").click()
        page.locator("#filters").get_by_label("Dataset").fill("good ones")
        page.keyboard.press("Enter")
        expect(page.locator(".row-of-run")).to_have_count(1)


def test_reasons_are_counted_shown_and_filtered(server: str, visit: Visit) -> None:
    for at, reasons in enumerate((["Wrong", "Too long"], ["Wrong"], [])):
        send_feedback(server, 0, feedback_source=source(f"user {at}", reasons=reasons))
    with visit(opened(server, "", "overview"), script=True, width=1280) as page:
        expect(page.locator(".extras .reason")).to_have_text(["Wrong 2", "Too long 1"])
        page.get_by_role("link", name="Too long 1").click()
        expect(page.locator(".row-of-run")).to_have_count(1)
        expect(page.locator(".chip .reason")).to_have_text(["Wrong", "Too long"])
        page.locator(".opener").click()
        expect(page.get_by_role("dialog").locator(".content .reason")).to_have_text(["Wrong", "Too long"])


def test_new_feedback_is_announced_and_shown(server: str, visit: Visit) -> None:
    send_feedback(server, 1, comment="the first")
    with visit(opened(server), script=True, width=1280) as page:
        expect(page.locator(".opener")).to_have_text(["the first"])
        send_feedback(server, 1, comment="the second", feedback_source=source("bob"))
        page.evaluate("window.dispatchEvent(new Event('focus'))")
        page.get_by_role("button", name="1 new piece of feedback: show").click()
        expect(page.locator(".opener")).to_have_text(["the second", "the first"])


def test_feedback_key_is_created_and_changed(server: str, visit: Visit) -> None:
    for score in (0, 1, 2):
        send_feedback(server, score, key="tone", feedback_source=source(f"user {score}"))
    with visit(opened(server, "", "settings"), script=True, width=1280, complaints=REFUSED) as page:
        page.get_by_role("button", name="Configure tone").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Title for people").fill("How was the tone?")
        form.get_by_label("Kind").select_option("category")
        form.get_by_label("Categories").first.fill("0 Too formal -\n1 Just right +\n2 Too casual -")
        form.get_by_text("Other languages").click()
        german = form.get_by_role("group", name="German")
        german.get_by_label("Title").fill("Wie war der Ton?")
        expect(german.get_by_label("Words at the low end")).to_be_hidden()
        german.get_by_label("Categories").fill("Zu förmlich\nGenau richtig")
        check_accessible(page)
        form.get_by_role("button", name="Save").click()
        expect(form).to_be_hidden()
        expect(page.get_by_role("region", name="Feedback keys")).to_contain_text("Too formal, Just right, Too casual")
        page.get_by_role("link", name="Overview").click()
        expect(page.locator(".key h3")).to_have_text("How was the tone?")
        expect(page.locator(".headline")).to_have_text("33% in good categories")
        page.get_by_role("link", name="Settings").click()
        [config] = httpx.get(f"{server}/feedback-configs").json()
        labels = {"Too formal": "Zu förmlich", "Just right": "Genau richtig"}
        assert config["feedback_config"]["translations"] == {"de": {"title": "Wie war der Ton?", "labels": labels}}
        page.get_by_role("button", name="Edit tone").click()
        expect(form.get_by_text("Other languages: German")).to_be_visible()
        expect(form.get_by_label("Categories").first).to_have_value("0 Too formal -\n1 Just right +\n2 Too casual -")
        form.get_by_label("Kind").select_option("rating")
        form.get_by_role("button", name="Save").click()
        expect(form.get_by_role("alert")).to_contain_text("ends of its scale")
        form.get_by_label("Lowest score").fill("0")
        form.get_by_label("Highest score").fill("2")
        form.get_by_role("button", name="Save").click()
        expect(page.get_by_role("region", name="Feedback keys")).to_contain_text("0 to 2")


def test_alert_rule_and_project_are_created_and_deleted(filled: str, visit: Visit) -> None:
    with visit(opened(filled, "", "settings"), script=True, width=1280, complaints=REFUSED) as page:
        page.get_by_role("button", name="New alert rule").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Feedback key").fill("thumbs")
        form.get_by_label("Bound").fill("7")
        form.get_by_role("button", name="Save").click()
        expect(form.get_by_role("alert")).to_contain_text("a share is above 0, below 1")
        form.get_by_label("Bound").fill("0.7")
        form.get_by_role("button", name="Save").click()
        rules = page.get_by_role("region", name="Alert rules")
        expect(rules).to_contain_text("thumbs: less than 70% positive in the last 24 hours, from at least 20 scores")
        expect(rules).to_contain_text("Help desk: 88% positive, from 16 scores")
        rules.get_by_role("button", name="Delete").click()
        expect(form).to_contain_text("Delete this alert rule?")
        expect(form.get_by_role("button", name="Cancel")).to_be_focused()
        check_accessible(page)
        form.get_by_role("button", name="Delete").click()
        expect(page.get_by_text("There are no alert rules yet.")).to_be_visible()
        expect(page.locator("#settings-title")).to_be_focused()
        page.get_by_role("button", name="New project").click()
        form.get_by_label("Name").fill("shop")
        form.get_by_label("Web origins").fill("https://shop.example")
        form.get_by_role("button", name="Save").click()
        expect(page.get_by_role("region", name="Projects")).to_contain_text("https://shop.example")
        page.get_by_role("button", name="Edit shop").click()
        form.get_by_role("button", name="Delete project").click()
        expect(form).to_contain_text("Delete the project shop?")
        form.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("region", name="Projects")).not_to_contain_text("shop")


def test_pair_of_keys_shows_its_share_together(server: str, visit: Visit) -> None:
    for at in range(4):
        key = "user_disliked" if at == 3 else "user_liked"
        send_feedback(server, 1, key=key, feedback_source=source(f"user {at}"))
    with visit(opened(server, "", "overview"), script=True, width=1280) as page:
        liked, disliked = (page.locator(f'[data-key="{key}"]') for key in ("user_liked", "user_disliked"))
        expect(liked.locator(".headline")).to_have_text("75% positive")
        expect(liked).to_contain_text("4 thumbs: 3 user_liked, 1 user_disliked")
        expect(disliked.locator(".headline")).to_have_text("25% dislikes")
        expect(liked.locator(".bars li")).to_have_text(["user_disliked1 (25%)", "user_liked3 (75%)"])
        liked.locator(".bars a").first.click()
        expect(page).to_have_url(re.compile("key=user_disliked"))


def test_link_of_view_and_of_feedback_is_copied(filled: str, visit: Visit) -> None:
    allowed = {"permissions": ["clipboard-read", "clipboard-write"]}
    with visit(opened(filled, "&key=stars"), script=True, width=1280, **allowed) as page:
        copied = lambda: page.evaluate("navigator.clipboard.readText()")  # noqa: E731
        page.locator("#tools").get_by_role("button", name="Copy link").click()
        expect(page.locator("#tools")).to_contain_text("Copied")
        assert copied() == opened(filled, "&key=stars")
        page.get_by_role("button", name="Rather slow").click()
        page.get_by_role("dialog").get_by_role("button", name="Copy link").click()
        expect(page.locator("#announcement")).to_have_text("The link was copied")
        page.goto(copied())
        expect(page.get_by_role("dialog").locator("blockquote")).to_have_text("Rather slow")
        assert "key=" not in page.url
        page.get_by_role("button", name="Close").click()
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        page.locator("#tools").get_by_role("button", name="Copy link").click()
        expect(page.get_by_label("Copy this link")).to_have_value(opened(filled))
        check_accessible(page)


def test_metadata_filters_of_several_names_apply(tmp_path: Path, visit: Visit) -> None:
    with whole_server(tmp_path) as url:
        for plan, tenant in (("pro", "acme"), ("pro", "globex"), ("free", "acme")):
            thread = httpx.post(f"{url}/threads", json={}).json()["thread_id"]
            body = {"assistant_id": "twice", "input": {"text": "hey"}, "feedback_keys": ["thumbs"]}
            body["metadata"] = {"plan": plan, "tenant": tenant}
            ran = httpx.post(f"{url}/threads/{thread}/runs/wait", json=body).json()
            httpx.post(ran["__feedback__"]["thumbs"], json={"score": 1, "comment": f"{plan} {tenant}"})
        with visit(opened(url), script=True, width=1280) as page:
            page.get_by_text("More filters").click()
            page.get_by_label("plan", exact=True).select_option("pro")
            expect(page.locator(".opener")).to_have_count(2)
            page.get_by_label("tenant", exact=True).focus()
            page.get_by_label("tenant", exact=True).select_option("acme")
            expect(page.locator(".opener")).to_have_text(["pro acme"])
            expect(page.get_by_text("More filters (2)")).to_be_visible()
            expect(page.get_by_label("tenant", exact=True)).to_be_focused()
            page.reload()
            expect(page.locator(".opener")).to_have_text(["pro acme"])
            check_accessible(page)
            page.get_by_role("button", name="Remove the filter plan").click()
            expect(page.locator(".opener")).to_have_text(["free acme", "pro acme"])
            page.goto(opened(url, "&metadata=plan:pro&metadata=plan:free&metadata=tenant:globex"))
            expect(page.locator(".opener")).to_have_text(["pro globex"])
            expect(page.get_by_role("button", name="Remove the filter plan")).to_have_text("plan: pro or free")
            expect(page.get_by_label("plan", exact=True).locator("option:checked")).to_have_text("pro or free")


def test_project_gets_pages_of_its_own(tmp_path: Path, visit: Visit) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    with dashboard(tmp_path) as url, visit(opened(url, "", "settings"), script=True, width=390) as page:
        page.get_by_role("button", name="New project").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Name").fill("shop")
        form.get_by_label("Product").fill("Löwenladen")
        form.get_by_label("Colour").fill("#FE0")
        form.get_by_label("Logo", exact=True).select_option("new")
        form.get_by_role("button", name="Save").click()
        expect(form.get_by_role("alert")).to_have_text("Choose an image file for the logo.")
        form.get_by_label("Logo file").set_input_files(logo)
        form.get_by_label("Agent's reply").select_option("true")
        check_accessible(page)
        form.get_by_role("button", name="Save").click()
        expect(page.get_by_role("region", name="Projects")).to_contain_text("Löwenladen")
        [_, made] = httpx.get(f"{url}/api/v1/feedback/projects").json()
        assert made["pages"] == {"product": "Löwenladen", "color": "#ffee00", "quote": True, "logo": "own"}
        page.get_by_role("button", name="Edit shop").click()
        form.get_by_label("Product").fill("")
        form.get_by_label("Logo", exact=True).select_option("none")
        form.get_by_role("button", name="Save").click()
        expect(page.get_by_role("region", name="Projects")).not_to_contain_text("Löwenladen")
        [_, made] = httpx.get(f"{url}/api/v1/feedback/projects").json()
        assert made["pages"] == {"product": None, "color": "#ffee00", "quote": True, "logo": "none"}
        expect(page.get_by_role("button", name="Edit shop")).to_be_in_viewport()


def test_phone_shows_tabs_and_actions_whole(filled: str, visit: Visit) -> None:
    httpx.post(f"{filled}/api/v1/feedback/projects", json={"name": "shop", "origins": ["https://shop.example"]})
    with visit(opened(filled, "", "settings"), script=True, width=390) as page:
        expect(page.get_by_role("button", name="Edit shop")).to_be_visible()
        beyond = "all => all.filter((one) => one.getBoundingClientRect().right > innerWidth).length"
        assert page.locator("#tabs a, .setting button, .tools button, .tools summary").evaluate_all(beyond) == 0
        tops = "all => new Set(all.map((one) => Math.round(one.getBoundingClientRect().bottom / 20))).size"
        assert page.locator("#tools > *").evaluate_all(tops) == 1, "one row"
        page.get_by_role("link", name="Versions").click()
        table = page.get_by_role("region", name="Figures by assistant and version")
        assert table.evaluate("one => one.scrollWidth <= one.clientWidth")
        page.get_by_role("link", name="Feedback", exact=True).click()
        page.locator(".opener").first.click()
        title = page.get_by_role("dialog").locator("#item-title")
        assert title.evaluate("one => one.clientWidth") > 200


def test_pages_show_every_row_once(server: str, visit: Visit) -> None:
    for at in range(60):
        send_feedback(server, 1, comment=f"number {at}", days_ago=(60 - at) / 100, feedback_source=source(f"user {at}"))
    seen: list[str] = []
    with visit(opened(server), script=True, width=1280) as page:
        for size in (25, 25, 10):
            expect(page.locator(".opener")).to_have_count(size)
            seen += comments(page)
            if len(seen) < 60:
                page.get_by_role("button", name="Older feedback").click()
                expect(page.locator(".opener").first).not_to_have_text(seen[-size])
        assert seen == [f"number {at}" for at in range(59, -1, -1)]
        expect(page.get_by_role("button", name="Older feedback")).to_have_count(0)
        page.go_back()
        expect(page.locator(".opener").first).to_have_text("number 34")
        page.get_by_role("button", name="Back to the newest").click()
        expect(page.locator(".opener").first).to_have_text("number 59")


def test_export_is_what_is_shown(tmp_path: Path, visit: Visit) -> None:
    with dashboard(tmp_path, api_keys=["sesame"]) as url:
        for key, score in (("stars", 5), ("stars", 1), ("thumbs", 1)):
            send_feedback(url, score, key=key, api_key="sesame", comment="=1+1")
        rated = {"feedback_key": "stars", "feedback_config": {"type": "continuous", "min": 1, "max": 5}}
        httpx.post(f"{url}/feedback-configs", json=rated, headers={"x-api-key": "sesame"})
        with visit(opened(url, "&key=stars&min_score=2"), script=True, complaints=REFUSED) as page:
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
            expect(page.locator("#notice")).to_contain_text("KTO: 1 example exported.")


def test_training_export_says_what_it_left_out(server: str, visit: Visit) -> None:
    for score in (1, 2, 1, 2):
        send_feedback(server, score, key="stars", feedback_source=source(f"user {score}"))
    with visit(opened(server), script=True, width=1280) as page:
        page.get_by_text("Export", exact=True).click()
        with page.expect_download():
            page.get_by_role("button", name="KTO").click()
        expect(page.locator("#notice")).to_contain_text("KTO: 0 examples exported.")
        expect(page.locator("#notice")).to_contain_text(
            "2 left out: the score for 'stars' is on a scale without a direction"
        )


def enter(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Open").click()


def test_api_key_is_kept_for_the_tab_only(tmp_path: Path, visit: Visit) -> None:
    with dashboard(tmp_path, api_keys=["sesame"]) as url:
        send_feedback(url, 1, comment="private words", api_key="sesame")
        with visit(opened(url), script=True, complaints=REFUSED) as page:
            expect(page.get_by_label("API key")).to_be_focused()
            assert "private words" not in page.content()
            enter(page, "open barley")
            expect(page.get_by_role("alert")).to_contain_text("This API key is not valid.")
            enter(page, "sesame")
            expect(page.get_by_role("button", name="private words")).to_be_visible()
            page.reload()
            expect(page.get_by_role("button", name="private words")).to_be_visible()
            assert page.evaluate("[localStorage.length, document.cookie, location.search]") == [0, "", "?view=feedback"]
            page.get_by_role("button", name="Forget key").click()
            expect(page.get_by_label("API key")).to_be_visible()
            assert page.evaluate("sessionStorage.length") == 0
            expect(page.locator("#main")).to_be_hidden()


class Forbidden(FeedbackError):
    """The API key lacks the scope."""

    status_code = 403
    code = "forbidden"


async def by_scope(connection: Connection, scope: Scope) -> Entry:
    """Accept API keys that name their scopes, separated by commas."""
    if not (key := connection.headers.get("x-api-key")):
        raise Unauthorized("This needs an API key")
    if scope not in key.split(","):
        raise Forbidden(f"The key lacks {scope}")
    return Entry(showed_key=True)


def test_missing_scope_is_named(tmp_path: Path, visit: Visit) -> None:
    with dashboard(tmp_path, api_keys=by_scope) as url:
        send_feedback(url, 1, comment="look, do not touch", api_key="feedback-read,feedback-write")
        with visit(opened(url), script=True, complaints=REFUSED) as page:
            enter(page, "feedback-write")
            expect(page.get_by_role("alert")).to_contain_text("needs the scope feedback-read")
            enter(page, "feedback-read")
            page.get_by_role("button", name="look, do not touch").click()
            page.get_by_role("dialog").get_by_role("radio", name="Seen").check()
            expect(page.get_by_role("alert")).to_contain_text("needs the scope feedback-write")


def test_project_is_chosen(tmp_path: Path, visit: Visit) -> None:
    with dashboard(tmp_path, api_keys={"operator": None, "clerk": "shop"}) as url:
        created = httpx.post(
            f"{url}/api/v1/feedback/projects", json={"name": "shop"}, headers={"x-api-key": "operator"}
        )
        assert created.status_code == 200
        send_feedback(url, 1, comment="of no project", api_key="operator")
        feedback_id = send_feedback(url, 0, key="stars", comment="of the shop", api_key="clerk")
        with visit(opened(url, "&key=thumbs"), script=True, width=1280, complaints=REFUSED) as page:
            enter(page, "operator")
            expect(page.locator(".opener")).to_have_text(["of no project"])
            page.get_by_text("More filters").click()
            page.get_by_role("textbox", name="Reason").fill("Wrong")
            page.keyboard.press("Enter")
            expect(page.locator(".opener")).to_have_count(0)
            page.get_by_label("Project").select_option("shop")
            expect(page.locator(".opener")).to_have_text(["of the shop"])
            assert page.url.endswith("?view=feedback&project=shop")
            check_accessible(page)
            page.get_by_role("button", name="of the shop").click()
            page.get_by_role("dialog").get_by_role("radio", name="Seen").check()
            expect(page.get_by_role("dialog").get_by_text("Saved", exact=True)).to_be_visible()
            page.reload()
            expect(page.locator(".opener")).to_have_text(["of the shop"])
        with visit(opened(url), script=True, width=1280, complaints=REFUSED) as page:
            enter(page, "clerk")
            expect(page.locator(".opener")).to_have_text(["of the shop"])
            assert page.get_by_label("Project").count() == 0
        reviewed = httpx.get(f"{url}/api/v1/feedback/{feedback_id}/review", headers={"x-api-key": "clerk"}).json()
        assert reviewed["status"] == "seen"


def test_lost_connection_is_tried_again(filled: str, visit: Visit) -> None:
    lost = ("ERR_INTERNET", "/api/v1/", "icon.svg")
    with visit(opened(filled), script=True, width=1280, complaints=lost) as page:
        expect(page.locator(".opener").first).to_be_visible()
        page.context.set_offline(True)
        page.get_by_role("button", name="Older feedback").click()
        expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
        page.context.set_offline(False)
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("button", name="Back to the newest")).to_be_visible()
        page.context.set_offline(True)
        page.get_by_text("Export", exact=True).click()
        page.get_by_role("button", name="CSV").click()
        expect(page.locator("#notice")).to_contain_text("cannot be reached")
        page.context.set_offline(False)
        with page.expect_download():
            page.locator("#notice").get_by_role("button", name="Try again").click()


def test_missing_conversation_has_a_reason(server: str, visit: Visit) -> None:
    send_feedback(server, 1, version=9, comment="who knows")
    with visit(opened(server), script=True) as page:
        page.get_by_role("button", name="who knows").click()
        expect(page.get_by_role("dialog")).to_contain_text("has nothing on this run now")


def test_empty_page_says_how_to_begin(server: str, visit: Visit) -> None:
    with visit(opened(server), script=True) as page:
        expect(page.get_by_role("heading", name="No feedback yet")).to_be_visible()
        check_accessible(page)
        send_feedback(server, 1, comment="the first")
        page.locator(".empty").get_by_role("button", name="Refresh").click()
        expect(page.get_by_role("button", name="the first")).to_be_visible()


def test_keyboard_alone_suffices(filled: str, visit: Visit) -> None:
    with visit(opened(filled, "&key=stars"), script=True, width=1280) as page:
        opener = page.get_by_role("button", name="Splendid work")
        expect(opener).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        reach(page, ".opener")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog").get_by_label("Note")).to_be_visible()
        reach(page, "dialog [type=radio]")
        page.keyboard.press("ArrowRight")
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        page.keyboard.press("Tab")
        page.keyboard.type("by keys")
        reach(page, "dialog form button")
        page.keyboard.press("Enter")
        expect(page.get_by_text("History (2)")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.get_by_role("button", name="Splendid work")).to_be_focused()
        expect(page.locator(".pill.seen")).to_have_count(1)


def reach(page: Page, selector: str) -> None:
    """Press Tab until the selected element has the focus, and check that the focus is visible."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")


def test_failing_server_ends_the_skeletons(filled: str, visit: Visit) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=503, json={"detail": "The database does not respond", "code": "unavailable"})

    with visit("about:blank", script=True, width=1280, complaints=("503",)) as page:
        page.route("**/api/v1/**", refuse)
        page.goto(opened(filled, "", "overview"))
        expect(page.get_by_role("alert")).to_contain_text("The database does not respond")
        expect(page.locator(".waiting:visible")).to_have_count(0)
        check_accessible(page)
        page.unroute("**/api/v1/**")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".key h3")).to_have_text(["thumbs", "stars"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_part_is_accessible(filled: str, visit: Visit, scheme: str, width: int) -> None:
    with visit(opened(filled, "", "overview"), script=True, width=width, color_scheme=scheme) as page:
        expect(page.locator(".chart canvas").first).to_be_visible()
        if width < 700:
            page.get_by_text("Filters", exact=True).click()
        page.get_by_text("More filters").click()
        page.get_by_text("Figures as a table").first.click()
        expect(page.locator(".bars").nth(1)).to_be_visible()
        page.get_by_text("Export", exact=True).click()
        check_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.keyboard.press("Escape")
        for name, ready in (("Versions", ".finding"), ("Settings", "#settings table"), ("Feedback", ".opener")):
            page.get_by_role("link", name=name, exact=True).click()
            expect(page.locator(ready).first).to_be_visible()
            check_accessible(page)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        page.get_by_label("Key", exact=True).select_option("stars")
        page.get_by_role("button", name="Rather slow").click()
        expect(page.locator(".message")).to_have_count(2)
        check_accessible(page)
        page.goto(opened(filled))
        expect(page.locator(".opener").first).to_be_visible()
        place = page.locator(".opener").first.bounding_box()
        assert place is not None
        assert place["y"] < 700, "the first feedback is on the first screen"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_key_form_is_accessible(tmp_path: Path, visit: Visit, scheme: str) -> None:
    with (
        dashboard(tmp_path, api_keys=["sesame"]) as url,
        visit(f"{url}/feedback/ui", script=True, complaints=REFUSED, color_scheme=scheme) as page,
    ):
        enter(page, "wrong")
        expect(page.get_by_role("alert")).to_be_visible()
        check_accessible(page)


def test_page_without_javascript_names_the_api(server: str, visit: Visit) -> None:
    preloads = (".js csp",)  # Chromium blocks the preloaded modules where scripts are off
    with visit(f"{server}/feedback/ui", complaints=preloads) as page:
        expect(page.get_by_text(re.compile("needs JavaScript"))).to_be_visible()
