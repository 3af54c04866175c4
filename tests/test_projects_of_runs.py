"""Runs that are created with a project's API key have their feedback in that project."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.composition import build, feedback_without_server
from agent_server.config import AuthSettings, Config, Graph
from agent_server.config.api_keys import parse_api_keys
from agent_server.database import open_database
from feedback.records.erasure import Erasure
from tests.agent_server.backend import until

App = AsyncTestClient[Litestar]
OPERATOR, SHOP, BLOG = "key-of-the-operator", "key-of-the-shops-app", "key-of-the-blogs-app"
KEYS = f"{OPERATOR}:admin,{SHOP}:run+feedback-write+feedback-read@shop,{BLOG}:run+feedback-write+feedback-read@blog"
AGENT = """async def agent(given):
    yield {"messages": [*given["messages"], {"role": "assistant", "content": "answered in the shop"}]}
"""
RULES = """from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def authenticate(authorization):
    name, _, project = authorization.removeprefix("Bearer ").partition(" of ")
    return {"identity": name, "project": "Not A Name", **({"feedback_project": project} if project else {})}
"""
BODY = {
    "assistant_id": "agent", "feedback_keys": ["up"],
    "input": {"messages": [{"role": "user", "content": "asked in the shop"}]},
}  # fmt: skip


def config_of(database_url: str, folder: Path, **settings: Any) -> Config:
    (folder / "agent.py").write_text(AGENT)
    postgres = database_url if database_url.startswith("postgres") else None
    graphs = {"agent": Graph("./agent.py:agent")}
    return Config(
        folder, data_dir=folder, database_url=postgres, graphs=graphs, api_keys=parse_api_keys(KEYS), **settings
    )  # fmt: skip


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Config:
    return config_of(database_url, tmp_path)


@pytest.fixture
async def app(config: Config) -> AsyncIterator[App]:
    async with AsyncTestClient(build(config), base_url="http://server.test") as client:
        await projects(client)
        yield client


async def projects(client: App) -> None:
    for name in ("shop", "blog"):
        assert (await send(client, "POST", "/api/v1/feedback/projects", {"name": name})).status_code == 200


async def send(app: App, method: str, path: str, body: Any = None, key: str = OPERATOR, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return await app.request(method, path, headers=headers, timeout=30, **({"json": body} if body else {}), **more)


async def listed(app: App, key: str, **query: str) -> list[dict[str, Any]]:
    response = await send(app, "GET", "/api/v1/feedback", key=key, params=query)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()
    return found


async def submit(app: App, url: str) -> None:
    assert (await app.post(url.replace("http://server.test", ""), json={"score": 1})).status_code == 200


async def test_run_of_a_bound_key_stays_in_project(app: App) -> None:
    thread = (await send(app, "POST", "/threads", {"metadata": {}}, SHOP)).json()["thread_id"]
    streamed = await send(app, "POST", f"/threads/{thread}/runs/stream", BODY, SHOP)
    event = re.search(r"event: feedback\s+data: (\{.*\})", streamed.text)
    assert event is not None, streamed.text
    await submit(app, json.loads(event[1])["up"])
    sent = {"feedback_token": streamed.headers["x-feedback-token"], "outcome": "positive"}
    assert (await app.post("/v1/feedback", json=sent)).status_code == 200
    token = re.search(r'"feedback_token":"([^"]+)"', streamed.text)
    assert token is not None
    assert (await app.post("/v1/feedback", json={**sent, "feedback_token": token[1]})).status_code == 200
    in_shop = await listed(app, SHOP)
    assert sorted(one["key"] for one in in_shop) == ["outcome", "up"]  # an anonymous user has one outcome for a run
    assert {one["thread_id"] for one in in_shop} == {thread}
    assert (await listed(app, BLOG), await listed(app, OPERATOR)) == ([], [])
    assert len(await listed(app, OPERATOR, project="shop")) == 2


async def test_every_created_run_gets_the_keys_project(app: App) -> None:
    waited = await send(app, "POST", "/runs/wait", BODY, SHOP)
    await submit(app, waited.json()["__feedback__"]["up"])
    batch = await send(app, "POST", "/runs/batch", [BODY, BODY], SHOP)
    stored = (await send(app, "POST", "/runs", {**BODY, "on_completion": "keep"}, SHOP)).json()
    thread_id = str(uuid4())
    start = {"id": 1, "method": "run.start", "params": BODY}
    started = await send(app, "POST", f"/threads/{thread_id}/commands", start, SHOP)
    commanded = {"thread_id": thread_id, "run_id": started.json()["result"]["run_id"]}
    for run in [*batch.json(), stored, commanded]:
        joined = await send(app, "GET", f"/threads/{run['thread_id']}/runs/{run['run_id']}/join", key=SHOP)
        await submit(app, joined.json()["__feedback__"]["up"])
    assert (len(await listed(app, SHOP)), await listed(app, OPERATOR)) == (5, [])


async def test_crons_runs_are_its_makers_projects(app: App, config: Config) -> None:
    thread = (await send(app, "POST", "/threads", {"metadata": {}}, SHOP)).json()["thread_id"]
    made = await send(app, "POST", f"/threads/{thread}/runs/crons", {"schedule": "0 0 1 1 *", **BODY}, SHOP)
    assert made.status_code == 200, made.text
    async with open_database(config.database_url or f"sqlite:///{config.data_dir / 'runs.db'}") as database:
        await database.write(lambda db: db.execute("UPDATE crons SET next_run_date = now_us()"))

    async def ran() -> bool:
        runs = (await send(app, "GET", f"/threads/{thread}/runs", key=SHOP)).json()
        return bool(runs) and runs[0]["status"] == "success"

    await until(ran)
    [run] = (await send(app, "GET", f"/threads/{thread}/runs", key=SHOP)).json()
    shown = (await send(app, "GET", f"/threads/{thread}/runs/{run['run_id']}/feedback", key=SHOP)).json()
    await submit(app, shown["urls"]["up"])
    assert (len(await listed(app, SHOP)), await listed(app, OPERATOR)) == (1, [])


async def test_other_projects_run_feedback_and_input_are_hidden(app: App) -> None:
    thread = (await send(app, "POST", "/threads", {"metadata": {}}, SHOP)).json()["thread_id"]
    waited = (await send(app, "POST", f"/threads/{thread}/runs/wait", BODY, SHOP)).json()
    await submit(app, waited["__feedback__"]["up"])
    [run] = (await send(app, "GET", f"/threads/{thread}/runs", key=SHOP)).json()
    for path in (f"/threads/{thread}/runs/{run['run_id']}/feedback", f"/runs/{run['run_id']}/feedback"):
        assert (await send(app, "GET", path, key=BLOG)).status_code == 404
        assert len((await send(app, "GET", path, key=SHOP)).json()["feedback"]) == 1
    conversations = {}
    for key in (SHOP, BLOG):
        feedback = (await send(app, "POST", "/feedback", {"key": "k", "run_id": run["run_id"], "score": 1}, key)).json()
        shown = await send(app, "GET", f"/api/v1/feedback/{feedback['id']}/conversation", key=key)
        conversations[key] = (feedback["thread_id"], "in the shop" in shown.text)
    assert conversations == {SHOP: (thread, True), BLOG: (None, False)}


async def test_metrics_cover_all_projects_for_unbound_keys(app: App) -> None:
    assert (await send(app, "GET", "/metrics", key=SHOP)).status_code == 403
    assert (await send(app, "GET", "/metrics")).status_code == 200


async def test_users_project_comes_from_the_applications_handler(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text(RULES)
    config = config_of(database_url, tmp_path, auth=AuthSettings("./rules.py:auth"))
    async with AsyncTestClient(build(config), base_url="http://server.test") as app:
        await projects(app)
        for user in ("anna of shop", "bob"):
            waited = await send(app, "POST", "/runs/wait", BODY, user)
            await submit(app, waited.json()["__feedback__"]["up"])
        assert (len(await listed(app, SHOP)), len(await listed(app, OPERATOR)), await listed(app, BLOG)) == (1, 1, [])


async def test_command_line_knows_whose_run_it_was(app: App, config: Config) -> None:
    thread = (await send(app, "POST", "/threads", {"metadata": {}}, SHOP)).json()["thread_id"]
    waited = (await send(app, "POST", f"/threads/{thread}/runs/wait", BODY, SHOP)).json()
    await submit(app, waited["__feedback__"]["up"])
    async with feedback_without_server(config) as feedback:
        assert isinstance(feedback.get_services("shop").erasure, Erasure)
        [shop] = (await feedback.get_services("shop").reader.page(_all())).feedback
        conversation = await feedback.get_services("shop").conversations.read_conversation(shop.id)
        assert "answered in the shop" in [one.content for one in conversation.messages]


def _all() -> Any:
    from feedback.reports.query import FeedbackQuery

    return FeedbackQuery()
