"""Every request about feedback that the official clients were recorded to send is answered as the client needs it.

What needs the client itself (its retries, what it makes of an answer) is in the tests that run it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from langsmith import schemas
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin
from tests.feedback.recorded_requests import EVALGUARD, JAVASCRIPT, PYTHON, WORKFLOWAI, Recorded

HEADERS = {"x-api-key": "any", "Authorization": "Bearer any", "Accept": "application/json"}


def each(kind: Callable[..., Any]) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda listed: len(listed) > 0 and all(kind(**one) for one in listed)


NEEDS: dict[str, Callable[[Any], Any]] = {
    "token": lambda made: schemas.FeedbackIngestToken(**made),
    "tokens": each(schemas.FeedbackIngestToken),
    "feedback": lambda made: schemas.Feedback(**made),
    "feedbacks": each(schemas.Feedback),
    "config": lambda made: schemas.FeedbackConfigSchema(**made),
    "configs": each(schemas.FeedbackConfigSchema),
    "info": lambda info: schemas.LangSmithInfo(**info).version,
    "kept": lambda kept: kept["id"],
    "one-time token": lambda made: made["token"] and made["expires_at"],
}
"""What the clients make of an answer; it raises, or is false, where they could make nothing of it."""


@pytest.fixture
def plugin(database_url: str) -> FeedbackPlugin:
    return FeedbackPlugin(open_database(database_url))


@pytest.fixture
async def app(plugin: FeedbackPlugin) -> AsyncIterator[AsyncTestClient[Litestar]]:
    async with AsyncTestClient(Litestar(plugins=[plugin]), raise_server_exceptions=False) as client:
        yield client


async def replay(app: httpx.AsyncClient, base: str, recorded: list[Recorded], run_token: str) -> dict[str, Any]:
    """The calls whose answers their clients could make nothing of, each with the answer."""
    token, wrong = "", {}
    for call, method, path, body, needed in recorded:
        sent = None if body is None else json.loads(json.dumps(body).replace("{run_token}", run_token))
        response = await app.request(method, base + path.replace("{token}", token), json=sent, headers=HEADERS)
        if not answers(response, needed):
            wrong[call] = (response.status_code, response.text)
        elif needed == "token":
            token = token or response.json()["id"]
    return wrong


def answers(response: httpx.Response, needed: str | int) -> bool:
    if isinstance(needed, int):
        return response.status_code == needed
    return response.is_success and bool(NEEDS[needed](response.json()))


@pytest.mark.parametrize("base", ["", "/api", "/api/v1"])
async def test_recorded_langsmith_requests_succeed(app: Any, base: str) -> None:
    assert await replay(app, base, PYTHON, "") == {}
    assert await replay(app, base, JAVASCRIPT, "") == {}


async def test_recorded_workflowai_and_evalguard_requests_succeed(
    app: Any, plugin: FeedbackPlugin, run_id: str
) -> None:
    assert await replay(app, "", WORKFLOWAI, plugin.token_for_run(run_id)) == {}
    assert await replay(app, "", EVALGUARD, "") == {}
