"""React's `useStream` of the official JavaScript package, unmodified, in Chromium against a server process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, eventually
from tests.browser.frontend import Frontend
from tests.browser.site import Site
from tests.clients.server_process import ROOT, ServerProcess

Opened = Callable[[str], AbstractContextManager[Page]]

PAGE = """
import { useState } from "react";
import { createRoot } from "react-dom/client";
import { useStream } from "@langchain/langgraph-sdk/react";

const place = document.getElementById("app");
const { server, assistant } = place.dataset;
window.texts = [];

function App() {
  const [threadId, setThreadId] = useState(sessionStorage.getItem("thread"));
  const [runId, setRunId] = useState("");
  const [urls, setUrls] = useState({});
  const stream = useStream({
    apiUrl: server,
    assistantId: assistant,
    threadId,
    reconnectOnMount: true,
    onThreadId: (id) => { sessionStorage.setItem("thread", id); setThreadId(id); },
    onCreated: ({ run_id }) => setRunId(run_id),
    onCustomEvent: (data) => { if (data.feedback) setUrls(data.feedback); },
  });
  const answer = stream.messages.findLast((message) => message.type === "ai")?.content ?? "";
  if (answer && window.texts.at(-1) !== answer) window.texts.push(answer);
  const human = { type: "human", content: "Tell me a joke about databases." };
  return (
    <>
      <button onClick={() => stream.submit({ messages: [human] })}>Ask</button>
      <button onClick={() => stream.submit({ question: "why?" })}>Question</button>
      <button onClick={() => stream.submit(undefined, { command: { resume: "because" } })}>Resume</button>
      <button onClick={() => stream.stop()}>Stop</button>
      <p id="state">{stream.isLoading ? "working" : "idle"}</p>
      <p id="answer">{answer}</p>
      <p id="interrupt">{JSON.stringify(stream.interrupt?.value ?? null)}</p>
      <p id="values">{JSON.stringify(stream.values)}</p>
      <p id="urls">{JSON.stringify(urls)}</p>
      <p id="run">{runId}</p>
      <p id="thread">{threadId}</p>
      <p id="error">{String(stream.error ?? "")}</p>
    </>
  );
}

createRoot(place).render(<App />);
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server of the example's chat and of a graph that asks; it repeats feedback URLs as a `custom` event."""
    folder = tmp_path_factory.mktemp("use-stream")
    graphs = {"agent": f"{ROOT}/examples/chat.py:graph", "asking": f"{ROOT}/tests/clients/graphs.py:asking"}
    (folder / "langgraph.json").write_text(json.dumps({"graphs": graphs}))
    environ = {"AGENT_TOKEN_SECONDS": "0.1", "AGENT_SERVER_FEEDBACK_CUSTOM_EVENT": "true"}
    with ServerProcess(folder / "langgraph.json", folder, **environ) as server:
        yield server


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    return Frontend(tmp_path_factory.mktemp("page")).bundle("use-stream.tsx", PAGE)


@pytest.fixture
def opened(visit: Visit, site: Site, server: ServerProcess, script: str) -> Opened:
    """Return a function that opens the page for an assistant. A reload or a stop may cut off requests."""

    @contextmanager
    def opening(assistant: str) -> Iterator[Page]:
        place = f'<div id="app" data-server="{server.url}" data-assistant="{assistant}"></div>'
        url = site.page(place, script=script, trusted=server.url)
        with visit(url, script=True, complaints=(server.url,)) as page:
            yield page
            expect(page.locator("#error")).to_have_text("")

    return opening


def run_of(server: ServerProcess, page: Page) -> dict[str, Any]:
    """Return the run that the page has started, from the server."""
    thread_id, run_id = (eventually(page.locator(f"#{name}").inner_text) for name in ("thread", "run"))
    run: dict[str, Any] = httpx.get(f"{server.url}/threads/{thread_id}/runs/{run_id}").json()
    return run


def last_message(server: ServerProcess, page: Page) -> str:
    """Return the last message of the page's thread, from the server."""
    state = httpx.get(f"{server.url}/threads/{page.locator('#thread').inner_text()}/state").json()
    return str(state["values"]["messages"][-1]["content"])


def test_messages_stream_in_and_stay(server: ServerProcess, opened: Opened) -> None:
    with opened("agent") as page:
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("#answer")).to_have_text(eventually_ended(server, page))
        texts = page.evaluate("window.texts")
        assert len(texts) > 3
        assert all(later.startswith(earlier) for earlier, later in pairwise(texts))


def eventually_ended(server: ServerProcess, page: Page) -> str:
    """Wait for the run's end and return the answer."""
    eventually(lambda: run_of(server, page)["status"] == "success")
    expect(page.locator("#state")).to_have_text("idle")
    return last_message(server, page)


def test_interrupt_is_shown_and_resumed(opened: Opened) -> None:
    with opened("asking") as page:
        page.get_by_role("button", name="Question").click()
        expect(page.locator("#interrupt")).to_have_text('{"question":"why?"}')
        expect(page.locator("#state")).to_have_text("idle")
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("#values")).to_have_text('{"question":"why?","answer":"because"}')
        expect(page.locator("#interrupt")).to_have_text("null")


def test_reloaded_page_rejoins_the_run(server: ServerProcess, opened: Opened) -> None:
    with opened("agent") as page:
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("#answer")).not_to_be_empty()
        begun = run_of(server, page)
        assert begun["status"] == "running"
        page.reload()
        expect(page.locator("#state")).to_have_text("working")
        expect(page.locator("#answer")).not_to_be_empty()
        run_path = f"{server.url}/threads/{begun['thread_id']}/runs"
        eventually(lambda: httpx.get(f"{run_path}/{begun['run_id']}").json()["status"] == "success")
        expect(page.locator("#answer")).to_have_text(last_message(server, page))
        assert len(page.evaluate("window.texts")) > 1  # it arrived piece by piece after the reload, too
        assert len(httpx.get(run_path).json()) == 1


def test_stop_ends_the_run_on_the_server(server: ServerProcess, opened: Opened) -> None:
    with opened("agent") as page:
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("#answer")).not_to_be_empty()
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#state")).to_have_text("idle")
        eventually(lambda: run_of(server, page)["status"] == "interrupted")


def test_custom_event_brings_urls_and_run_feedback_more(server: ServerProcess, opened: Opened) -> None:
    """The hook ignores `feedbackKeys` and the `feedback` event; the assistant's keys and the repeated event work."""
    body = {"graph_id": "agent", "metadata": {"feedback_keys": ["user_liked"]}}
    assistant = httpx.post(f"{server.url}/assistants", json=body).json()["assistant_id"]
    with opened(assistant) as page:
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("#urls")).to_contain_text("user_liked", timeout=30_000)
        url = json.loads(page.locator("#urls").inner_text())["user_liked"]
        run = run_of(server, page)
        post = (
            "([url, body]) => fetch(url, { method: 'POST', body: JSON.stringify(body) }).then(answer => answer.status)"
        )
        assert page.evaluate(post, [url, {"score": 1}]) == 200
        path = f"{server.url}/threads/{run['thread_id']}/runs/{run['run_id']}/feedback"
        received = page.evaluate("url => fetch(url).then(answer => answer.json())", path)
        assert [(one["key"], one["score"]) for one in received["feedback"]] == [("user_liked", 1)]
        assert page.evaluate(post, [received["urls"]["user_liked"], {"score": 0}]) == 200
