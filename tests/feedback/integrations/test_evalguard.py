"""EvalGuard's API: the recorded requests of its Python client, and one submission a token."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import multiprocessing
import uuid
from collections.abc import AsyncIterator
from multiprocessing.synchronize import Barrier
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin
from feedback.errors import TokenUsed
from feedback.integrations.evalguard import OneTimeSubmission, OneTimeTokenCreate
from tests.feedback.conftest import RUN

KEY = {"Authorization": "Bearer eg_key", "User-Agent": "evalguard-sdk-python/2.2.3"}
WANTED = {"resource_type": "eval_run", "resource_id": RUN, "expires_in_seconds": 3600}


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[AsyncTestClient[Litestar]]:
    plugin = FeedbackPlugin(open_database(database_url), api_keys=["eg_key", "other"])
    async with AsyncTestClient(Litestar(plugins=[plugin]), raise_server_exceptions=False) as client:
        yield client


async def mint(app: httpx.AsyncClient, **more: Any) -> httpx.Response:
    headers = KEY | {"Idempotency-Key": more.pop("idempotency", str(uuid.uuid4()))}
    return await app.post("/api/v1/feedback/token", json=WANTED | more, headers=headers)


async def spend(app: httpx.AsyncClient, token: str, **fields: Any) -> httpx.Response:
    return await app.post("/api/v1/feedback/submit", json={"token": token, **fields})


async def test_token_is_minted_and_spent_once(app: Any) -> None:
    minted = await mint(app)
    assert (minted.status_code, set(minted.json())) == (200, {"token", "expires_at"})
    expires = datetime.datetime.fromisoformat(minted.json()["expires_at"])
    left = expires - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(minutes=59) < left <= datetime.timedelta(hours=1)
    token = minted.json()["token"]
    first, second = await spend(app, token, score=1.0, label="good", comment="n"), await spend(app, token, score=0)
    assert (first.status_code, first.json()["status"]) == (200, "created")
    assert (second.status_code, second.json()["success"], second.json()["error"]["code"]) == (410, False, "token_used")
    [feedback] = (await app.get("/feedback", params={"run": RUN}, headers=KEY)).json()
    assert [feedback[name] for name in ("key", "score", "value", "comment")] == ["eval_run", 1.0, "good", "n"]


@pytest.mark.parametrize("resource", ["eval_run", "trace", "annotation"])
async def test_every_resource_type_accepts_a_submission(app: Any, resource: str) -> None:
    token = (await mint(app, resource_type=resource, resource_id="anything 7")).json()["token"]
    assert (await spend(app, token, label="good")).status_code == 200
    [feedback] = (await app.get("/feedback", params={"run": "anything 7"}, headers=KEY)).json()
    assert (feedback["key"], feedback["value"]) == (resource, "good")


async def test_same_idempotency_key_gets_the_same_token(app: Any) -> None:
    first, again = await mint(app, idempotency="k"), await mint(app, idempotency="k")
    assert first.json() == again.json()
    assert (await mint(app)).json()["token"] != first.json()["token"]
    assert (await mint(app, idempotency="k", resource_id="another")).status_code == 400


async def test_repeat_of_the_spending_request_changes_nothing(app: Any) -> None:
    body = {"token": (await mint(app)).json()["token"], "score": 1}
    headers = {"Idempotency-Key": "k"}
    responses = [await app.post("/api/v1/feedback/submit", json=body, headers=headers) for _ in range(2)]
    assert [response.json()["status"] for response in responses] == ["created", "unchanged"]
    assert len({response.json()["id"] for response in responses}) == 1


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eg_key"}])
async def test_mint_without_the_right_key_is_refused(app: Any, headers: dict[str, str]) -> None:
    refused = await app.post("/api/v1/feedback/token", json=WANTED, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthorized")
    assert refused.headers["www-authenticate"] == "Bearer"


async def test_service_without_keys_wants_any_bearer_for_minting(client: Any) -> None:
    assert (await client.post("/api/v1/feedback/token", json=WANTED)).status_code == 401
    assert (await mint(client)).status_code == 200


WRONG_REQUESTS: list[dict[str, Any]] = [
    {"resource_type": "dataset"},
    {"resource_id": ""},
    {"resource_id": 7},
    {"expires_in_seconds": 0},
    {"expires_in_seconds": 86_401},
    {"expires_in_seconds": "soon"},
]


async def test_wrong_request_is_a_400_that_says_why(app: Any, subtests: pytest.Subtests) -> None:
    for wrong in WRONG_REQUESTS:
        with subtests.test(wrong=wrong):
            refused = await mint(app, **wrong)
            assert (refused.status_code, refused.json()["success"]) == (400, False)
            assert next(iter(wrong)) in refused.json()["error"]["message"]


async def test_empty_submission_is_refused_and_spends_nothing(app: Any) -> None:
    token = (await mint(app)).json()["token"]
    assert (await spend(app, token)).status_code == 400
    assert (await spend(app, token, score="x")).status_code == 400
    assert (await spend(app, token, score=1)).status_code == 200


async def test_forged_token_is_unknown(app: Any) -> None:
    refused = await spend(app, "AQID" * 20, score=1)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "token_unknown")


async def test_keys_close_everything_but_submission_routes(app: Any) -> None:
    for path in ("/feedback", f"/api/v1/feedback/tokens?run_id={RUN}", "/feedback-configs", "/v1/_/agents/_/feedback"):
        assert (await app.get(path)).status_code == 401, path
        assert (await app.get(path, headers={"x-api-key": "other"})).status_code == 200, path
    body = {"run_id": RUN, "feedback_key": "k"}
    url = (await app.post("/feedback/tokens", json=body, headers=KEY)).json()["id"]
    assert (await app.post(f"/feedback/tokens/{url}", json={"score": 1})).status_code == 200
    assert (await app.get("/info")).status_code == 200


async def test_token_is_spent_once_by_many_at_once(service: FeedbackPlugin) -> None:
    token = (await service.default.one_time.mint(OneTimeTokenCreate("trace", RUN), "k")).token
    submissions = [service.default.one_time.spend(OneTimeSubmission(token, score=number)) for number in range(20)]
    ended = await asyncio.gather(*submissions, return_exceptions=True)
    assert sum(isinstance(one, TokenUsed) for one in ended) == 19
    assert len(await service.feedback_for_run(RUN)) == 1


async def _spend_all(url: str, tokens: list[str], barrier: Barrier, number: int) -> int:
    async with FeedbackPlugin(open_database(url)).open() as service:
        barrier.wait(30)
        spent = 0
        for token in tokens:
            with contextlib.suppress(TokenUsed):
                spent += (
                    await service.default.one_time.spend(OneTimeSubmission(token, score=number))
                ).status == "created"
        return spent


def _racer(url: str, tokens: list[str], barrier: Any, number: int, results: Any) -> None:
    results.put(asyncio.run(_spend_all(url, tokens, barrier, number)))


@pytest.mark.timeout(180)
async def test_concurrent_processes_spend_a_token_once(database_url: str) -> None:
    async with FeedbackPlugin(open_database(database_url)).open() as service:
        tokens = [(await service.default.one_time.mint(OneTimeTokenCreate("trace", RUN), "k")).token for _ in range(25)]
        spawn = multiprocessing.get_context("spawn")
        results, barrier = spawn.Queue(), spawn.Barrier(4)
        racers = [
            spawn.Process(target=_racer, args=(database_url, tokens, barrier, number, results)) for number in range(4)
        ]
        for racer in racers:
            racer.start()
        spent = [await asyncio.to_thread(results.get, True, 90) for _ in racers]
        for racer in racers:
            await asyncio.to_thread(racer.join, 30)
        assert sum(spent) == 25
        assert len(await service.feedback_for_run(RUN)) == 25
