"""The MCP App with the buttons in Chromium, in the sandboxed frame of the official package's host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit, eventually
from tests.browser.frontend import Frontend
from tests.browser.site import Site
from tests.clients.server_process import EXAMPLE, ServerProcess

FEEDBACK = "dev.agent-server/feedback"
APP = "ui://agent-server/feedback"
HOST = """
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

const { html, result } = __SHOWN__;
const frame = document.createElement("iframe");
frame.sandbox = "allow-scripts";
document.querySelector("main").append(frame);
const hostContext = { locale: "de-AT", theme: "dark" };
const bridge = new AppBridge(null, { name: "host", version: "1" }, {}, { hostContext });
window.changeLocale = (locale) => bridge.setHostContext({ ...hostContext, locale });
bridge.oninitialized = async () => {
  await bridge.sendToolInput({ arguments: {} });
  await bridge.sendToolResult(result);
};
await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
frame.srcdoc = html;
"""
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' {resources}; style-src 'unsafe-inline'; "
    "connect-src 'self' {connects}; img-src data:"
)
"""The policy that SEP-1865 derives from a resource's `csp`; a frame with `srcdoc` has its page's policy."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(EXAMPLE, tmp_path_factory.mktemp("mcp-app"), AGENT_TOKEN_SECONDS="0.001") as server:
        yield server


def mcp(server: ServerProcess, method: str, params: dict[str, Any]) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    result: dict[str, Any] = httpx.post(f"{server.url}/mcp", json=body, timeout=30).json()["result"]
    return result


def test_thumb_in_an_mcp_host_is_stored(
    server: ServerProcess, site: Site, visit: Visit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    meta = {FEEDBACK: {"keys": ["user_liked", "user_disliked", "helpful"]}}
    body = {"name": "agent", "arguments": {"messages": "Tell me a joke."}, "_meta": meta}
    result = mcp(server, "tools/call", body)
    [page] = mcp(server, "resources/read", {"uri": APP})["contents"]
    shown = json.dumps({"html": page["text"], "result": result}).replace("</", "<\\/")
    script = Frontend(tmp_path_factory.mktemp("host")).bundle("host.ts", HOST.replace("__SHOWN__", shown))
    url = site.page("", script=script)
    csp = page["_meta"]["ui"]["csp"]
    site.policy = POLICY.format(resources=" ".join(csp["resourceDomains"]), connects=" ".join(csp["connectDomains"]))
    with visit(url, script=True) as host:
        thumbs = host.frame_locator("iframe").locator("feedback-buttons")
        expect(thumbs).to_have_count(2)
        scheme = "one => getComputedStyle(one).colorScheme"
        assert host.frame_locator("iframe").locator("html").evaluate(scheme) == "dark"
        thumbs.first.get_by_role("button", name="Gute Antwort").click()
        expect(thumbs.first.get_by_role("status")).to_have_text("Vielen Dank.")
        host.evaluate("changeLocale('ja')")
        expect(thumbs.first.get_by_role("button", name="良い回答", exact=True)).to_be_visible()
        run_id = result["_meta"][FEEDBACK]["run_id"]
        stored: list[Any] = []

        def is_stored() -> bool:
            stored[:] = httpx.get(f"{server.url}/runs/{run_id}/feedback").json()["feedback"]
            return bool(stored)

        eventually(is_stored)
    assert [(one["key"], one["score"]) for one in stored] == [("user_liked", 1)]
