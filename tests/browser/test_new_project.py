"""The project that `agent-server new` writes, served as its README says, in Chromium."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
from playwright.sync_api import expect

from tests.agent_server.cli.dev_process import dev, environ
from tests.browser.conftest import Visit, eventually


def test_thumb_of_the_new_project_is_stored(visit: Visit, tmp_path: Path) -> None:
    project = tmp_path / "project"
    command = [sys.executable, "-m", "agent_server", "new", str(project)]
    subprocess.run(command, env=environ(), check=True, capture_output=True, timeout=60)
    with dev(project, "--no-reload", "--port", "0") as server:
        url = server.url
        with visit(f"{url}/", script=True) as page:
            page.get_by_role("button", name="Ask").click()
            expect(page.get_by_text("You said: What can you do?")).to_be_visible()
            page.get_by_role("button", name="Good").click()
            expect(page.get_by_role("button", name="Good")).to_have_attribute("aria-pressed", "true")
            eventually(lambda: [one["score"] for one in httpx.get(f"{url}/api/v1/feedback").json()] == [1])
