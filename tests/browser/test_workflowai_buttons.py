"""WorkflowAI's feedback buttons, with the token of a run: the element, and its React component."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.axe import check_accessible
from tests.browser.conftest import Visit, eventually
from tests.browser.frontend import Frontend
from tests.browser.site import Site
from tests.clients.server_process import ServerProcess
from tests.clients.test_workflowai_runs import CONFIG

REACT = """
import { createRoot } from "react-dom/client";
import { FeedbackButtons, getFeedback, sendFeedback } from "./react/feedback/workflowai-react.js";

const { server, token } = document.getElementById("app").dataset;
window.workflowai = { get: (userID) => getFeedback({ feedbackToken: token, userID, server }),
  send: (outcome, userID) => sendFeedback({ feedbackToken: token, outcome, userID, server }) };
createRoot(document.getElementById("app")).render(
  <FeedbackButtons feedbackToken={token} userID="ada" className="thumbs" server={server} />,
);
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(CONFIG, tmp_path_factory.mktemp("workflowai")) as server:
        yield server


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Frontend:
    return Frontend(tmp_path_factory.mktemp("frontend"))


def ran(server: ServerProcess) -> dict[str, Any]:
    body = {"task_input": {"text": "hi"}, "version": "production"}
    run: dict[str, Any] = httpx.post(f"{server.url}/v1/_/agents/growing/schemas/1/run", json=body).json()
    return run


def outcomes(server: ServerProcess, run: dict[str, Any]) -> list[tuple[str, str | None, str | None]]:
    page = httpx.get(f"{server.url}/v1/_/agents/growing/runs/{run['id']}/feedback").json()
    return [(item["outcome"], item["comment"], item["user_id"]) for item in page["items"]]


def test_element_submits_changes_and_withdraws_feedback(server: ServerProcess, visit: Visit, site: Site) -> None:
    run = ran(server)
    body = (
        f'<feedback-buttons feedback-token="{run["feedback_token"]}" user-id="ada" reasons="Wrong"></feedback-buttons>'
    )
    script = f"await import('{server.url}/feedback/feedback-buttons.js')"
    with visit(site.page(body, script=script, trusted=server.url), script=True) as page:
        page.get_by_role("button", name="Good answer").click()
        expect(page.get_by_role("status")).to_have_text("Thank you.")
        assert outcomes(server, run) == [("positive", None, "ada")]
        page.reload()
        expect(page.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Bad answer").click()
        eventually(lambda: outcomes(server, run) == [("negative", None, "ada")])
        page.get_by_role("button", name="Wrong").click()
        page.get_by_label("Anything to add?").fill("Too short.")
        check_accessible(page)
        page.get_by_role("button", name="Send").click()
        eventually(lambda: outcomes(server, run) == [("negative", "Wrong\nToo short.", "ada")])
        page.reload()
        expect(page.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Bad answer").click()
        eventually(lambda: outcomes(server, run) == [])


def test_react_component_votes_once_for_each_user(
    server: ServerProcess, frontend: Frontend, visit: Visit, site: Site
) -> None:
    run = ran(server)
    body = f'<div id="app" data-server="{server.url}" data-token="{run["feedback_token"]}"></div>'
    url = site.page(body, script=frontend.bundle("workflowai.tsx", REACT), trusted=server.url)
    with visit(url, script=True) as page:
        page.get_by_role("button", name="Good answer").click()
        expect(page.get_by_role("status")).to_have_text("Thank you.")
        expect(page.locator(".thumbs")).to_have_count(1)
        page.evaluate("workflowai.send('negative')")
        page.evaluate("workflowai.send('positive')")
        assert page.evaluate("Promise.all(['ada', undefined, 'ben'].map(workflowai.get))") == [
            "positive",
            "positive",
            None,
        ]
        page.reload()
        expect(page.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Bad answer").click()
        eventually(lambda: ("negative", None, "ada") in outcomes(server, run))
        assert sorted(outcomes(server, run), key=str) == [("negative", None, "ada"), ("positive", None, None)]
        wrong = page.evaluate("workflowai.send('meh').catch((error) => error.message)")
        assert "must be" in wrong


def test_forged_token_is_explained(server: ServerProcess, visit: Visit, site: Site) -> None:
    body = '<feedback-buttons feedback-token="forged"></feedback-buttons>'
    script = f"await import('{server.url}/feedback/feedback-buttons.js')"
    url = site.page(body, script=script, trusted=server.url)
    with visit(url, script=True, complaints=("Failed to load resource", "/v1/feedback")) as page:
        page.get_by_role("button", name="Good answer").click()
        expect(page.get_by_role("status")).to_contain_text("The server does not accept this feedback")
