"""Every recorded feedback request of the official clients gets the response that the client needs.

The client's own behaviour (retries, parsing) is tested where the client runs.
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
    "token": lambda body: schemas.FeedbackIngestToken(**body),
    "tokens": each(schemas.FeedbackIngestToken),
    "feedback": lambda body: schemas.Feedback(**body),
    "feedbacks": each(schemas.Feedback),
    "config": lambda body: schemas.FeedbackConfigSchema(**body),
    "configs": each(schemas.FeedbackConfigSchema),
    "info": lambda info: schemas.LangSmithInfo(**info).version,
    "result": lambda body: body["id"],
    "one-time token": lambda body: body["token"] and body["expires_at"],
}
"""How a client reads each kind of response. An error or a false result means that the client cannot use it."""


@pytest.fixture
def plugin(database_url: str) -> FeedbackPlugin:
    return FeedbackPlugin(open_database(database_url))


@pytest.fixture
async def app(plugin: FeedbackPlugin) -> AsyncIterator[AsyncTestClient[Litestar]]:
    async with AsyncTestClient(Litestar(plugins=[plugin]), raise_server_exceptions=False) as client:
        yield client


async def replay(app: httpx.AsyncClient, base: str, recorded: list[Recorded], run_token: str) -> dict[str, Any]:
    """Return the calls whose responses their clients cannot use, with the status and text of each."""
    token, wrong = "", {}
    for call, method, path, body, needed in recorded:
        sent = None if body is None else json.loads(json.dumps(body).replace("{run_token}", run_token))
        response = await app.request(method, base + path.replace("{token}", token), json=sent, headers=HEADERS)
        if not is_usable(response, needed):
            wrong[call] = (response.status_code, response.text)
        elif needed == "token":
            token = token or response.json()["id"]
    return wrong


def is_usable(response: httpx.Response, needed: str | int) -> bool:
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
