"""The core client in Chromium, on pages of another origin: feedback submitted, runs streamed over bad connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route

from agent_server import Config
from tests.agent_server.served import whole_app
from tests.browser.conftest import Visit, eventually
from tests.browser.site import Site
from tests.browser.test_email_pages import RUN, mint
from tests.clients.cutting_proxy import CuttingProxy
from tests.feedback.conftest import serving

Opened = Callable[[str], AbstractContextManager[Page]]
LOST = "net::ERR"
KEYS = ["user_liked", "user_disliked"]


@pytest.fixture
def opened(visit: Visit, site: Site) -> Opened:
    """Return a function that opens a page of another origin with the server's client as `client`; requests may fail."""

    @contextmanager
    def opening(server: str) -> Iterator[Page]:
        script = f"window.client = await import('{server}/feedback/feedback-client.js'); document.body.id = 'ready'"
        url = site.page("", script=script, trusted=server)
        with visit(url, script=True, complaints=(LOST, "Failed to load resource", server)) as page:
            page.locator("#ready").wait_for()
            yield page

    return opening


def listed(server: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = httpx.get(f"{server}/feedback", params={"run": RUN}).json()
    return rows


def call(page: Page, name: str, *arguments: Any) -> Any:
    """Return what a function of the client resolves to; an error as its fields."""
    return page.evaluate(
        """([name, given]) => client[name](...given).catch(
            error => ({ error: error.name, status: error.status, code: error.code,
                        retryAfter: error.retryAfter, message: error.message }))""",
        [name, arguments],
    )


def test_cross_origin_page_submits_changes_reads_and_retracts(feedback_server: str, opened: Opened) -> None:
    url, me = mint(feedback_server), {"userId": "Zoë & <friends>"}
    with opened(feedback_server) as page:
        result = call(page, "submitFeedback", url, {"score": 1, "comment": "größer 🎉"}, me)
        assert result["status"] == "created"
        assert call(page, "submitFeedback", url, {"score": 0}, me) == {"id": result["id"], "status": "updated"}
        state = call(page, "readFeedback", url, me)
        assert (state["key"], state["feedback"]["score"], state["feedback"]["comment"]) == ("user_score", 0, None)
        assert call(page, "readFeedback", url, {"userId": "another user"})["feedback"] is None
        assert call(page, "retractFeedback", url, me) == {"id": result["id"], "status": "retracted"}
        assert call(page, "retractFeedback", url, me) == {"id": None, "status": "unchanged"}
    assert listed(feedback_server) == []


def test_refusals_say_what_was_wrong(feedback_server: str, opened: Opened) -> None:
    url = mint(feedback_server, {"type": "continuous", "min": 0, "max": 1})
    with opened(feedback_server) as page:
        refused = call(page, "submitFeedback", url, {"score": 7})
        assert (refused["error"], refused["status"], refused["code"]) == ("FeedbackError", 422, "rejected")
        assert "from 0 to 1" in refused["message"]
        unknown = call(page, "readFeedback", f"{feedback_server}/feedback/tokens/018f0000-0000-4000-8000-000000000001")
        assert (unknown["status"], unknown["code"]) == (404, "token_unknown")


def test_submission_is_retried_with_the_same_idempotency_key(feedback_server: str, opened: Opened) -> None:
    url, keys = mint(feedback_server), []

    def losing(route: Route) -> None:
        """The first try finds a busy server, the response to the second is lost, the third succeeds."""
        if route.request.method != "POST":
            return route.continue_()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            headers = {"Retry-After": "0", "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*"}
            return route.fulfill(status=503, headers=headers, body="busy")
        if len(keys) == 2:
            route.fetch()
            return route.abort("connectionreset")
        return route.continue_()

    with opened(feedback_server) as page:
        page.route(url, losing)
        assert call(page, "submitFeedback", url, {"score": 1})["status"] == "unchanged"
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert [row["score"] for row in listed(feedback_server)] == [1]


def test_server_that_asks_for_patience_is_left_alone(feedback_server: str, opened: Opened) -> None:
    url, tries = mint(feedback_server), []

    def busy(route: Route) -> None:
        tries.append(route.request.url)
        headers = {"Retry-After": "120", "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*"}
        route.fulfill(status=429, headers=headers, body='{"detail": "Too many", "code": "too_many"}')

    with opened(feedback_server) as page:
        page.route(url, busy)
        refused = call(page, "submitFeedback", url, {"score": 1})
    assert (refused["status"], refused["retryAfter"], refused["message"]) == (429, 120, "Too many")
    assert len(tries) == 1


def test_offline_device_gets_an_error_at_once(feedback_server: str, opened: Opened) -> None:
    url = mint(feedback_server)
    with opened(feedback_server) as page:
        page.context.set_offline(True)
        refused = call(page, "submitFeedback", url, {"score": 1})
        assert (refused["status"], refused["code"]) == (0, "unreachable")
        assert "online" in refused["message"]


def test_beacon_is_stored_after_the_page_closes(feedback_server: str, opened: Opened) -> None:
    url = mint(feedback_server)
    with opened(feedback_server) as page:
        leave = """url => addEventListener("pagehide", () =>
            client.beaconFeedback(url, { score: 0, comment: "späte Worte" }, { userId: "leaver" }))"""
        page.evaluate(leave, url)
        page.goto("about:blank")
        [row] = eventually(lambda: listed(feedback_server))
    assert (row["score"], row["comment"], row["feedback_source"]["user_id"]) == (0, "späte Worte", "leaver")


def test_subject_of_a_browser_stays_the_same(feedback_server: str, opened: Opened) -> None:
    with opened(feedback_server) as page:
        name = page.evaluate("client.browserSubject()")
        page.reload()
        page.locator("#ready").wait_for()
        assert name.startswith("anonymous-")
        assert page.evaluate("client.browserSubject()") == name


STREAM = (
    "\ufeff: hello\r\n\r\nevent: values\r\ndata: {\"text\":\"größer 🎉\"}\r\nid: 1-0\r\n\r\n"
    "data:first\ndata: second\n\nevent: old\rdata: x\rid: 1-1\r\r: heartbeat\r\n\r\nevent: nothing\r\n\r\n"
    "unknown: field\r\ndata\r\n\r\nevent: cut\r\ndata: never whole"
)  # fmt: skip
PARSED = [
    {"event": "values", "data": '{"text":"größer 🎉"}', "id": "1-0"},
    {"event": "message", "data": "first\nsecond"},
    {"event": "old", "data": "x", "id": "1-1"},
    {"event": "message", "data": ""},
]


def test_events_are_parsed_whatever_the_chunks(feedback_server: str, opened: Opened) -> None:
    parse = """async ([text, whole]) => {
      const bytes = new TextEncoder().encode(text);
      async function* cut(size) {
        for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
      }
      const wrong = [];
      for (let size = 1; size <= bytes.length; size++) {
        const found = [];
        for await (const one of client.events(cut(size))) found.push(one);
        if (JSON.stringify(found) !== JSON.stringify(whole)) wrong.push([size, found]);
      }
      return wrong;
    }"""
    with opened(feedback_server) as page:
        assert page.evaluate(parse, [STREAM, PARSED]) == []


async def counting(given: Any) -> AsyncIterator[dict[str, Any]]:
    """Yield as many numbers as the input says, with a pause before each."""
    for number in range(given["total"]):
        await asyncio.sleep(given.get("pause", 0))
        if number == given.get("fails_at"):
            raise ValueError("boom é <1>")
        yield {"n": number}


@pytest.fixture
def agent_server(tmp_path: Path) -> Iterator[str]:
    """Yield the address of an agent server with feedback beside it and the agent `counting`."""
    with serving(whole_app(Config(tmp_path, data_dir=tmp_path), {"counting": counting})) as url:
        yield url


@contextmanager
def cutting(server: str, cuts: list[bytes]) -> Iterator[CuttingProxy]:
    """Run a proxy of the server in its own thread."""
    ready: Future[tuple[CuttingProxy, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        async with CuttingProxy(httpx.URL(server).port or 0, cuts).listening() as proxy:
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


STREAMED = """async ([name, options]) => {
  const seen = { parts: [], connection: [] };
  const onConnection = (state) => seen.connection.push(state);
  try {
    for await (const part of client[name]({ ...options, onConnection })) seen.parts.push(part);
  } catch (error) {
    seen.error = { name: error.name, status: error.status, message: error.message };
  }
  return seen;
}"""


def streamed(page: Page, name: str = "streamRun", **options: Any) -> Any:
    return page.evaluate(STREAMED, [name, {"assistantId": "counting", "streamMode": "custom", **options}])


def numbers(seen: Any) -> list[int]:
    return [part["data"]["n"] for part in seen["parts"] if part["event"] == "custom"]


CUTS = {
    "never": [],
    "in the data": [b'"n":3'],
    "between events": [b"id: 1-4\r\n\r\n"],
    "before the first event is whole": [b"event: meta"],
    "in the feedback event": [b'{"user_liked":"http'],
    "again and again": [b"id: 1-4\r\n", b"id: 1-7\r\n", b"event: feedback"],
}


@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS.keys())
def test_run_is_streamed_whole_across_lost_connections(agent_server: str, opened: Opened, cuts: list[bytes]) -> None:
    thread = httpx.post(f"{agent_server}/threads", json={}).json()["thread_id"]
    with cutting(agent_server, list(cuts)) as proxy, opened(proxy.url) as page:
        seen = streamed(page, url=proxy.url, threadId=thread, input={"total": 10}, feedbackKeys=KEYS)
        assert proxy.cuts == []
        urls = seen["parts"][-1]["data"]
        assert call(page, "submitFeedback", urls["user_liked"], {"score": 1})["status"] == "created"
    assert numbers(seen) == list(range(10))
    assert [seen["parts"][0]["event"], seen["parts"][-1]["event"]] == ["metadata", "feedback"]
    assert list(urls) == KEYS
    assert seen["connection"] == ["open", *["lost", "open"] * len(cuts)]
    assert "error" not in seen


def test_run_without_a_thread_is_resumed_too(agent_server: str, opened: Opened) -> None:
    with cutting(agent_server, [b'"n":3']) as proxy, opened(proxy.url) as page:
        seen = streamed(page, url=proxy.url + "/", input={"total": 10}, feedbackKeys=KEYS)
        assert numbers(seen) == list(range(10))


def test_failed_run_hands_over_urls_before_its_error(agent_server: str, opened: Opened) -> None:
    with opened(agent_server) as page:
        seen = streamed(page, url=agent_server, input={"total": 9, "fails_at": 2}, feedbackKeys=["user_liked"])
        assert [part["event"] for part in seen["parts"]][-2:] == ["feedback", "error"]
        assert seen["parts"][-1]["data"] == {"error": "ValueError", "message": "boom é <1>"}


def test_run_is_joined_where_its_reader_left_it(agent_server: str, opened: Opened) -> None:
    thread = httpx.post(f"{agent_server}/threads", json={}).json()["thread_id"]
    body = {"assistant_id": "counting", "input": {"total": 5}, "stream_mode": "custom", "feedback_keys": KEYS}
    run = httpx.post(f"{agent_server}/threads/{thread}/runs", json=body).json()["run_id"]
    with opened(agent_server) as page:
        where = {"url": agent_server, "threadId": thread, "runId": run}
        complete = streamed(page, "joinRun", **where)
        assert numbers(complete) == list(range(5))
        rest = streamed(page, "joinRun", **where, lastEventId=complete["parts"][2]["id"])
        assert rest["parts"] == complete["parts"][3:]
        fresh = call(page, "readRunFeedback", {**where, "keys": ["user_liked"]})
        assert (list(fresh["urls"]), fresh["feedback"]) == (["user_liked"], [])


def test_run_that_cannot_start_is_tried_once(agent_server: str, opened: Opened) -> None:
    with opened(agent_server) as page:
        seen = streamed(page, url=agent_server, assistantId="nobody", input={})
        assert (seen["error"]["name"], seen["error"]["status"]) == ("FeedbackError", 422)
        assert "nobody" in seen["error"]["message"]
        page.route("**/runs/stream", lambda route: route.abort("connectionreset"))
        seen = streamed(page, url=agent_server, input={"total": 1})
        assert (seen["error"]["status"], seen["connection"]) == (0, [])


def test_signal_ends_reading_and_the_run_continues(agent_server: str, opened: Opened) -> None:
    leave = """async (options) => {
      const stop = new AbortController();
      const seen = [];
      try {
        for await (const part of client.streamRun({ ...options, signal: stop.signal })) {
          seen.push(part);
          if (seen.length === 3) stop.abort(new Error("enough"));
        }
      } catch (error) {
        return { seen, said: error.message };
      }
    }"""
    given = {"url": agent_server, "assistantId": "counting", "input": {"total": 30}, "streamMode": "custom"}
    with opened(agent_server) as page:
        left = page.evaluate(leave, given)
        assert (len(left["seen"]), left["said"]) == (3, "enough")
        run = left["seen"][0]["data"]["run_id"]
        assert numbers(streamed(page, "joinRun", url=agent_server, runId=run))[-1:] == [29]
