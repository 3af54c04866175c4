"""The chat page of the example in Chromium: from the token stream to the answer that is kept, over every trouble."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import check_accessible
from tests.browser.conftest import Visit, eventually
from tests.clients.cutting_proxy import CuttingProxy
from tests.clients.server_process import EXAMPLE, ServerProcess

JOKE = "Why do indexes never get lost? They always know which page they are on."
ASK = "Where do indexes go?"
LOST = ("net::ERR", "Failed to load resource", "/stream")
THUMBS = "feedback-buttons"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(EXAMPLE, tmp_path, AGENT_TOKEN_SECONDS="0.1") as server:
        yield server


def ask(page: Page, question: str) -> None:
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")


def thumb(page: Page, name: str, nth: int = 0) -> Any:
    return page.locator(THUMBS).nth(nth).get_by_role("button", name=name)


def kept(server: ServerProcess) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = httpx.get(f"{server.url}/api/v1/feedback", params={"key": "user_score"}).json()
    return rows


def runs(server: ServerProcess) -> list[dict[str, Any]]:
    """The runs of the newest conversation."""
    [thread, *_] = httpx.post(f"{server.url}/threads/search", json={"sort_by": "created_at"}).json()
    found: list[dict[str, Any]] = httpx.get(f"{server.url}/threads/{thread['thread_id']}/runs").json()
    return found


def streaming(page: Page) -> None:
    """Wait until some of the answer is there, and more is to come."""
    expect(page.locator(".turn.streaming .answer")).to_contain_text("Why do")


def test_vote_goes_from_the_token_stream_to_the_store_and_back_after_a_reload(
    server: ServerProcess, visit: Visit
) -> None:
    with visit(server.url, script=True, width=1280) as page:
        page.get_by_role("button", name="What do indexes never do?").click()
        streaming(page)
        expect(page.locator(".answer")).to_have_text(JOKE)
        expect(page.locator("#said")).to_have_text(f"The agent says: {JOKE}")
        expect(page.get_by_label("Your question")).to_be_focused()
        thumb(page, "Good answer").click()
        expect(page.locator("#votes")).to_contain_text("Thumb up")
        assert [row["score"] for row in eventually(lambda: kept(server))] == [1]

        page.reload()
        expect(page.locator(".answer")).to_have_text(JOKE)
        expect(thumb(page, "Good answer")).to_have_attribute("aria-pressed", "true")
        thumb(page, "Bad answer").click()  # a change of mind, and why
        page.locator(THUMBS).get_by_role("textbox").fill("Heard it <b>before</b>")
        page.locator(THUMBS).get_by_role("button", name="Send").click()
        expect(page.locator("#votes .vote")).to_have_count(1)
        expect(page.locator("#votes")).to_contain_text("Heard it <b>before</b>")
        [row] = kept(server)
        assert (row["score"], row["comment"]) == (0, "Heard it <b>before</b>")

        thumb(page, "Bad answer").click()  # and taken back
        eventually(lambda: not kept(server))
        expect(page.locator("#tally")).to_contain_text("Nobody has said anything yet")


def test_conversations_are_listed_switched_between_and_deleted(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True, width=1280) as page:
        ask(page, ASK)
        page.locator(THUMBS).wait_for()
        page.get_by_role("button", name="New conversation").click()
        expect(page.get_by_text("Ask, watch it answer")).to_be_visible()
        ask(page, "Who keeps the foreign key?")
        expect(page.locator(".answer")).to_contain_text("lonely")
        page.locator(THUMBS).wait_for()
        expect(page.locator("#list .open")).to_have_count(2)
        page.locator("#list").get_by_role("button", name=ASK, exact=True).click()
        expect(page.locator(".answer")).to_have_text(JOKE)
        expect(page.get_by_role("heading", level=1)).to_have_text(ASK)
        ask(page, ASK)
        expect(page.locator(".turn.streaming")).to_have_count(1)
        page.get_by_role("button", name=f"Delete the conversation {ASK}").click()
        expect(page.locator("#list .open")).to_have_count(1)
        expect(page.locator(".turn")).to_have_count(0)


@contextmanager
def cutting(server: ServerProcess, cuts: list[bytes]) -> Iterator[CuttingProxy]:
    """A proxy of the server in a thread of its own."""
    ready: Future[tuple[CuttingProxy, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        async with CuttingProxy(server.port, cuts).listening() as proxy:
            ready.set_result((proxy, asyncio.get_running_loop(), over))
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    proxy, loop, over = ready.result(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)


SEEN = """() => {
  window.seen = [];
  new MutationObserver(() => {
    const text = document.querySelector(".answer")?.textContent ?? "";
    if (text !== seen.at(-1)) seen.push(text);
  }).observe(document.getElementById("turns"), { childList: true, subtree: true, characterData: true });
}"""


@pytest.mark.parametrize("cuts", [[b" indexes", b" They"], [b""], [b"", b" never", b" which"]])
def test_lost_connections_lose_and_double_no_token(server: ServerProcess, visit: Visit, cuts: list[bytes]) -> None:
    """A cut before the first byte: Chromium sends the request again, on its own, and must not get a second run."""
    cuts = list(cuts)
    with cutting(server, cuts) as proxy, visit(proxy.url, script=True, complaints=LOST) as page:
        page.evaluate(SEEN)
        ask(page, ASK)
        page.locator(THUMBS).wait_for()
        assert cuts == []
        seen = [text for text in page.evaluate("seen") if text]
        assert seen[-1] == JOKE
        assert [text for text in seen if not JOKE.startswith(text)] == []
        assert [len(text) for text in seen] == sorted({len(text) for text in seen})
        page.reload()
        expect(page.locator(".answer")).to_have_text([JOKE])
    assert len(runs(server)) == 1


def test_reload_in_the_middle_of_an_answer_goes_on_with_it(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True, complaints=LOST) as page:
        ask(page, ASK)
        streaming(page)
        page.reload()
        expect(page.locator(".answer")).to_have_text(JOKE)
        page.locator(THUMBS).wait_for()
        expect(page.locator(".turn")).to_have_count(1)


def test_restart_of_the_server_in_the_middle_of_an_answer_is_survived(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True, complaints=(*LOST, server.url)) as page:
        ask(page, ASK)
        streaming(page)
        server.stop()
        server.start()
        expect(page.locator(".answer")).to_have_text(JOKE, timeout=30_000)
        page.locator(THUMBS).wait_for()
        thumb(page, "Good answer").click()
        assert [row["score"] for row in eventually(lambda: kept(server))] == [1]


def test_answer_is_stopped_and_what_was_said_of_it_stays(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True) as page:
        ask(page, ASK)
        streaming(page)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".state")).to_have_text("You stopped this answer.")
        expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
        page.reload()
        expect(page.locator(".state")).to_have_text("You stopped this answer.")


def test_server_that_is_away_is_told_of_in_words(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True, complaints=(*LOST, server.url)) as page:
        ask(page, ASK)
        page.locator(THUMBS).wait_for()
        server.stop()
        ask(page, "Are you there?")  # in a conversation that is begun, and in a new one
        expect(page.get_by_role("alert")).to_contain_text("The server could not be reached")
        expect(page.locator(".turn")).to_have_count(1)
        expect(page.get_by_label("Your question")).to_have_value("Are you there?")
        page.get_by_role("button", name="New conversation").click()
        ask(page, ASK)
        expect(page.get_by_role("alert")).to_have_text("The server could not be reached. Is it running?")
        expect(page.get_by_label("Your question")).to_have_value(ASK)


def test_impatient_choices_show_a_conversation_once_and_the_browser_goes_back(
    server: ServerProcess, visit: Visit
) -> None:
    with visit(server.url, script=True, width=1280) as page:
        ask(page, ASK)
        page.locator(THUMBS).wait_for()
        for _ in range(3):  # before the server has answered the first of them
            page.locator("#list .open").dispatch_event("click")
        expect(page.locator(".answer")).to_have_text([JOKE])
        page.get_by_role("button", name="New conversation").click()
        expect(page.get_by_role("heading", name="Ask, watch it answer")).to_be_visible()
        page.go_back()
        expect(page.locator(".answer")).to_have_text([JOKE])
        expect(page).to_have_title(re.compile(re.escape(ASK)))


FROM_ELSEWHERE = {"assistant_id": "agent", "input": {"messages": [{"role": "user", "content": "From elsewhere"}]}}


def converse(server: ServerProcess, count: int) -> str:
    """A conversation of so many turns, by the names "Question 1" and so on."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        thread = str(client.post("/threads", json={"metadata": {"app": "chat-example"}}).json()["thread_id"])
        for at in range(1, count + 1):
            message = {"role": "user", "content": f"Question {at}", "id": f"question-{at}"}
            asked = {"assistant_id": "agent", "input": {"messages": [message]}, "feedback_keys": []}
            client.post(f"/threads/{thread}/runs/wait", json=asked).raise_for_status()
    return thread


def test_earlier_turns_come_by_keyboard_and_what_was_read_stays_in_view(tmp_path: Path, visit: Visit) -> None:
    with ServerProcess(EXAMPLE, tmp_path, AGENT_TOKEN_SECONDS="0") as server:
        thread = converse(server, 45)
        with visit(f"{server.url}/#thread={thread}", script=True, reduced_motion="reduce") as page:
            questions, older = page.locator(".asked"), page.get_by_role("button", name="Earlier turns")
            expect(questions).to_have_count(20)
            expect(questions.last).to_be_in_viewport()
            expect(page.locator(THUMBS)).to_have_count(20)
            httpx.post(f"{server.url}/threads/{thread}/runs/wait", json=FROM_ELSEWHERE).raise_for_status()
            older.focus()
            before = questions.first.bounding_box()
            page.keyboard.press("Enter")
            expect(questions).to_have_count(39)  # one that came meanwhile has moved the pages by one
            expect(older).to_be_focused()
            after = questions.nth(19).bounding_box()
            assert before
            assert after
            assert abs(before["y"] - after["y"]) < 2
            page.keyboard.press("Enter")
            expect(questions).to_have_text([f"You asked: Question {at}" for at in range(1, 46)])
            expect(older).to_be_hidden()
            expect(page.get_by_role("region", name="Conversation", exact=True)).to_be_focused()
            expect(page.locator("#said")).to_have_text("6 earlier turns are shown.")
            assert all(page.locator(".answer").all_inner_texts())


def test_server_with_keys_is_opened_by_one_that_is_kept_for_the_tab(tmp_path: Path, visit: Visit) -> None:
    keys = "asks-and-no-more:run,reads-and-no-more:feedback-read,asks-and-reads-it:run+feedback-read"
    with (
        ServerProcess(EXAMPLE, tmp_path, AGENT_TOKEN_SECONDS="0", AGENT_SERVER_API_KEYS=keys) as server,
        visit(server.url, script=True, width=1280, complaints=("401", "403")) as page,
    ):
        field, gate = page.get_by_label("API key"), page.locator("#gate")
        expect(field).to_be_focused()
        expect(page.get_by_label("Your question")).to_be_hidden()
        check_accessible(page)
        for key, words in (("nonsense", "does not open it"), ("reads-and-no-more", "needs the scope run")):
            field.fill(key)
            page.keyboard.press("Enter")
            expect(gate.get_by_role("alert")).to_contain_text(words)
        check_accessible(page)
        field.fill("asks-and-no-more")
        page.keyboard.press("Enter")
        ask(page, ASK)
        thumb(page, "Good answer").click()
        expect(page.locator(THUMBS).get_by_role("status")).to_have_text("Thank you.")
        expect(page.locator("#tally")).to_contain_text("feedback-read")
        page.reload()
        expect(page.locator(".answer")).to_have_text(JOKE)
        expect(thumb(page, "Good answer")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Forget the API key").click()
        field.fill("asks-and-reads-it")
        page.keyboard.press("Enter")
        expect(page.locator("#tally")).to_have_text("1 up, 0 down")
        assert "asks" not in page.url
        assert page.evaluate("[localStorage.length, document.cookie]") == [1, ""]  # a name for who votes, and no key
        page.evaluate("sessionStorage.setItem('agent-api-key', 'nonsense')")  # as if it had been revoked
        ask(page, "And now?")
        expect(gate.get_by_role("alert")).to_contain_text("does not open it")
        field.fill("asks-and-reads-it")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Your question")).to_have_value("And now?")
        expect(page.locator(".answer")).to_have_text(JOKE)


def test_everything_is_done_by_keyboard(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True) as page:
        expect(page.get_by_label("Your question")).to_be_focused()
        page.keyboard.type(ASK)
        page.keyboard.press("Enter")
        page.locator(THUMBS).wait_for()
        for _ in range(6):
            page.keyboard.press("Shift+Tab")
            if page.evaluate("document.activeElement.tagName") == "FEEDBACK-BUTTONS":
                break
        page.keyboard.press("Enter")
        assert eventually(lambda: kept(server))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_nothing_serious_and_nothing_runs_over(
    server: ServerProcess, visit: Visit, scheme: str, width: int
) -> None:
    with visit(server.url, script=True, width=width, color_scheme=scheme, reduced_motion="reduce") as page:
        check_accessible(page)
        ask(page, ASK)
        page.locator(THUMBS).wait_for()
        thumb(page, "Bad answer").click()
        page.locator(THUMBS).get_by_role("textbox").wait_for()
        check_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if width == 375:
            page.get_by_role("button", name="Conversations").click()
            expect(page.get_by_role("button", name=ASK, exact=True)).to_be_visible()
            check_accessible(page)


@pytest.mark.parametrize("width", [360, 640])
def test_long_words_and_other_directions_fit(server: ServerProcess, visit: Visit, width: int) -> None:
    """640 pixels, two device pixels each, are what 200 % zoom leaves of 1280."""
    long, arabic = "Donaudampfschiffahrt" * 12, "لماذا لا تضيع الفهارس أبدا؟"
    with visit(server.url, script=True, width=width, device_scale_factor=2) as page:
        ask(page, long)
        page.locator(THUMBS).wait_for()
        ask(page, arabic)
        page.locator(THUMBS).nth(1).wait_for()
        thumb(page, "Bad answer", 1).click()
        page.locator(THUMBS).nth(1).get_by_role("textbox").fill(long)
        check_accessible(page)
        for part in ("html", "#scroll", "#form", "header"):
            assert page.locator(part).evaluate("(one) => one.scrollWidth - one.clientWidth") <= 0
        page.get_by_role("button", name="Conversations").click()
        page.get_by_role("button", name=long[:60], exact=True).wait_for()
        check_accessible(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Conversations")).to_be_focused()


MARKDOWN = """async (text) => {
  const { markdown } = await import("/chat/markdown.js");
  const box = document.createElement("div");
  box.append(...markdown(text));
  return box.innerHTML;
}"""


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>"),
        ("a **b** `c<d>` *e*", "<p>a <strong>b</strong> <code>c&lt;d&gt;</code> <em>e</em></p>"),
        ("x\n\n- a\n- b", "<p>x</p><ul><li>a</li><li>b</li></ul>"),
        ("```sql\nSELECT '<b>'\n```\nafter", "<pre tabindex=\"0\"><code>SELECT '&lt;b&gt;'\n</code></pre><p>after</p>"),
        ("```\nnot closed", '<pre tabindex="0"><code>not closed</code></pre>'),
        ("2 * 3 * 4", "<p>2 * 3 * 4</p>"),
    ],
)
def test_markdown_becomes_elements_and_never_markup(example_page: Page, text: str, html: str) -> None:
    assert example_page.evaluate(MARKDOWN, text) == html


@pytest.fixture
def example_page(server: ServerProcess, visit: Visit) -> Iterator[Page]:
    with visit(server.url, script=True) as page:
        yield page


def test_page_may_load_from_here_alone(server: ServerProcess) -> None:
    page = httpx.get(server.url)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://(?!www\.w3\.org)", page.text)
    assert httpx.get(f"{server.url}/chat/nothing.js").status_code == 404
