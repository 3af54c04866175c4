"""WorkflowAI's official clients for Python (asynchronous only) and JavaScript, unmodified, on real runs."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import workflowai
from workflowai import WorkflowAIError

from tests.clients.node import node
from tests.clients.server_process import ServerProcess

Send = Callable[[list[dict[str, str]]], Awaitable[list[str]]]


@pytest.fixture
async def http(graphs: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=graphs.url) as client:
        yield client


@pytest.fixture
async def run(http: httpx.AsyncClient) -> dict[str, str]:
    """Return a finished run's id, its assistant's id and its feedback token."""
    body = {"assistant_id": "steps", "input": {"total": 1}}
    waited = await http.post("/runs/wait", json=body)
    run_id = waited.headers["content-location"].rsplit("/", 1)[1]
    query = {"graph_id": "steps", "metadata": {"created_by": "system"}}
    [assistant] = (await http.post("/assistants/search", json=query)).json()
    return {"id": run_id, "agent": assistant["assistant_id"], "token": waited.headers["x-feedback-token"]}


@pytest.fixture(params=["python", "javascript"])
def send(request: pytest.FixtureRequest, graphs: ServerProcess) -> Send:
    """Return a function that sends outcomes with one of the clients; each ends as `sent` or in an error."""
    return _Python(graphs.url) if request.param == "python" else _JavaScript(graphs.url)


class _Python:
    def __init__(self, url: str) -> None:
        workflowai.init(api_key="any", url=url)

    async def __call__(self, outcomes: list[dict[str, Any]]) -> list[str]:
        return [await self._send(outcome) for outcome in outcomes]

    async def _send(self, outcome: dict[str, Any]) -> str:
        try:
            await workflowai.send_feedback(**outcome)
        except WorkflowAIError as error:
            return str(error)
        return "sent"


SPELLED = {"feedback_token": "feedbackToken", "user_id": "userID"}


class _JavaScript:
    def __init__(self, url: str) -> None:
        self._url = url

    async def __call__(self, outcomes: list[dict[str, str]]) -> list[str]:
        spelled = [{SPELLED.get(name, name): value for name, value in outcome.items()} for outcome in outcomes]
        ended: list[str] = json.loads(await node("workflowai.mjs", self._url, json.dumps(spelled)))
        return ended


async def own_outcome(http: httpx.AsyncClient, run: dict[str, str], user_id: str) -> str | None:
    """Return the outcome that the user has submitted."""
    response = await http.get("/v1/feedback", params={"feedback_token": run["token"], "user_id": user_id})
    outcome: str | None = response.json()["outcome"]
    return outcome


async def test_outcomes_are_stored_changed_and_listed(send: Send, http: httpx.AsyncClient, run: dict[str, str]) -> None:
    token = run["token"]
    ada = {"feedback_token": token, "user_id": "ada"}
    sent = await send(
        [
            {**ada, "outcome": "positive", "comment": "nice"},
            {**ada, "outcome": "negative", "comment": "é <b>no</b>"},
            {"feedback_token": token, "outcome": "positive", "user_id": "ben"},
            {"feedback_token": token, "outcome": "positive"},
        ]
    )
    assert sent == ["sent"] * 4
    assert [await own_outcome(http, run, user) for user in ("ada", "ben", "carl")] == ["negative", "positive", None]
    page = (await http.get(f"/v1/_/agents/{run['agent']}/runs/{run['id']}/feedback")).json()
    assert page["count"] == 3
    assert [(item.get("user_id"), item["outcome"], item.get("comment")) for item in page["items"]] == [
        (None, "positive", None), ("ben", "positive", None), ("ada", "negative", "é <b>no</b>"),
    ]  # fmt: skip
    of_agent = (await http.get(f"/v1/_/agents/{run['agent']}/feedback", params={"limit": 3})).json()
    assert [item["run_id"] for item in of_agent["items"]] == [run["id"]] * 3


async def test_foreign_token_is_an_error(send: Send, run: dict[str, str]) -> None:
    flipped = run["token"][:-8] + ("A" if run["token"][-8] != "A" else "B") + run["token"][-7:]
    for wrong in ("eyJ0IjoxfQ==.c2ln", flipped, str(uuid.uuid4())):
        [ended] = await send([{"feedback_token": wrong, "outcome": "positive"}])
        assert "Invalid feedback token" in ended or ended == "Failed to send feedback"


async def test_stream_has_its_token_in_event_and_header(http: httpx.AsyncClient, send: Send) -> None:
    body = {"assistant_id": "steps", "input": {"total": 1}}
    async with http.stream("POST", "/runs/stream", json=body) as stream:
        lines = [line async for line in stream.aiter_lines()]
    received = json.loads(lines[1].removeprefix("data: "))
    for token in (received["feedback_token"], stream.headers["x-feedback-token"]):
        assert await send([{"feedback_token": token, "outcome": "negative"}]) == ["sent"]
    feedback = (await http.get("/feedback", params={"run": received["run_id"]})).json()
    assert [one["value"] for one in feedback] == ["negative"]
