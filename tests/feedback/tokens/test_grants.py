"""What a token grants: its expiry, uses and revocation; how its holder reads and withdraws their own feedback."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from feedback import FeedbackPlugin
from feedback.errors import TokenRevoked, TokenUsed
from feedback.integrations.evalguard import OneTimeSubmission, OneTimeTokenCreate
from feedback.integrations.workflowai import OutcomeCreate
from feedback.schema import FeedbackSubmission
from feedback.tokens.presigned import Order
from tests.feedback.conftest import RUN, mint, stored

App = AsyncTestClient[Litestar]


async def test_url_accepts_its_number_of_submissions(client: App) -> None:
    url = await mint(client, max_uses=2)
    statuses = [(await client.post(url, json={"score": score})).status_code for score in range(3)]
    assert statuses == [200, 200, 410]
    refused = await client.post(url, json={"score": 1})
    assert (refused.json()["code"], "2 times" in refused.json()["detail"]) == ("token_used", True)
    assert len(await stored(client)) == 2


async def test_change_of_mind_is_no_other_use(client: App) -> None:
    url = await mint(client, max_uses=1)
    for score in (0, 1):
        assert (await client.post(url, json={"score": score, "user_id": "ada"})).status_code == 200
    assert (await client.post(url, json={"score": 1, "user_id": "bob"})).status_code == 410
    assert (await client.delete(url, params={"user_id": "ada"})).status_code == 200
    assert (await client.post(url, json={"score": 1, "user_id": "bob"})).status_code == 200


async def test_repeat_is_no_other_use(client: App) -> None:
    url = await mint(client, max_uses=1)
    for status in ("created", "unchanged"):
        response = await client.post(url, json={"score": 1}, headers={"Idempotency-Key": "k"})
        assert response.json()["status"] == status


async def test_each_url_of_a_batch_has_its_uses(client: App) -> None:
    wanted = [{"run_id": RUN, "feedback_key": key, "max_uses": 1} for key in "ab"]
    tokens = (await client.post("/feedback/tokens", json=wanted)).json()
    for token in tokens:
        url = f"/feedback/tokens/{token['id']}"
        assert [(await client.post(url, json={"score": 1})).status_code for _ in range(2)] == [200, 410]


async def test_batch_may_be_for_several_runs(client: App) -> None:
    runs = [str(uuid.uuid4()) for _ in range(3)]
    wanted = [{"run_id": run, "feedback_key": key} for key in "ab" for run in runs]
    tokens = (await client.post("/feedback/tokens", json=wanted)).json()
    for number, token in enumerate(tokens):
        await client.post(f"/feedback/tokens/{token['id']}", json={"score": number})
    for number, run in enumerate(runs):
        listed = (await client.get("/feedback", params={"run": run})).json()
        assert [(feedback["key"], feedback["score"]) for feedback in listed] == [("b", number + 3), ("a", number)]


async def test_concurrent_submissions_share_the_last_use(service: FeedbackPlugin) -> None:
    [token] = await service.default.tokens.mint([Order(RUN, ["k"], [None], None, max_uses=3)])
    pointer = await service.default.tokens.open(token.token)
    submissions = [service.default.store.submit(pointer, FeedbackSubmission(score=number)) for number in range(20)]
    ended = await asyncio.gather(*submissions, return_exceptions=True)
    assert sum(isinstance(one, TokenUsed) for one in ended) == 17
    assert len(await service.feedback_for_run(RUN)) == 3


@pytest.mark.parametrize("uses", [0, -1, 10**10, "many"])
async def test_invalid_number_of_uses_is_refused(client: App, uses: Any) -> None:
    refused = await client.post("/feedback/tokens", json={"run_id": RUN, "feedback_key": "k", "max_uses": uses})
    assert (refused.status_code, "max_uses" in refused.json()["detail"]) == (422, True)


async def test_expiry_never_makes_a_permanent_url(client: App) -> None:
    body = {"run_id": RUN, "feedback_key": "k", "expires_at": "never"}
    token = (await client.post("/feedback/tokens", json=body)).json()
    assert token["expires_at"] == "9999-12-31T23:59:59+00:00"
    assert (await client.post(f"/feedback/tokens/{token['id']}", json={"score": 1})).status_code == 200
    assert (await client.get("/feedback/tokens", params={"run_id": RUN})).json() == [token]


async def test_revoked_token_is_refused_and_its_siblings_work(client: App) -> None:
    wanted = [{"run_id": RUN, "feedback_key": key} for key in "ab"]
    one, other = [
        f"/feedback/tokens/{token['id']}" for token in (await client.post("/feedback/tokens", json=wanted)).json()
    ]
    await client.post(one, json={"score": 1})
    assert (await client.post(f"{one}/revoke")).json() == {"revoked": 1}
    assert (await client.post(f"{one}/revoke")).json() == {"revoked": 0}
    refused = await client.post(one, json={"score": 1})
    assert (refused.status_code, refused.json()["code"]) == (410, "token_revoked")
    assert (await client.post(other, json={"score": 1})).status_code == 200
    assert len(await stored(client)) == 2
    assert (await client.post(f"/feedback/tokens/{uuid.uuid4()}/revoke")).status_code == 404


async def test_revoked_url_is_listed_as_revoked(client: App) -> None:
    wanted = [{"run_id": RUN, "feedback_key": key} for key in "abc"]
    first = [token["id"] for token in (await client.post("/feedback/tokens", json=wanted)).json()]
    await client.post(f"/feedback/tokens/{first[1]}/revoke")
    await client.delete("/feedback/tokens", params={"run_id": RUN})
    later = [token["id"] for token in (await client.post("/feedback/tokens", json=wanted)).json()]
    await client.post(f"/feedback/tokens/{later[2]}/revoke")
    listed = (await client.get("/feedback/tokens", params={"run_id": RUN})).json()
    assert [token["id"] for token in listed] == first + later
    assert [token["revoked"] for token in listed] == [True, True, True, False, False, True]
    page = (await client.get("/feedback/tokens", params={"run_id": RUN, "offset": 2, "limit": 2})).json()
    assert page == listed[2:4]


async def test_revocation_of_a_run_spares_later_tokens(client: App) -> None:
    urls = [await mint(client) for _ in range(2)]
    assert (await client.delete("/feedback/tokens", params={"run_id": RUN})).json() == {"revoked": 2}
    for url in urls:
        assert (await client.post(url, json={"score": 1})).status_code == 410
    assert (await client.post(await mint(client), json={"score": 1})).status_code == 200
    for query in ({}, {"run_id": RUN, "ring_key": 1}, {"ring_key": 0}):
        assert (await client.delete("/feedback/tokens", params=query)).status_code == 422


async def test_revocation_of_a_signing_key_covers_all_families(service: FeedbackPlugin) -> None:
    async def submit_all(url: str, outcome: str, once: str) -> list[Any]:
        pointer = await service.default.tokens.open(url)
        return await asyncio.gather(
            service.default.store.submit(pointer, FeedbackSubmission(score=1)),
            service.default.workflowai_feedback.submit(OutcomeCreate(outcome, "positive")),
            service.default.one_time.spend(OneTimeSubmission(once, score=1)),
            return_exceptions=True,
        )

    async def tokens() -> list[str]:
        url = (await service.urls_for_run(RUN, ["k"], "http://here"))["k"].rpartition("/")[2]
        once = await service.default.one_time.mint(OneTimeTokenCreate("trace", RUN), "key")
        return [url, service.token_for_run(RUN), once.token]

    old = await tokens()
    await service.ring.rotate()
    new = await tokens()
    assert (await service.default.revocation.revoke_ring_key(1)).revoked == 1
    assert [type(ended) for ended in await submit_all(*old)] == [TokenRevoked] * 3
    assert not any(isinstance(ended, Exception) for ended in await submit_all(*new))


@pytest.mark.parametrize("by", ["token", "run"])
async def test_sealed_token_is_revoked(service: FeedbackPlugin, by: str) -> None:
    token, other = service.token_for_run(RUN), service.token_for_run(str(uuid.uuid4()))
    await (
        service.default.revocation.revoke_token(token) if by == "token" else service.default.revocation.revoke_run(RUN)
    )
    with pytest.raises(TokenRevoked):
        await service.default.workflowai_feedback.submit(OutcomeCreate(token, "positive"))
    for good in (other, service.token_for_run(RUN)):
        assert (await service.default.workflowai_feedback.submit(OutcomeCreate(good, "positive"))).outcome == "positive"


async def test_own_feedback_is_read_by_user_or_id(client: App, token_url: str) -> None:
    feedback = (await client.post(token_url, json={"score": 0, "user_id": "ada"})).json()
    await client.post(token_url, json={"score": 1, "comment": "hm", "user_id": "ada"})
    anonymous = (await client.post(token_url, json={"score": 0.5})).json()
    for query, score in (({"user_id": "ada"}, 1), ({"id": feedback["id"]}, 1), ({"id": anonymous["id"]}, 0.5)):
        read = (await client.get(token_url, params={**query, "format": "json"})).json()
        assert (read["key"], read["feedback"]["score"]) == ("user_score", score)
    html = {"Accept": "text/html"}
    assert (await client.get(token_url, params={"format": "json"}, headers=html)).json()["feedback"] is None


async def test_own_feedback_includes_its_metadata(client: App, token_url: str) -> None:
    for metadata in ({"reasons": ["Wrong", "Too long"]}, None):
        await client.post(token_url, json={"score": 0, "metadata": metadata, "user_id": "ada"})
        read = await client.get(token_url, params={"user_id": "ada", "format": "json"})
        assert read.json()["feedback"]["metadata"] == metadata


async def test_only_own_feedback_is_read_or_retracted(client: App, token_url: str) -> None:
    other_key = await mint(client, "other")
    other_run = await client.post("/feedback/tokens", json={"run_id": "another", "feedback_key": "user_score"})
    feedback = (await client.post(token_url, json={"score": 1, "user_id": "ada"})).json()
    body = {"key": "user_score", "run_id": RUN, "score": 1, "feedback_source": {"type": "api", "user_id": "eve"}}
    recorded = (await client.post("/feedback", json=body)).json()
    for url, query in (
        (token_url, {}),
        (token_url, {"user_id": "bob"}),
        (token_url, {"user_id": "bob", "id": feedback["id"]}),
        (token_url, {"id": recorded["id"]}),
        (token_url, {"user_id": "eve"}),
        (other_key, {"id": feedback["id"]}),
        (other_key, {"user_id": "ada"}),
        (f"/feedback/tokens/{other_run.json()['id']}", {"id": feedback["id"]}),
    ):
        assert (await client.get(url, params=query)).json()["feedback"] is None
        assert (await client.delete(url, params=query)).status_code == (404 if query else 422)
    assert len(await stored(client)) == 2


@pytest.mark.parametrize("named", [True, False])
async def test_retracted_feedback_is_in_the_history(client: App, token_url: str, named: bool) -> None:
    feedback = (await client.post(token_url, json={"score": 1, **({"user_id": "ada"} if named else {})})).json()
    query = {"user_id": "ada"} if named else {"id": feedback["id"]}
    gone = await client.delete(token_url, params=query)
    assert (gone.status_code, gone.json()) == (200, {"id": feedback["id"], "status": "retracted"})
    assert await stored(client) == []
    assert (await client.delete(token_url, params=query)).status_code == 404
