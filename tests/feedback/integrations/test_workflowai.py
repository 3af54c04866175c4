"""WorkflowAI's API: its official client, unmodified, and cases that WorkflowAI's own server gets wrong."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from workflowai import WorkflowAI, WorkflowAIError

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings
from feedback.database import Database
from feedback.runs import RunFacts
from tests.feedback.conftest import RUN, serving

AGENT = str(uuid.uuid4())


async def look_up(run_id: str) -> RunFacts:
    return RunFacts(run_id, thread_id="t", assistant_id=AGENT, assistant_version=2)


@pytest.fixture
def plugin(database_url: str) -> FeedbackPlugin:
    return FeedbackPlugin(open_database(database_url), run_lookup=look_up)


@pytest.fixture
async def app(plugin: FeedbackPlugin) -> AsyncIterator[AsyncTestClient[Litestar]]:
    async with AsyncTestClient(Litestar(plugins=[plugin]), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
async def database(database_url: str, app: object) -> AsyncIterator[Database]:  # noqa: ARG001  the app migrates it
    """Return the app's database through connections of the test: the app uses its own in another event loop."""
    async with open_database(database_url) as database:
        yield database


async def send(app: httpx.AsyncClient, token: str, outcome: str = "positive", **more: str) -> httpx.Response:
    return await app.post("/v1/feedback", json={"feedback_token": token, "outcome": outcome, **more})


async def test_official_client_sends_and_changes_an_outcome(plugin: FeedbackPlugin) -> None:
    with serving(Litestar(plugins=[plugin])) as url:
        client, token = WorkflowAI(api_key="any", url=url), plugin.token_for_run(RUN)
        await client.send_feedback(feedback_token=token, outcome="positive", comment="nice", user_id="ada")
        await client.send_feedback(feedback_token=token, outcome="negative", user_id="ada")
        await client.send_feedback(feedback_token=token, outcome="positive")
        with pytest.raises(WorkflowAIError, match="Invalid feedback token"):
            await client.send_feedback(feedback_token="eyJ0IjoxfQ==.c2ln", outcome="positive")
        async with httpx.AsyncClient(base_url=url) as http:
            own = await http.get("/v1/feedback", params={"feedback_token": token, "user_id": "ada"})
            listed = (await http.get("/feedback", params={"run": RUN})).json()
    assert own.json() == {"outcome": "negative"}
    assert [(row["key"], row["score"], row["value"], row["comment"]) for row in listed] == [
        ("outcome", 1, "positive", None),
        ("outcome", 0, "negative", None),
    ]


async def test_response_has_the_official_servers_shape(app: Any, plugin: FeedbackPlugin) -> None:
    response = await send(app, plugin.token_for_run(RUN), comment="c", user_id="u")
    assert response.status_code == 200
    assert response.json() == {"id": response.json()["id"], "outcome": "positive", "comment": "c", "user_id": "u"}
    assert response.headers["access-control-allow-origin"] == "*"


async def test_second_outcome_overwrites_and_the_first_is_history(
    app: Any, plugin: FeedbackPlugin, database: Database
) -> None:
    token = plugin.token_for_run(RUN)
    first, second = await send(app, token, user_id="ada"), await send(app, token, "negative", user_id="ada")
    assert first.json()["id"] == second.json()["id"]
    rows = await database.read(lambda db: db.all("SELECT value, reason FROM feedback_history"))
    assert [(row["value"], row["reason"]) for row in rows] == [('"positive"', "replaced")]


async def own(app: Any, token: str, **query: str) -> str | None:
    response = await app.get("/v1/feedback", params={"feedback_token": token, **query})
    assert response.status_code == 200
    outcome: str | None = response.json()["outcome"]
    return outcome


async def test_anonymous_outcome_replaces_the_first(app: Any, plugin: FeedbackPlugin, database: Database) -> None:
    for outcome in ("positive", "negative", "negative"):
        assert (await send(app, plugin.token_for_run(RUN), outcome)).status_code == 200
    page = (await app.get("/v1/_/agents/_/feedback")).json()
    assert [(item["outcome"], item["user_id"]) for item in page["items"]] == [("negative", None)]
    rows = await database.read(lambda db: db.all("SELECT value, reason FROM feedback_history"))
    assert [(row["value"], row["reason"]) for row in rows] == [('"positive"', "replaced")]
    assert await own(app, plugin.token_for_run(RUN)) == "negative"
    assert await own(app, plugin.token_for_run(RUN), user_id="ada") is None
    assert await own(app, plugin.token_for_run(str(uuid.uuid4()))) is None


async def test_concurrent_anonymous_outcomes_are_one_row(app: Any, plugin: FeedbackPlugin) -> None:
    token = plugin.token_for_run(RUN)
    responses = await asyncio.gather(*(send(app, token, ("positive", "negative")[at % 2]) for at in range(10)))
    assert {response.status_code for response in responses} == {200}
    assert (await app.get("/v1/_/agents/_/feedback")).json()["count"] == 1


async def test_anonymous_outcomes_add_up_where_the_key_appends(app: Any, plugin: FeedbackPlugin) -> None:
    config = {"feedback_key": "outcome", "feedback_config": {"type": "freeform"}, "subject_policy": "append"}
    assert (await app.post("/feedback-configs", json=config)).status_code == 200
    for outcome in ("positive", "negative"):
        await send(app, plugin.token_for_run(RUN), outcome)
    assert (await app.get("/v1/_/agents/_/feedback")).json()["count"] == 2


@pytest.mark.parametrize("user", [{}, {"user_id": "ada"}])
async def test_outcome_is_taken_back(app: Any, plugin: FeedbackPlugin, user: dict[str, str]) -> None:
    token = plugin.token_for_run(RUN)
    await send(app, token, "positive", **user)
    await send(app, token, "negative", user_id="ben")
    for _ in range(2):
        gone = await app.delete("/v1/feedback", params={"feedback_token": token, **user})
        assert (gone.status_code, gone.json()) == (200, {"outcome": None})
    assert await own(app, token, **user) is None
    assert await own(app, token, user_id="ben") == "negative"
    assert (await send(app, token, "positive", **user)).status_code == 200
    assert await own(app, token, **user) == "positive"


async def test_agents_are_found_by_slug(app: Any, plugin: FeedbackPlugin) -> None:
    async def named(slug: str) -> list[str]:
        return [AGENT] if slug == "my-agent" else []

    plugin.runs.lookup_assistants = named
    feedback = (await send(app, plugin.token_for_run(RUN), "positive")).json()
    for agent, expected in (("my-agent", 1), (AGENT, 1), ("_", 1), ("another", 0)):
        assert (await app.get(f"/v1/_/agents/{agent}/feedback")).json()["count"] == expected
        assert (await app.get(f"/v1/_/agents/{agent}/runs/{RUN}/feedback")).json()["count"] == expected
        path = f"/v1/_/agents/{agent}/feedback/{feedback['id']}/annotate"
        sent = await app.post(path, json={"annotation": "correct"})
        assert sent.status_code == (200 if expected else 404)


async def test_repeated_idempotency_key_is_one_outcome(app: Any, plugin: FeedbackPlugin) -> None:
    body = {"feedback_token": plugin.token_for_run(RUN), "outcome": "positive"}
    responses = [await app.post("/v1/feedback", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert len({response.json()["id"] for response in responses}) == 1
    assert (await app.get("/v1/_/agents/_/feedback")).json()["count"] == 1


async def test_outcomes_are_listed_by_agent_and_run(app: Any, plugin: FeedbackPlugin) -> None:
    other = str(uuid.uuid4())
    feedback = (await send(app, plugin.token_for_run(RUN), comment="hm", user_id="ada")).json()
    await send(app, plugin.token_for_run(other), "negative")
    everything = (await app.get(f"/v1/acme/agents/{AGENT}/feedback")).json()
    assert (everything["count"], [item["run_id"] for item in everything["items"]]) == (2, [other, RUN])
    assert (await app.get(f"/v1/_/agents/{uuid.uuid4()}/feedback")).json() == {"items": [], "count": 0}
    page = (await app.get("/v1/_/agents/_/feedback", params={"limit": 1, "offset": 1})).json()
    assert (page["count"], [item["id"] for item in page["items"]]) == (2, [feedback["id"]])
    note = f"/v1/_/agents/{AGENT}/feedback/{feedback['id']}/annotate"
    for annotation in ("resolved", "incorrect"):
        response = await app.post(note, json={"annotation": annotation, "comment": "seen"})
        assert (response.status_code, response.json()) == (200, None)
    [item] = (await app.get(f"/v1/_/agents/{AGENT}/runs/{RUN}/feedback")).json()["items"]
    assert item == {
        "id": feedback["id"], "outcome": "positive", "user_id": "ada", "created_at": item["created_at"],
        "comment": "hm", "run_id": RUN, "annotation": "incorrect",
    }  # fmt: skip
    missing = await app.post(f"/v1/_/agents/_/feedback/{uuid.uuid4()}/annotate", json={"annotation": "resolved"})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")


async def test_forged_workflowai_token_is_refused(app: Any) -> None:
    forged = base64.b64encode(b'{"t":7,"u":9,"r":"victim"}').decode() + ".AAAA"
    refused = await send(app, forged)
    error = refused.json()["error"]
    assert (refused.status_code, error["status_code"], error["code"]) == (400, 400, "bad_request")
    assert error["message"].startswith("Invalid feedback token")


@pytest.mark.parametrize(
    "body",
    [
        {"outcome": "positive"},
        {"feedback_token": "x"},
        {"feedback_token": "x", "outcome": "great"},
        {"feedback_token": 7, "outcome": "positive"},
        {"outcome": "positive", "comment": "\0"},
    ],
)
async def test_wrong_body_gets_workflowais_error(app: Any, body: dict[str, Any]) -> None:
    if "comment" in body:  # the server checks the comment only after the token
        plugin = app.app.plugins.get(FeedbackPlugin)
        body = {**body, "feedback_token": plugin.token_for_run(RUN)}
    refused = await app.post("/v1/feedback", json=body)
    assert (refused.status_code, refused.json()["error"]["status_code"]) == (422, 422)
    assert refused.json()["error"]["message"]


async def test_token_expires(database_url: str) -> None:
    plugin = FeedbackPlugin(open_database(database_url), FeedbackSettings(run_token_expiry=timedelta(microseconds=1)))
    async with AsyncTestClient(Litestar(plugins=[plugin])) as app:
        token = plugin.token_for_run(RUN)
        refused = await send(app, token)
        assert (refused.status_code, refused.json()["error"]["code"]) == (410, "token_expired")
        assert (await app.get("/v1/feedback", params={"feedback_token": token})).status_code == 410


async def test_token_costs_no_row_and_reveals_nothing(app: Any, plugin: FeedbackPlugin, database: Database) -> None:
    tokens = [plugin.token_for_run(RUN) for _ in range(10)]
    assert len(set(tokens)) == 10
    for token in tokens:
        assert token.replace("-", "").replace("_", "").isalnum()
        assert RUN.encode() not in base64.urlsafe_b64decode(token + "==")
    for table in ("feedback_grant", "feedback_minted", "feedback_spent"):
        rows = await database.read(lambda db, table=table: db.all(f"SELECT * FROM {table}"))
        assert rows == []
    assert (await app.get("/feedback/tokens", params={"run_id": RUN})).json() == []


async def test_other_feedback_under_outcome_is_no_outcome(app: Any, plugin: FeedbackPlugin) -> None:
    await send(app, plugin.token_for_run(RUN))
    for value in ("refunded", None, 1):
        await app.post("/feedback", json={"run_id": RUN, "key": "outcome", "value": value})
    for path in ("/v1/_/agents/_/feedback", f"/v1/_/agents/_/runs/{RUN}/feedback"):
        listed = (await app.get(path, params={"limit": 1})).json()
        assert ([item["outcome"] for item in listed["items"]], listed["count"]) == (["positive"], 1)


async def test_config_of_the_key_outcome_is_enforced(app: Any, plugin: FeedbackPlugin) -> None:
    config = {"feedback_key": "outcome", "feedback_config": {"type": "continuous", "min": 1, "max": 1}}
    await app.post("/feedback-configs", json=config)
    assert (await send(app, plugin.token_for_run(RUN), "negative")).status_code == 422
    assert (await send(app, plugin.token_for_run(RUN))).status_code == 200


async def test_preflight_of_any_origin_succeeds(app: Any) -> None:
    headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    response = await app.options("/v1/feedback", headers=headers)
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (204, "*")
