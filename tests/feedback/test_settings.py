"""Feedback reads its settings from the environment, beside an agent server and alone."""

from __future__ import annotations

import importlib
from datetime import timedelta
from pathlib import Path

import pytest
from litestar.testing import AsyncTestClient

from agent_server.composition import build_feedback
from agent_server.config import Config, ConfigError
from feedback import FeedbackSettings, Limits, Links, RateLimit
from feedback.settings import SHARED, VARIABLES
from tests.feedback.conftest import RUN, mint

BROWSER = {"Accept": "text/html", "User-Agent": "Mozilla/5.0"}


def test_nothing_given_is_the_defaults() -> None:
    assert FeedbackSettings.load({}) == FeedbackSettings()
    assert FeedbackSettings.load(dict.fromkeys([*VARIABLES, *SHARED], "")) == FeedbackSettings()


def test_documented_defaults_match_the_code() -> None:
    given = {name: default for name, (_, _, default, _) in {**VARIABLES, **SHARED}.items()}
    assert FeedbackSettings.load(given) == FeedbackSettings()


def test_every_variable_is_read() -> None:
    settings = FeedbackSettings.load(
        {
            "AGENT_SERVER_PUBLIC_URL": "https://feedback.example/x/",
            "AGENT_SERVER_TRUST_FORWARDED": "yes",
            "AGENT_SERVER_FEEDBACK_EXPIRY": "60.5",
            "AGENT_SERVER_FEEDBACK_LINKS": "Confirm",
            "AGENT_SERVER_FEEDBACK_KEY_LINKS": "nps=direct, odd=key=auto",
            "AGENT_SERVER_FEEDBACK_REDIRECTS": "https://a.example,http://localhost:3000",
            "AGENT_SERVER_FEEDBACK_SECRET": "a secret of some length",
            "AGENT_SERVER_FEEDBACK_WEBHOOKS": "https://hook.example/",
            "AGENT_SERVER_FEEDBACK_WEBHOOK_SECRET": "whsec_x",
            "AGENT_SERVER_FEEDBACK_ALERTS": "thumbs worse",
            "AGENT_SERVER_FEEDBACK_OTEL": "true",
            "AGENT_SERVER_FEEDBACK_OTEL_COMMENTS": "1",
            "AGENT_SERVER_FEEDBACK_TOKEN_LIMIT": "OFF",
            "AGENT_SERVER_FEEDBACK_ADDRESS_LIMIT": "7/60",
            "AGENT_SERVER_FEEDBACK_MINT_LIMIT": "8/60",
            "AGENT_SERVER_FEEDBACK_PROXIES": "10.0.0.0/8",
            "AGENT_SERVER_FEEDBACK_RUN_TOKEN_EXPIRY": "5",
        }
    )
    assert settings == FeedbackSettings(
        public_url="https://feedback.example/x",
        trust_forwarded=True,
        default_expiry=timedelta(seconds=60.5),
        run_token_expiry=timedelta(seconds=5),
        secret="a secret of some length",
        links=Links("confirm", {"nps": "direct", "odd=key": "auto"}, ("https://a.example", "http://localhost:3000")),
        limits=Limits(None, RateLimit(7, 60), ("10.0.0.0/8",), RateLimit(8, 60)),
        webhooks=("https://hook.example/",),
        webhook_secret="whsec_x",
        alerts="thumbs worse",
        otel=True,
        otel_comments=True,
    )


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("EXPIRY", "0", "a number of seconds greater than 0"),
        ("EXPIRY", "inf", "a number of seconds greater than 0"),
        ("LINKS", "never", "confirm or auto or direct"),
        ("KEY_LINKS", "nps", "nps=auto"),
        ("REDIRECTS", "https://a.example/path", "without a path"),
        ("OTEL", "maybe", "true or false"),
        ("TOKEN_LIMIT", "0/60", "300/60, or off"),
        ("PROXIES", "somewhere", "10.0.0.0/8"),
        ("RUN_TOKEN_EXPIRY", "1.5", "a whole number from 1"),
        ("ALERTS", "thumbs are bad", "thumbs"),
        ("SECRET", "short", "at least 16"),
    ],
)
def test_wrong_variable_is_named(tmp_path: Path, name: str, value: str, right: str) -> None:
    variable = f"AGENT_SERVER_FEEDBACK_{name}"
    with pytest.raises(ConfigError, match=right) as raised:
        build_feedback(Config.load(None, {variable: value, "AGENT_SERVER_DATA_DIR": str(tmp_path)}))
    if name not in ("ALERTS", "SECRET"):  # these two are checked where they are used
        assert variable in str(raised.value)


async def test_feedback_alone_reads_the_same_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_DATA", str(tmp_path / "import"))
    monkeypatch.setenv("AGENT_SERVER_PUBLIC_URL", "https://feedback.example")
    monkeypatch.setenv("AGENT_SERVER_FEEDBACK_LINKS", "direct")
    example = importlib.import_module("examples.feedback_alone")
    async with AsyncTestClient(example.create_app(tmp_path)) as client:
        minted = await client.post("/feedback/tokens", json={"run_id": RUN, "feedback_key": "k"})
        assert minted.json()["url"].startswith("https://feedback.example/api/v1/feedback/tokens/")
        assert "Thank" in (await client.get(f"{await mint(client)}?score=1", headers=BROWSER)).text
