"""The effect of a GET of a feedback URL in the application with both packages, by its settings."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from litestar.testing import AsyncTestClient

from agent_server.composition import build
from agent_server.config import Config, ConfigError

BROWSER = {"Accept": "text/html,*/*;q=0.8", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
PROGRAM = {"Accept": "*/*", "User-Agent": "curl/8.5.0"}
OPEN = {"AGENT_SERVER_ALLOW_ANYONE": "true"}


@pytest.mark.parametrize(("mode", "stored"), [("confirm", 0), ("auto", 1), ("direct", 2), ("", 1)])
async def test_environment_sets_the_link_mode(tmp_path: Path, mode: str, stored: int) -> None:
    environ = {"AGENT_SERVER_DATA_DIR": str(tmp_path), "AGENT_SERVER_FEEDBACK_LINKS": mode} | OPEN
    run = str(uuid.uuid4())
    async with AsyncTestClient(build(Config.load(None, environ))) as client:
        minted = await client.post("/feedback/tokens", json={"run_id": run, "feedback_key": "k"})
        for headers in (BROWSER, PROGRAM):
            assert (await client.get(minted.json()["url"] + "?score=1", headers=headers)).status_code == 200
        assert len((await client.get("/feedback", params={"run": run})).json()) == stored


async def test_environment_says_where_pages_may_lead_on_to(tmp_path: Path) -> None:
    environ = {
        "AGENT_SERVER_DATA_DIR": str(tmp_path),
        "AGENT_SERVER_FEEDBACK_REDIRECTS": "https://a.example, https://b.example:8443",
        **OPEN,
    }
    async with AsyncTestClient(build(Config.load(None, environ))) as client:
        minted = await client.post("/feedback/tokens", json={"run_id": str(uuid.uuid4()), "feedback_key": "k"})
        for address, leads in (("https://b.example:8443/x", True), ("https://c.example/", False)):
            form = {"score": "1", "redirect": address}
            thanked = await client.post(minted.json()["url"], data=form, headers=BROWSER)
            assert (thanked.status_code, "Continue to" in thanked.text) == (200, leads)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LINKS", "always"),
        ("REDIRECTS", "shop.example"),
        ("REDIRECTS", "https://shop.example/path"),
        ("REDIRECTS", "https://a@b"),
    ],
)
def test_wrong_setting_is_refused_at_start(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"AGENT_SERVER_FEEDBACK_{variable}"):
        build(Config.load(None, {f"AGENT_SERVER_FEEDBACK_{variable}": value}))
