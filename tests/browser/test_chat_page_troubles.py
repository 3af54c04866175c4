"""The chat page under faults: connections, servers, API keys, impatient users."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser.axe import check_accessible
from tests.browser.chat import JOKE, LOST, QUESTION, THUMBS, ask, runs, stored, streaming, thumb
from tests.browser.conftest import Visit, eventually
from tests.clients.cutting_proxy import CuttingProxy
from tests.clients.server_process import EXAMPLE, ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(EXAMPLE, tmp_path, AGENT_TOKEN_SECONDS="0.1") as server:
        yield server


@contextmanager
def cutting(server: ServerProcess, cuts: list[bytes]) -> Iterator[CuttingProxy]:
    """Run a proxy of the server in its own thread."""
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
    """After a cut before the first byte, Chromium repeats the request itself and must not get a second run."""
    cuts = list(cuts)
    with cutting(server, cuts) as proxy, visit(proxy.url, script=True, complaints=LOST) as page:
        page.evaluate(SEEN)
        ask(page, QUESTION)
        page.locator(THUMBS).wait_for()
        assert cuts == []
        seen = [text for text in page.evaluate("seen") if text]
        assert seen[-1] == JOKE
        assert [text for text in seen if not JOKE.startswith(text)] == []
        assert [len(text) for text in seen] == sorted({len(text) for text in seen})
        page.reload()
        expect(page.locator(".answer")).to_have_text([JOKE])
    assert len(runs(server)) == 1


def test_reload_during_an_answer_continues_it(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True, complaints=LOST) as page:
        ask(page, QUESTION)
        streaming(page)
        page.reload()
        expect(page.locator(".answer")).to_have_text(JOKE)
        page.locator(THUMBS).wait_for()
        expect(page.locator(".turn")).to_have_count(1)


def test_server_restart_during_an_answer_is_survived(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True, complaints=(*LOST, server.url)) as page:
        ask(page, QUESTION)
        streaming(page)
        server.stop()
        server.start()
        expect(page.locator(".answer")).to_have_text(JOKE, timeout=30_000)
        page.locator(THUMBS).wait_for()
        thumb(page, "Good answer").click()
        assert [row["score"] for row in eventually(lambda: stored(server))] == [1]


def test_stopped_answer_keeps_its_text(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True) as page:
        ask(page, QUESTION)
        streaming(page)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".state")).to_have_text("You stopped this answer.")
        expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
        page.reload()
        expect(page.locator(".state")).to_have_text("You stopped this answer.")


def test_missing_server_is_reported_in_words(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True, complaints=(*LOST, server.url)) as page:
        ask(page, QUESTION)
        page.locator(THUMBS).wait_for()
        server.stop()
        ask(page, "Are you there?")  # in an existing conversation and in a new one
        expect(page.get_by_role("alert")).to_contain_text("The server could not be reached")
        expect(page.locator(".turn")).to_have_count(1)
        expect(page.get_by_label("Your question")).to_have_value("Are you there?")
        page.get_by_role("button", name="New conversation").click()
        ask(page, QUESTION)
        expect(page.get_by_role("alert")).to_have_text("The server could not be reached. Is it running?")
        expect(page.get_by_label("Your question")).to_have_value(QUESTION)


def test_rapid_choices_show_one_conversation_and_history_works(server: ServerProcess, visit: Visit) -> None:
    with visit(server.url, script=True, width=1280) as page:
        ask(page, QUESTION)
        page.locator(THUMBS).wait_for()
        for _ in range(3):  # before the server has responded to the first of them
            page.locator("#list .open").dispatch_event("click")
        expect(page.locator(".answer")).to_have_text([JOKE])
        page.get_by_role("button", name="New conversation").click()
        expect(page.get_by_role("heading", name="Ask, watch it answer")).to_be_visible()
        page.go_back()
        expect(page.locator(".answer")).to_have_text([JOKE])
        expect(page).to_have_title(re.compile(re.escape(QUESTION)))


@pytest.mark.parametrize("name", ["018f0000-0000-7000-8000-000000000001", "nonsense"])
def test_missing_conversation_is_reported_and_replaced(server: ServerProcess, visit: Visit, name: str) -> None:
    with visit(f"{server.url}/#thread={name}", script=True, complaints=("404", "422")) as page:
        expect(page.get_by_role("alert")).to_have_text("This conversation is not there any more.")
        ask(page, QUESTION)
        expect(page.locator(".answer")).to_have_text(JOKE)


def test_late_refusal_hides_no_newer_feedback(server: ServerProcess, visit: Visit) -> None:
    held: list[Route] = []
    with visit(server.url, script=True, complaints=("403",)) as page:
        tally = page.locator("#tally")
        expect(tally).not_to_be_empty()
        shown = tally.inner_text()
        page.route("**/feedback?*", lambda route: held.append(route) if not held else route.continue_())
        for _ in range(2):
            with page.expect_request("**/feedback?*"):
                page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_timeout(500)  # the second request is answered
        with page.expect_response(lambda response: response.status == 403):
            held[0].fulfill(status=403, json={"detail": "The API key needs the scope feedback-read"})
        page.wait_for_timeout(200)
        expect(tally).to_have_text(shown)


def test_server_key_is_stored_for_the_tab(tmp_path: Path, visit: Visit) -> None:
    keys = "asks-and-no-more:run,reads-and-no-more:feedback-read,asks-and-reads-it:run+feedback-read"
    with (
        ServerProcess(EXAMPLE, tmp_path, AGENT_TOKEN_SECONDS="0", AGENT_SERVER_API_KEYS=keys) as server,
        visit(server.url, script=True, width=1280, complaints=("401", "403", "net::ERR", "/threads/search")) as page,
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
        page.route("**/threads/search", lambda route: route.abort())
        field.fill("asks-and-no-more")
        page.keyboard.press("Enter")
        expect(gate.get_by_role("alert")).to_have_text("The server could not be reached. Is it running?")
        page.unroute("**/threads/search")
        field.fill("asks-and-no-more")
        page.keyboard.press("Enter")
        ask(page, QUESTION)
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
        assert page.evaluate("[localStorage.length, document.cookie]") == [1, ""]  # the submitter's id, no API key
        page.evaluate("sessionStorage.setItem('agent-api-key', 'nonsense')")  # as if it had been revoked
        ask(page, "And now?")
        expect(gate.get_by_role("alert")).to_contain_text("does not open it")
        field.fill("asks-and-reads-it")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Your question")).to_have_value("And now?")
        expect(page.locator(".answer")).to_have_text(JOKE)
