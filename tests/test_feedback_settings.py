"""Limits, alerts and webhooks of feedback in the application with both packages, set by the environment."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from click.testing import CliRunner
from litestar import Litestar

from agent_server.__main__ import main
from agent_server.composition import build
from agent_server.config import Config, ConfigError
from feedback import FeedbackPlugin
from tests.feedback.delivery.test_opentelemetry import Collector, collector
from tests.feedback.delivery.test_webhooks import SECRET, until
from tests.feedback.reports.test_alerts import scored
from tests.feedback.stored_feedback import insert

__all__ = ["collector"]
PROGRAM = {"Accept": "application/json", "User-Agent": "curl/8.5.0"}


@asynccontextmanager
async def serving(tmp_path: Path, **variables: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client at another address than the server's."""
    environ = {"AGENT_SERVER_DATA_DIR": str(tmp_path)}
    environ |= {f"AGENT_SERVER_{name.upper()}": value for name, value in variables.items()}
    app = build(Config.load(None, environ))
    transport = httpx.ASGITransport(app, client=("203.0.113.7", 1))
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://a.test") as client:
        yield client


async def minted(client: httpx.AsyncClient, key: str = "k") -> str:
    """Mint and return a URL for a new run."""
    return (await feedback_in(client).urls_for_run(str(uuid.uuid4()), [key], "http://a.test"))[key]


def feedback_in(client: httpx.AsyncClient) -> FeedbackPlugin:
    app: Litestar = client._transport.app  # type: ignore[attr-defined]  # the transport that `serving` made
    return app.plugins.get(FeedbackPlugin)


async def test_environment_limits_submissions(tmp_path: Path) -> None:
    async with serving(tmp_path, feedback_token_limit="2/600", feedback_address_limit="off") as client:
        url = await minted(client)
        statuses = [(await client.post(url, json={"score": 1})).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
    async with serving(tmp_path, feedback_token_limit="off", feedback_address_limit="2/600") as client:
        url = await minted(client)
        refused = [await client.post(url, json={"score": 1}) for _ in range(3)][-1]
        assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)


async def test_environment_names_the_proxies_in_front(tmp_path: Path) -> None:
    limits = {"feedback_token_limit": "off", "feedback_address_limit": "1/600", "trust_forwarded": "true"}
    async with serving(tmp_path, **limits, feedback_proxies="198.51.100.0/24") as client:
        for visitor in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
            client.headers["X-Forwarded-For"] = f"{visitor}, 198.51.100.9"
            assert (await client.post(await minted(client), json={"score": 1})).status_code == 200


async def test_environment_sets_link_modes_for_single_keys(tmp_path: Path) -> None:
    links = {"feedback_links": "confirm", "feedback_key_links": "nps=direct, odd=key=auto"}
    async with serving(tmp_path, **links) as client:
        stored = [
            (await client.get(await minted(client, key) + "?score=1", headers=PROGRAM)).json().get("status")
            for key in ("nps", "odd=key", "other")
        ]
    assert stored == ["created", "created", None]


async def test_environment_configures_opentelemetry(tmp_path: Path, collector: Collector) -> None:
    received = {"feedback_otel": "true", "feedback_otel_comments": "true"}
    async with serving(tmp_path, **received) as client:
        await client.post(await minted(client), json={"score": 1, "comment": "Nice."})
        await until(lambda: collector.received)
    assert collector.attributes[0]["gen_ai.evaluation.explanation"] == "Nice."


async def test_environment_sets_the_lifetime_of_run_tokens(tmp_path: Path) -> None:
    async with serving(tmp_path, feedback_run_token_expiry="1") as client:
        outcome = {"feedback_token": feedback_in(client).token_for_run(str(uuid.uuid4())), "outcome": "positive"}
        assert (await client.post("/v1/feedback", json=outcome)).status_code == 200
        await asyncio.sleep(1.1)
        assert (await client.post("/v1/feedback", json=outcome)).status_code == 410


def test_command_line_shows_alerts_and_undelivered_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AGENT_SERVER_", "DATABASE_URL"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    rule = "thumbs below 0.7 in 24h of 20"
    monkeypatch.setenv("AGENT_SERVER_FEEDBACK_ALERTS", f"{rule}, nps worse")
    monkeypatch.setenv("AGENT_SERVER_FEEDBACK_WEBHOOKS", "http://127.0.0.1:9/hook?secret=1")
    monkeypatch.setenv("AGENT_SERVER_FEEDBACK_WEBHOOK_SECRET", SECRET)

    async def fill() -> None:
        config = Config.load(None, os.environ)
        feedback = build(config).plugins.get(FeedbackPlugin)
        async with feedback.open():
            await feedback.webhooks.register()
            await insert(feedback, scored(2, 18))
            await feedback.alerts.look()
            feedback.webhooks.retries = ()
            async with httpx.AsyncClient() as client:
                await feedback.webhooks.deliver(client)

    asyncio.run(fill())
    head, *lines = command("alerts").splitlines()
    columns = ["alert", "assistant", "state", "since", "scores", "figure", "difference", "from", "to", "note"]
    assert head.split() == columns
    assert [("fires" in line, line.startswith(rule)) for line in lines] == [(True, True), (False, False)]
    [fires, quiet] = msgspec.json.decode(command("alerts", "--json"))
    assert (fires["id"], fires["firing"], fires["finding"]["scores"]) == (rule, True, 20)
    assert (quiet["id"], quiet["firing"]) == ("nps worse in 7d of 20", False)
    [stuck] = msgspec.json.decode(command("outbox", "--json"))
    assert (stuck["type"], stuck["to"], stuck["error"]) == ("feedback.alert", "http://127.0.0.1:9", "ConnectError")
    assert stuck["given_up_at"]
    table = command("outbox", "--retry")
    assert "feedback.alert" in table
    assert "secret" not in table
    assert msgspec.json.decode(command("outbox", "--json"))[0]["given_up_at"] is None


def command(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["feedback", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("TOKEN_LIMIT", "300", "such as 300/60, or off"),
        ("ADDRESS_LIMIT", "0/60", "such as 300/60, or off"),
        ("PROXIES", "my-proxy", "an address such as"),
        ("KEY_LINKS", "nps=always", "one of confirm, auto and direct"),
        ("KEY_LINKS", "nps", "one of confirm, auto and direct"),
        ("RUN_TOKEN_EXPIRY", "0", "a whole number"),
        ("OTEL", "perhaps", "true or false"),
        ("ALERTS", "thumbs", "is no alert rule; write one such as"),
    ],
)
def test_wrong_setting_is_refused_with_the_right_form(variable: str, value: str, message: str) -> None:
    name = f"AGENT_SERVER_FEEDBACK_{variable}"
    with pytest.raises(ConfigError, match=f"{name}.*{message}"):
        build(Config.load(None, {name: value}))
