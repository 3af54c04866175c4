"""The examples for React, assistant-ui and CopilotKit: their types, and their behaviour in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import check_accessible
from tests.browser.conftest import Visit, eventually
from tests.browser.frontend import Frontend
from tests.browser.site import Site
from tests.clients.server_process import EXAMPLE, ServerProcess

KEYS = ["user_liked", "user_disliked"]
MISTAKES = """
import { assistantUiFeedback } from "./react/feedback/feedback-adapters.js";
import { submitFeedback, streamRun } from "./react/feedback/feedback-client.js";
import type {} from "./react/feedback/feedback-react.js";
import { submitFeedback as submitThumb, tokenSource } from "./react/feedback/feedback-tokens.js";
import { FeedbackButtons, getFeedback, sendFeedback } from "./react/feedback/workflowai-react.js";

export async function workflowai(token: string) {
  await submitThumb(tokenSource(token), { score: 1 }, { userId: "ada" });
  await sendFeedback({ feedbackToken: token, outcome: "positive", comment: "nice", userID: "ada" });
  // @ts-expect-error  no such outcome
  await sendFeedback({ feedbackToken: token, outcome: "good" });
  const outcome: "positive" | "negative" | null = await getFeedback({ feedbackToken: token });
  console.log(outcome);
  // @ts-expect-error  a token is needed
  const without = <FeedbackButtons userID="ada" />;
  return [without, <FeedbackButtons feedbackToken={token} userID="ada" className="thumbs" />];
}

export async function mistakes() {
  // @ts-expect-error  an answer's score is no text
  await submitFeedback("https://a.example", { score: "good" });
  for await (const part of streamRun({ assistantId: "agent" })) {
    if (part.event === "feedback") {
      const url: string = part.data.user_liked;
      // @ts-expect-error  a URL is no number
      const number: number = part.data.user_liked;
      console.log(url, number);
    }
  }
  // @ts-expect-error  messages have an id
  assistantUiFeedback<{ text: string }>({ urlsOf: () => undefined });
  const buttons = document.querySelector("feedback-buttons");
  buttons?.addEventListener("feedback-error", (event) => event.detail.error.retryAfter);
  // @ts-expect-error  there is no such detail
  buttons?.addEventListener("feedback-error", (event) => event.detail.reason);
  // @ts-expect-error  hearts are no type of buttons
  return <feedback-buttons src="https://a.example" type="hearts" />;
}
"""


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Frontend:
    return Frontend(tmp_path_factory.mktemp("frontend"))


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server of the example agents."""
    with ServerProcess(EXAMPLE, tmp_path_factory.mktemp("example"), AGENT_TOKEN_SECONDS="0.002") as server:
        yield server


@contextmanager
def shown(visit: Visit, site: Site, server: ServerProcess, script: str, body: str = "") -> Iterator[Page]:
    """Open a page with the bundle, which may call the server."""
    url = site.page(body, script=script, trusted=server.url)
    with visit(url, script=True) as page:
        yield page


def stored(server: ServerProcess, run_id: str | None = None) -> dict[str, tuple[Any, Any]]:
    """Return score and comment by feedback key: of one run, or of the only one with feedback."""
    rows = httpx.get(f"{server.url}/feedback", params={"run": run_id} if run_id else {}).json()
    return {row["key"]: (row["score"], row["comment"]) for row in rows}


def test_types_are_right_and_refuse_what_is_wrong(frontend: Frontend) -> None:
    (frontend.folder / "mistakes.tsx").write_text(MISTAKES)
    assert frontend.wrong_types() == ""


def test_react_page_streams_and_stores_the_vote(
    frontend: Frontend, example: ServerProcess, visit: Visit, site: Site
) -> None:
    place = f'<div id="app" data-server="{example.url}"></div>'
    with shown(visit, site, example, frontend.bundle("react/app.tsx"), place) as page:
        page.get_by_role("button", name="Ask").click()
        page.get_by_role("button", name="Bad answer").click()
        expect(page.get_by_role("status")).to_have_text("Thank you.")
        page.get_by_role("button", name="Heard it before").click()
        page.get_by_label("Anything to add?").fill("Old one.")
        check_accessible(page)
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("status")).to_have_text("Thank you. Your comment is saved.")
        assert len(page.get_by_role("region", name="Answer").inner_text()) > 20
        assert stored(example) == {"user_disliked": (1, "Old one.")}
        page.get_by_role("button", name="Bad answer").click()
        expect(page.get_by_role("status")).to_have_text("Your feedback was removed.")
        page.get_by_role("button", name="Ask").click()
        expect(page.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "false")


ASSISTANT_UI = """
import { LocalRuntimeCore } from "@assistant-ui/core/internal";
import { agent, feedback } from "./assistant-ui/feedback-adapter";

const runtime = new LocalRuntimeCore({ adapters: { chatModel: agent("SERVER"), feedback } }, undefined);
const thread = runtime.threads.getMainThreadRuntimeCore();

window.ask = async (text) => {
  await thread.append({ role: "user", content: [{ type: "text", text }], attachments: [], metadata: { custom: {} },
    createdAt: new Date(), parentId: null, sourceId: null, runConfig: undefined });
  const { id, content, metadata } = thread.messages.at(-1);
  return { id, text: content[0].text, urls: metadata.custom.feedback };
};
window.vote = (messageId, type, comment) => {
  thread.submitFeedback({ messageId, type, comment });
  return thread.messages.at(-1).metadata.submittedFeedback;
};
document.body.id = "ready";
"""


def test_assistant_ui_runs_the_agent_and_stores_thumbs(
    frontend: Frontend, example: ServerProcess, visit: Visit, site: Site
) -> None:
    script = frontend.bundle("assistant.js", ASSISTANT_UI.replace("SERVER", example.url))
    with shown(visit, site, example, script) as page:
        page.locator("#ready").wait_for()
        message = page.evaluate("ask('Tell me a joke.')")
        assert len(message["text"]) > 20
        assert list(message["urls"]) == KEYS
        assert page.evaluate("(id) => vote(id, 'positive')", message["id"]) == {"type": "positive"}
        eventually(lambda: stored(example) == {"user_liked": (1, None)})
        page.evaluate("(id) => vote(id, 'negative', 'Groan.')", message["id"])
        eventually(lambda: stored(example) == {"user_disliked": (1, "Groan.")})


COPILOTKIT = """
import { LangGraphAgent } from "@ag-ui/langgraph";
import { thumbsOf } from "./copilotkit/thumbs";
import { copilotKitFeedback } from "./copilotkit/feedback/feedback-adapters.js";

const agent = new LangGraphAgent({ deploymentUrl: "SERVER", graphId: "agent", threadId: "THREAD" });
window.thumbs = thumbsOf(agent);
window.ask = async (id) => {
  agent.addMessage({ id, role: "user", content: "Tell me a joke." });
  await agent.runAgent({ forwardedProps: { feedbackKeys: ["user_liked", "user_disliked"] } });
  return agent.messages.at(-1);
};
window.oneKey = (urls) => copilotKitFeedback({
  urlsOf: () => urls, positiveKey: "user_score", negativeKey: "user_score",
  onError: (error) => { window.failed = error.message },
});
document.body.id = "ready";
"""


def test_copilotkits_thumbs_reach_their_run(
    frontend: Frontend, example: ServerProcess, visit: Visit, site: Site
) -> None:
    """Uses AG-UI's adapter for LangGraph, unmodified, as CopilotKit's runtime does."""
    thread = httpx.post(f"{example.url}/threads", json={}).json()["thread_id"]  # the adapter's first request needs it
    script = frontend.bundle("copilot.js", COPILOTKIT.replace("SERVER", example.url).replace("THREAD", thread))
    with shown(visit, site, example, script) as page:
        page.locator("#ready").wait_for()
        first, second = page.evaluate("ask('q1')"), page.evaluate("ask('q2')")
        assert (first["role"], len(first["content"]) > 20, first["id"] != second["id"]) == ("assistant", True, True)
        runs = [run["run_id"] for run in httpx.get(f"{example.url}/threads/{thread}/runs").json()]
        page.evaluate("(message) => thumbs.onThumbsUp(message)", first)
        eventually(lambda: stored(example, runs[1]) == {"user_liked": (1, None)})
        page.evaluate("(message) => thumbs.onThumbsDown(message, true)", second)
        eventually(lambda: stored(example, runs[0]) == {"user_disliked": (1, None)})
        page.evaluate("(message) => thumbs.onThumbsDown(message, false)", second)
        eventually(lambda: stored(example, runs[0]) == {})


def test_copilotkits_thumbs_share_one_key(frontend: Frontend, example: ServerProcess, visit: Visit, site: Site) -> None:
    body = {"assistant_id": "plain", "input": {"text": "hi"}, "feedback_keys": ["user_score"]}
    ran = httpx.post(f"{example.url}/runs/wait", json=body)
    run = ran.headers["content-location"].rpartition("/")[2]
    script = COPILOTKIT.replace("SERVER", example.url).replace("THREAD", str(uuid4()))
    with shown(visit, site, example, frontend.bundle("one_key.js", script)) as page:
        page.locator("#ready").wait_for()
        page.evaluate("(urls) => oneKey(urls).onThumbsDown({ id: 'm1' })", ran.json()["__feedback__"])
        eventually(lambda: stored(example, run) == {"user_score": (0, None)})
        page.evaluate("oneKey({}).onThumbsUp({ id: 'm2' })")
        assert "user_score" in eventually(lambda: page.evaluate("window.failed"))
