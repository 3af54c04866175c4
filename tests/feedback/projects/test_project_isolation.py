"""No operation shows, changes or counts data of another project. An operation without a test call fails."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from msgspec import Struct

from agent_server.database import Database, open_database
from feedback import FeedbackPlugin, RunFacts
from feedback.projects.projects import project_id
from tests.feedback.conftest import RUN

App = AsyncTestClient[Litestar]
OPERATOR = "key-of-the-operator"
KEYS = {"shop": "key-of-the-shop", "blog": "key-of-the-blog"}
OPEN = {
    *(("GET", "/api/v1/info"), ("POST", "/api/v1/feedback/submit")),
    *((method, "/v1/feedback") for method in ("GET", "POST", "DELETE")),
}
HOLDERS = "/api/v1/feedback/tokens/{token}"
TABLES = (
    "feedback", "feedback_history", "feedback_grant", "feedback_config", "feedback_retention", "feedback_day",
    "feedback_minted", "feedback_reason", "feedback_dataset_item", "feedback_alert_rule", "feedback_resource",
    "feedback_denial",
)  # fmt: skip
BY_FEEDBACK = ("feedback_review", "feedback_annotation")
FEEDBACK, AGENT = "/api/v1/feedback", "/v1/{tenant}/agents/{agent_id}"
QUEUE = "/api/v1/annotation-queues/{queue_id}"


class Call(Struct):
    """A call of an operation, and its status for an API key of another project than that of the ids in it."""

    status: int = 200
    query: dict[str, Any] = {}
    json: Any = None
    content: bytes | None = None
    headers: dict[str, str] = {}


MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="feedback.5a5f0000-0000-4000-8000-000000000001"\r\n\r\n'
    b'{"key": "k", "run_id": "%b"}\r\n--b--\r\n' % RUN.encode()
)
CALLS: dict[tuple[str, str], list[Call]] = {
    ("POST", f"{FEEDBACK}/tokens"): [Call(json={"run_id": RUN, "feedback_key": "k"})],
    ("GET", f"{FEEDBACK}/tokens"): [Call(query={"run_id": RUN})],
    ("DELETE", f"{FEEDBACK}/tokens"): [Call(query={"run_id": RUN}), Call(query={"ring_key": 1})],
    ("POST", f"{HOLDERS}/revoke"): [Call(404)],
    ("POST", "/api/v1/runs/multipart"): [
        Call(202, content=MULTIPART, headers={"content-type": "multipart/form-data; boundary=b"})
    ],
    ("POST", "/api/v1/feedback-configs"): [
        Call(json={"feedback_key": "stars", "feedback_config": {"type": "continuous", "min": 2, "max": 3}})
    ],
    ("GET", "/api/v1/feedback-configs"): [Call(query={"include_all_configs": True}), Call(query={"key": "thumbs"})],
    ("PATCH", "/api/v1/feedback-configs"): [Call(json={"feedback_key": "thumbs", "is_lower_score_better": True})],
    ("DELETE", "/api/v1/feedback-configs"): [
        Call(204, query={"id": "{config}"}), Call(204, query={"feedback_key": "thumbs"})
    ],
    ("POST", FEEDBACK): [
        Call(json={"key": "thumbs", "score": 1, "run_id": RUN, "feedback_source": {"type": "app", "user_id": "ada"}}),
        Call(409, json={"key": "thumbs", "id": "{feedback_id}", "score": 0}),
    ],
    ("GET", FEEDBACK): [Call(), Call(query={"run": RUN}), Call(query={"user": "ada"})],
    ("GET", f"{FEEDBACK}/{{feedback_id}}"): [Call(404)],
    ("PATCH", f"{FEEDBACK}/{{feedback_id}}"): [Call(404, json={"score": 0})],
    ("DELETE", f"{FEEDBACK}/{{feedback_id}}"): [Call(404)],
    ("GET", f"{FEEDBACK}/search"): [Call(), Call(query={"text": "said"}), Call(query={"thread": "thread-1"})],
    ("GET", f"{FEEDBACK}/statistics"): [Call(), Call(query={"run": RUN}), Call(query={"by": "day"})],
    ("GET", f"{FEEDBACK}/comparison"): [
        Call(query={"baseline": 1, "candidate": 2, "assistant": "assistant-1", "key": "thumbs"})
    ],
    ("GET", f"{FEEDBACK}/by-run"): [Call(), Call(query={"run": RUN})],
    ("GET", f"{FEEDBACK}/choices"): [Call()],
    ("GET", f"{FEEDBACK}/count"): [Call(), Call(query={"run": RUN})],
    ("GET", f"{FEEDBACK}/distribution"): [Call(query={"key": "thumbs"})],
    ("GET", f"{FEEDBACK}/reasons"): [Call()],
    ("GET", f"{FEEDBACK}/response-rates"): [Call()],
    ("GET", f"{FEEDBACK}/export/report"): [Call(query={"format": "kto"})],
    ("PUT", f"{FEEDBACK}/reviews"): [Call(json={"ids": ["{feedback_id}"], "status": "done", "note": "ours now"})],
    ("GET", f"{FEEDBACK}/datasets"): [Call()],
    ("PUT", f"{FEEDBACK}/datasets/{{name}}"): [Call(json={"ids": ["{feedback_id}"]})],
    ("DELETE", f"{FEEDBACK}/datasets/{{name}}"): [Call(), Call(query={"id": "{feedback_id}"})],
    ("GET", f"{FEEDBACK}/alert-rules"): [Call()],
    ("POST", f"{FEEDBACK}/alert-rules"): [Call(json={"key": "blog", "compares_versions": True})],
    ("DELETE", f"{FEEDBACK}/alert-rules/{{rule_id}}"): [Call(404)],
    ("GET", f"{FEEDBACK}/export"): [Call(query={"format": form}) for form in ("jsonl", "csv", "kto", "sft")],
    ("GET", f"{FEEDBACK}/assistants"): [Call()],
    ("GET", f"{FEEDBACK}/{{feedback_id}}/review"): [Call(404)],
    ("PUT", f"{FEEDBACK}/{{feedback_id}}/review"): [Call(404, json={"status": "done", "note": "ours now"})],
    ("GET", f"{FEEDBACK}/{{feedback_id}}/conversation"): [Call(404)],
    ("GET", f"{FEEDBACK}/{{feedback_id}}/history"): [Call(404)],
    ("GET", f"{FEEDBACK}/retention"): [Call()],
    ("PUT", f"{FEEDBACK}/retention"): [Call(json={"key": "thumbs", "days": 1}), Call(json={"days": None})],
    ("POST", f"{FEEDBACK}/erasures"): [
        Call(json={name: text}) for name, text in (("subject", "ada"), ("run", RUN), ("thread", "thread-1"))
    ],
    ("POST", f"{FEEDBACK}/token"): [
        Call(json={"resource_type": "trace", "resource_id": RUN}, headers={"Idempotency-Key": "the same one"})
    ],
    ("GET", f"{AGENT}/feedback"): [Call()],
    ("GET", f"{AGENT}/runs/{{run_id}}/feedback"): [Call()],
    ("POST", f"{AGENT}/feedback/{{feedback_id}}/annotate"): [Call(404, json={"annotation": "correct"})],
    ("GET", f"{FEEDBACK}/projects"): [Call()],
    ("POST", f"{FEEDBACK}/projects"): [Call(403, json={"name": "mine"})],
    ("PATCH", f"{FEEDBACK}/projects/{{name}}"): [Call(403, json={"rate": "1/60"})],
    ("DELETE", f"{FEEDBACK}/projects/{{name}}"): [Call(403, query={"erase": True})],
    ("GET", f"{FEEDBACK}/api-keys"): [Call(403)],
    ("GET", "/metrics"): [Call(403)],
    ("GET", "/api/v1/annotations"): [Call(), Call(query={"logId": RUN})],
    ("POST", "/api/v1/annotations"): [Call(201, json={"logId": RUN, "label": "mine"})],
    ("POST", "/api/v1/scorers/calibrate"): [Call(400, json={"scorerId": "thumbs"})],
    ("GET", "/api/v1/runs/{run_id}"): [Call(404)],
    ("POST", "/api/v1/runs/query"): [Call(json={}), Call(json={"id": [RUN]}), Call(json={"trace": RUN})],
    ("POST", "/api/v1/runs/stats"): [Call(json={"filter": 'eq(feedback_key, "thumbs")'})],
    ("GET", "/api/v1/sessions"): [Call(), Call(query={"name": "shop"}), Call(query={"include_stats": True})],
    ("GET", "/api/v1/sessions/{session_id}"): [Call(404)],
    ("POST", "/api/v1/datasets"): [
        Call(json={"name": "other"}), Call(409, json={"name": "mine", "id": "{dataset_id}"})
    ],
    ("GET", "/api/v1/datasets"): [Call(), Call(query={"name": "good"}), Call(query={"id": "{dataset_id}"})],
    ("GET", "/api/v1/datasets/{dataset_id}"): [Call(404)],
    ("DELETE", "/api/v1/datasets/{dataset_id}"): [Call(404)],
    ("POST", "/api/v1/examples"): [Call(404, json={"dataset_id": "{dataset_id}", "inputs": {}})],
    ("POST", "/api/v1/examples/bulk"): [Call(404, json=[{"dataset_id": "{dataset_id}", "inputs": {}}])],
    ("GET", "/api/v1/examples"): [Call(), Call(query={"dataset": "{dataset_id}"}), Call(query={"id": "{example_id}"})],
    ("GET", "/api/v1/examples/{example_id}"): [Call(404)],
    ("PATCH", "/api/v1/examples/{example_id}"): [Call(404, json={"outputs": {"mine": 1}})],
    ("DELETE", "/api/v1/examples/{example_id}"): [Call(404)],
    ("POST", "/api/v1/annotation-queues"): [Call(json={"name": "other"})],
    ("GET", "/api/v1/annotation-queues"): [Call(), Call(query={"ids": "{queue_id}"})],
    ("GET", QUEUE): [Call(404)],
    ("PATCH", QUEUE): [Call(404, json={"name": "mine"})],
    ("DELETE", QUEUE): [Call(404)],
    ("POST", f"{QUEUE}/runs"): [Call(404, json=[RUN])],
    ("POST", f"{QUEUE}/runs/by-key"): [Call(404, json=[{"run_id": RUN}])],
    ("GET", f"{QUEUE}/runs"): [Call(404)],
    ("GET", f"{QUEUE}/run/{{index}}"): [Call(404)],
    ("DELETE", f"{QUEUE}/runs/{{run_id}}"): [Call(404)],
}  # fmt: skip


READING_FIRST = sorted(CALLS, key=lambda one: one[0] != "GET")


async def look_up(run_id: str) -> RunFacts | None:
    """Return the run of the project `shop`; there is no other."""
    question = {"messages": [{"role": "user", "content": "asked in shop"}]}
    conversation = {"messages": [*question["messages"], {"role": "assistant", "content": "answered in shop"}]}
    facts = RunFacts(RUN, "thread-1", "assistant-1", 1, question, conversation, project="shop",
                     assistant_name="of shop")  # fmt: skip
    return facts if run_id == RUN else None


@pytest.fixture
async def plugin(database_url: str) -> FeedbackPlugin:
    keys = {OPERATOR: None, **{key: project for project, key in KEYS.items()}}
    return FeedbackPlugin(open_database(database_url), api_keys=keys, run_lookup=look_up)


@pytest.fixture
async def app(plugin: FeedbackPlugin) -> AsyncIterator[App]:
    """A service with two projects that each have data of every kind, about the same run and person."""
    litestar = Litestar(plugins=[plugin])
    async with AsyncTestClient(litestar, base_url="http://feedback.test", raise_server_exceptions=False) as client:
        for project in KEYS:
            made = await client.post(f"{FEEDBACK}/projects", json={"name": project}, headers=_with(OPERATOR))
            assert made.status_code == 200, made.text
            await _fill(client, plugin, project)
        yield client


@pytest.fixture
async def rows(app: App, database_url: str) -> AsyncIterator[Database]:  # noqa: ARG001  it has the tables made
    """Open the service's database directly."""
    async with open_database(database_url) as database:
        yield database


async def _fill(app: App, plugin: FeedbackPlugin, project: str) -> None:
    async def send(method: str, path: str, body: Any = None, **more: Any) -> Any:
        content = {} if body is None else {"json": body}
        response = await app.request(method, path, headers=_with(KEYS[project]) | more.pop("headers", {}), **content)
        assert response.status_code in (200, 202, 204), response.text
        return response.json() if response.content else None

    config = {"feedback_key": "thumbs", "feedback_config": {"type": "continuous", "min": 0, "max": 1}}
    await send("POST", "/api/v1/feedback-configs", config)
    minted = await send("POST", f"{FEEDBACK}/tokens", {"run_id": RUN, "feedback_key": "thumbs"})
    for score in (1, 0):
        submission = {"score": score, "comment": f"said in {project}", "correction": f"right in {project}",
                      "user_id": "ada", "metadata": {"reasons": [f"wrong in {project}"]}}  # fmt: skip
        feedback = await send("POST", f"{FEEDBACK}/tokens/{minted['id']}", submission)
    await send("POST", FEEDBACK, {"key": "thumbs", "score": 1, "run_id": RUN, "comment": f"recorded in {project}"})
    await send("PUT", f"{FEEDBACK}/{feedback['id']}/review", {"status": "seen", "note": f"read in {project}"})
    await send("PUT", f"{FEEDBACK}/datasets/good in {project}", {"ids": [feedback["id"]]})
    await send("POST", f"{FEEDBACK}/alert-rules", {"key": f"key in {project}", "below": 0.5})
    await send("PUT", f"{FEEDBACK}/retention", {"key": "thumbs", "days": 30})
    resource = {"resource_type": "trace", "resource_id": RUN}
    once = await send("POST", f"{FEEDBACK}/token", resource, headers={"Idempotency-Key": "the same one"})
    await send("POST", f"{FEEDBACK}/submit", {"token": once["token"], "score": 1, "comment": f"once in {project}"})
    token = plugin.get_run_urls(project).token_for_run(RUN)
    outcome = {"feedback_token": token, "outcome": "positive", "comment": f"well in {project}", "user_id": "ada"}
    outcome_feedback = await send("POST", "/v1/feedback", outcome)
    await send("POST", f"/v1/_/agents/_/feedback/{outcome_feedback['id']}/annotate", {"annotation": "correct"})
    dataset = await send("POST", "/api/v1/datasets", {"name": "good", "description": f"judged in {project}"})
    await send("POST", "/api/v1/examples", {"dataset_id": dataset["id"], "inputs": {"asked": f"in {project}"}})
    await send("POST", "/api/v1/annotation-queues", {"name": "todo", "description": f"to do in {project}"})


def _with(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def _rows_of(rows: Database, project: str) -> dict[str, list[str]]:
    """Return all rows of the project as JSON."""

    def work(db: Any) -> dict[str, list[str]]:
        found = {table: db.all(f"SELECT * FROM {table} WHERE project = :of", of=project) for table in TABLES}
        ids = {row["id"] for row in found["feedback"]}
        for table in BY_FEEDBACK:
            found[table] = [row for row in db.all(f"SELECT * FROM {table}") if row["feedback_id"] in ids]
        return {table: sorted(json.dumps(row, sort_keys=True) for row in rows) for table, rows in found.items()}

    return await rows.read(work)


def operations(app: App) -> list[tuple[str, str]]:
    """Return the operations of the document that need an API key."""
    document = app.app.openapi_schema.to_schema()
    every = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
    return [one for one in every if one not in OPEN and one[1] != HOLDERS]


def test_every_operation_is_called_here(app: App) -> None:
    assert sorted(operations(app)) == sorted(CALLS)


async def test_other_projects_data_is_isolated(app: App, rows: Database) -> None:
    before = await _rows_of(rows, "shop")
    assert all(before[table] for table in (*TABLES[:-1], *BY_FEEDBACK))
    wrong = []
    for (method, path), call in [(one, call) for one in READING_FIRST for call in CALLS[one]]:
        response = await _ask(app, method, path, call, before, _with(KEYS["blog"]))
        leaked = r"in shop|of shop" if "assistant-1" in str(call.query) else r"in shop|of shop|assistant-1|thread-1"
        if response.status_code != call.status or re.search(leaked, response.text):
            wrong.append((method, path, call.status, response.status_code, response.text[:300]))
        if call.status in (200, 202) and any(known in response.text for known in [*_ids(before), TOKENS[app]]):
            wrong.append((method, path, "shows an id", response.text[:300]))
        if (now := await _rows_of(rows, "shop")) != before:
            wrong.append(
                (method, path, "changes", *[(table, now[table]) for table in now if now[table] != before[table]])
            )
            before = now
    assert not wrong, "\n".join(map(str, wrong))


async def test_key_of_a_project_cannot_name_another(app: App, rows: Database) -> None:
    before, wrong = await _rows_of(rows, "shop"), []
    for method, path in operations(app):
        for named in ({"x-tenant-id": "shop"}, {"x-tenant-id": project_id("shop").upper()}, {"x-tenant-id": "unknown"}):
            if "{tenant}" in path:
                continue
            response = await _ask(app, method, path, CALLS[method, path][0], before, _with(KEYS["blog"]) | named)
            if response.status_code != 403:
                wrong.append((method, path, named, response.status_code))
        response = await _ask(app, method, path, CALLS[method, path][0], before, _with(KEYS["blog"]), "shop", "shop")
        if response.status_code != 403:
            wrong.append((method, path, "?project=shop", response.status_code))
    assert not wrong, "\n".join(map(str, wrong))
    assert await _rows_of(rows, "shop") == before


async def _ask(
    app: App, method: str, path: str, call: Call, shops: dict[str, list[str]], headers: dict[str, str],
    project: str | None = None, tenant: str = "_",
) -> httpx.Response:  # fmt: skip
    """Call the operation with ids of the project `shop` and return the response."""
    feedback, outcome = (
        next(row for text in shops["feedback"] if (row := json.loads(text))["key"] == key)
        for key in ("thumbs", "outcome")
    )
    filled = {
        "feedback_id": outcome["id"] if "annotate" in path else feedback["id"],
        "token": TOKENS.get(app) or TOKENS.setdefault(app, await _token(app)),
        "run_id": RUN,
        "agent_id": "_",
        "tenant": tenant,
        "name": "shop",
        "rule_id": json.loads(shops["feedback_alert_rule"][0])["id"],
        "config": json.loads(shops["feedback_config"][0])["id"],
        "session_id": project_id("shop"),
        "index": "0",
        **_resource_ids(shops),
    }
    fill = re.compile(r"\{(\w+)\}")
    where = fill.sub(lambda found: filled[found[1]], path)
    text = fill.sub(lambda found: filled.get(found[1], found[0]), json.dumps([call.query, call.json]))
    query, body = json.loads(text)
    query |= {"project": project} if project else {}
    content: dict[str, Any] = {"content": call.content} if call.content else {} if body is None else {"json": body}
    return await app.request(method, where, params=query, headers=call.headers | headers, timeout=30, **content)


def _resource_ids(shops: dict[str, list[str]]) -> dict[str, str]:
    rows = [json.loads(text) for text in shops["feedback_resource"]]
    return {f"{row['kind']}_id": row["id"] for row in rows}


TOKENS: dict[App, str] = {}
"""The token of a presigned URL of the project `shop`, by application."""


async def _token(app: App) -> str:
    listed = await app.get(f"{FEEDBACK}/tokens", params={"run_id": RUN}, headers=_with(KEYS["shop"]))
    return str(listed.json()[0]["id"])


def _ids(rows: dict[str, list[str]]) -> list[str]:
    return [json.loads(text)["id"] for table in ("feedback", "feedback_config") for text in rows[table]]
