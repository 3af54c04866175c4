"""The chat page of the example in Chromium, from the token stream to the stored feedback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import check_accessible
from tests.browser.chat import JOKE, QUESTION, THUMBS, ask, stored, streaming, thumb
from tests.browser.conftest import Visit, eventually
from tests.clients.server_process import EXAMPLE, ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(EXAMPLE, tmp_path, AGENT_TOKEN_SECONDS="0.1") as server:
        yield server


def test_vote_survives_a_reload_by_its_token(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True, width=1280, complaints=("Failed to load resource",)) as page:
        page.get_by_role("button", name="What do indexes never do?").click()
        streaming(page)
        expect(page.locator(".answer")).to_have_text(JOKE)
        expect(page.locator("#announcement")).to_have_text(f"The agent says: {JOKE}")
        expect(page.get_by_label("Your question")).to_be_focused()
        thumb(page, "Good answer").click()
        expect(page.locator("#votes")).to_contain_text("Thumb up")
        assert [row["score"] for row in eventually(lambda: stored(server))] == [1]

        page.reload()
        expect(page.locator(".answer")).to_have_text(JOKE)
        expect(thumb(page, "Good answer")).to_have_attribute("aria-pressed", "true")
        thumb(page, "Bad answer").click()  # the user changes their mind and adds a comment
        page.locator(THUMBS).get_by_role("textbox").fill("Heard it <b>before</b>")
        page.locator(THUMBS).get_by_role("button", name="Send").click()
        expect(page.locator("#votes .vote")).to_have_count(1)
        expect(page.locator("#votes")).to_contain_text("Heard it <b>before</b>")
        [row] = stored(server)
        assert (row["score"], row["comment"]) == (0, "Heard it <b>before</b>")

        url = page.locator(THUMBS).get_attribute("src")
        httpx.post(f"{url}/revoke").raise_for_status()  # as if it had expired, so the page fetches a fresh one
        thumb(page, "Bad answer").click()  # a second press withdraws it
        eventually(lambda: not stored(server))
        expect(page.locator("#tally")).to_contain_text("No feedback yet")


def test_vote_reaches_the_dashboard(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True, width=1280) as page:
        ask(page, QUESTION)
        thumb(page, "Bad answer").click()
        page.locator(THUMBS).get_by_role("textbox").fill("Too obvious")
        page.locator(THUMBS).get_by_role("button", name="Send").click()
        expect(page.locator("#votes")).to_contain_text("Too obvious")
        page.get_by_role("link", name="Open the dashboard").click()
        expect(page.get_by_role("heading", name="user_score")).to_be_visible()
        page.get_by_role("link", name="Feedback", exact=True).click()
        page.get_by_role("button", name="Too obvious").click()
        expect(page.get_by_role("dialog").locator(".message.user")).to_contain_text(QUESTION)
        expect(page.get_by_role("dialog").locator(".message.judged")).to_contain_text(JOKE)


def test_conversations_are_listed_switched_between_and_deleted(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True, width=1280) as page:
        ask(page, QUESTION)
        page.locator(THUMBS).wait_for()
        page.get_by_role("button", name="New conversation").click()
        expect(page.get_by_text("Ask, watch it answer")).to_be_visible()
        ask(page, "Who keeps the foreign key?")
        expect(page.locator(".answer")).to_contain_text("lonely")
        page.locator(THUMBS).wait_for()
        expect(page.locator("#list .open")).to_have_count(2)
        page.locator("#list").get_by_role("button", name=QUESTION, exact=True).click()
        expect(page.locator(".answer")).to_have_text(JOKE)
        expect(page.get_by_role("heading", level=1)).to_have_text(QUESTION)
        ask(page, QUESTION)
        expect(page.locator(".turn.streaming")).to_have_count(1)
        bin = page.get_by_role("button", name=f"Delete the conversation {QUESTION}")
        bin.click()  # Playwright declines where the page asks
        expect(page.locator("#list .open")).to_have_count(2)
        page.once("dialog", lambda dialog: dialog.accept())
        bin.click()
        expect(page.locator("#list .open")).to_have_count(1)
        expect(page.locator(".turn")).to_have_count(0)


FROM_ELSEWHERE = {"assistant_id": "agent", "input": {"messages": [{"role": "user", "content": "From elsewhere"}]}}


def converse(server: ServerProcess, count: int) -> str:
    """Create a conversation of so many turns, named "Question 1" and so on."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        thread = str(client.post("/threads", json={"metadata": {"app": "chat-example"}}).json()["thread_id"])
        for at in range(1, count + 1):
            message = {"role": "user", "content": f"Question {at}", "id": f"question-{at}"}
            body = {"assistant_id": "agent", "input": {"messages": [message]}, "feedback_keys": []}
            client.post(f"/threads/{thread}/runs/wait", json=body).raise_for_status()
    return thread


def test_earlier_turns_load_by_keyboard_without_scrolling(tmp_path: Path, visit: Visit) -> None:
    with ServerProcess(EXAMPLE, tmp_path, AGENT_TOKEN_SECONDS="0") as server:
        thread = converse(server, 45)
        with visit(f"{server.url}/#thread={thread}", script=True, reduced_motion="reduce") as page:
            questions, older = page.locator(".question"), page.get_by_role("button", name="Earlier turns")
            expect(questions).to_have_count(20)
            expect(questions.last).to_be_in_viewport()
            expect(page.locator(THUMBS)).to_have_count(20)
            httpx.post(f"{server.url}/threads/{thread}/runs/wait", json=FROM_ELSEWHERE).raise_for_status()
            older.focus()
            before = questions.first.bounding_box()
            older.evaluate("(one) => { one.click(); one.click() }")  # an impatient second click loads nothing more
            expect(questions).to_have_count(39)  # a conversation that arrived meanwhile has moved the pages by one
            expect(older).to_be_focused()
            after = questions.nth(19).bounding_box()
            assert before
            assert after
            assert abs(before["y"] - after["y"]) < 2
            page.keyboard.press("Enter")
            expect(questions).to_have_text([f"You asked: Question {at}" for at in range(1, 46)])
            expect(older).to_be_hidden()
            expect(page.get_by_role("region", name="Conversation", exact=True)).to_be_focused()
            expect(page.locator("#announcement")).to_have_text("6 earlier turns are shown.")
            assert all(page.locator(".answer").all_inner_texts())


def test_everything_is_done_by_keyboard(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True) as page:
        expect(page.get_by_label("Your question")).to_be_focused()
        page.keyboard.type(QUESTION)
        page.keyboard.press("Enter")
        page.locator(THUMBS).wait_for()
        for _ in range(6):
            page.keyboard.press("Shift+Tab")
            if page.evaluate("document.activeElement.tagName") == "FEEDBACK-BUTTONS":
                break
        page.keyboard.press("Enter")
        assert eventually(lambda: stored(server))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_nothing_serious_and_nothing_runs_over(
    server: ServerProcess, visit: Visit, scheme: str, width: int
) -> None:
    with visit(server.url, script=True, width=width, color_scheme=scheme, reduced_motion="reduce") as page:
        check_accessible(page)
        ask(page, QUESTION)
        page.locator(THUMBS).wait_for()
        thumb(page, "Bad answer").click()
        page.locator(THUMBS).get_by_role("textbox").wait_for()
        check_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if width == 375:
            page.get_by_role("button", name="Conversations").click()
            expect(page.get_by_role("button", name=QUESTION, exact=True)).to_be_visible()
            check_accessible(page)


@pytest.mark.parametrize("width", [360, 640])
def test_long_words_and_other_directions_fit(server: ServerProcess, visit: Visit, width: int) -> None:
    """200 % zoom turns 1280 pixels into 640, of two device pixels each."""
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


WAIT_FOR_ANSWERS = """async (messages) => {
  const { answersIn, textOf } = await import("/chat/messages.js");
  return [...answersIn(messages)].map(([question, answer]) => [question, textOf(answer)]);
}"""


def test_shown_text_is_the_agents_final_answer(example_page: Page) -> None:
    blocks = ["It is ", {"type": "reasoning", "summary": []}, {"type": "text", "text": "late."}]
    messages = [
        {"type": "human", "id": "a", "content": "What time is it?"},
        {"type": "ai", "id": "1", "content": "Let me look."},
        {"type": "tool", "id": "2", "content": "23:59"},
        {"type": "ai", "id": "3", "content": blocks},
        {"type": "human", "id": "b", "content": "Thanks"},
    ]
    assert example_page.evaluate(WAIT_FOR_ANSWERS, messages) == [["a", "It is late."]]


def test_page_may_load_from_here_alone(server: ServerProcess) -> None:
    page = httpx.get(server.url)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://(?!www\.w3\.org)", page.text)
    assert httpx.get(f"{server.url}/chat/nothing.js").status_code == 404
