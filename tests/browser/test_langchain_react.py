"""`useStream` of `@langchain/react`, the second generation, unmodified, in Chromium: it receives the feedback URLs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.frontend import Frontend
from tests.browser.site import Site
from tests.clients.server_process import ROOT, ServerProcess

README = ROOT / "agent_server" / "protocols" / "README.md"
HOOK = """
  const stream = useStream({ apiUrl: server, assistantId: assistant });
  const urls = useExtension(stream, "feedback");
"""
PAGE = """
import { useExtension, useStream } from "@langchain/react";
import { createRoot } from "react-dom/client";

const place = document.getElementById("app");
const server = place.dataset.server;
const assistant = place.dataset.assistant;

function App() {
HOOK
  const ask = () => stream.submit({ messages: [{ type: "human", content: "Tell me a joke." }] });
  return (
    <>
      <button onClick={ask}>Ask</button>
      <p id="state">{stream.isLoading ? "working" : "idle"}</p>
      <p id="answer">{String(stream.messages.at(-1)?.content ?? "")}</p>
      <p id="urls">{JSON.stringify(urls ?? {})}</p>
      <p id="error">{String(stream.error ?? "")}</p>
    </>
  );
}

createRoot(place).render(<App />);
""".replace("HOOK", HOOK)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server of the example's chat with the default settings."""
    folder = tmp_path_factory.mktemp("langchain-react")
    (folder / "langgraph.json").write_text(json.dumps({"graphs": {"agent": f"{ROOT}/examples/chat.py:graph"}}))
    with ServerProcess(folder / "langgraph.json", folder) as server:
        yield server


def test_feedback_urls_come_as_an_extension(
    tmp_path_factory: pytest.TempPathFactory, server: ServerProcess, visit: Visit, site: Site
) -> None:
    script = Frontend(tmp_path_factory.mktemp("page")).bundle("langchain-react.jsx", PAGE)
    body = {"graph_id": "agent", "metadata": {"feedback_keys": ["user_liked"]}}
    assistant = httpx.post(f"{server.url}/assistants", json=body).json()["assistant_id"]
    place = f'<div id="app" data-server="{server.url}" data-assistant="{assistant}"></div>'
    with visit(site.page(place, script=script, trusted=server.url), script=True, complaints=(server.url,)) as page:
        first = ""
        for _ in range(2):  # the second run of the thread has its own URLs
            page.get_by_role("button", name="Ask").click()
            expect(page.locator("#urls")).to_contain_text("user_liked", timeout=30_000)
            expect(page.locator("#urls")).not_to_have_text(first, timeout=30_000)
            first = page.locator("#urls").inner_text()
            expect(page.locator("#state")).to_have_text("idle")
            url = json.loads(first)["user_liked"]
            assert httpx.post(url, json={"score": 1}).status_code == 200
        expect(page.locator("#answer")).not_to_be_empty()
        expect(page.locator("#error")).to_have_text("")
    assert HOOK in README.read_text(encoding="utf-8")
