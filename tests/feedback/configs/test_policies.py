"""What a second submission of the same subject does under each subject policy, on every route that takes a subject."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from langsmith import Client
from litestar import Litestar
from litestar.testing import AsyncTestClient

from feedback import FeedbackConfig, FeedbackPlugin
from feedback.configs.feedback_config import SubjectPolicy
from feedback.configs.schema import FeedbackConfigCreate
from feedback.errors import FeedbackIsFinal
from feedback.integrations.evalguard import OneTimeSubmission, OneTimeTokenCreate
from feedback.integrations.workflowai import OutcomeCreate
from feedback.schema import FeedbackSubmission
from feedback.tokens.presigned import Order
from tests.feedback.conftest import RUN, mint, stored
from tests.feedback.pages.test_pages import BROWSER, fields, page, press

PROGRAM = {"Accept": "application/json"}
App = AsyncTestClient[Litestar]
FREE = {"type": "freeform"}


async def set_policy(client: App, policy: str, key: str = "user_score") -> None:
    body = {"feedback_key": key, "feedback_config": FREE, "subject_policy": policy}
    created = await client.post("/feedback-configs", json=body)
    assert (created.status_code, created.json()["subject_policy"]) == (200, policy), created.text


async def scores(client: App, **query: object) -> list[object]:
    return [row["score"] for row in await stored(client, **query)]


async def test_feedback_of_one_subject_adds_up_under_append(client: App, token_url: str) -> None:
    await set_policy(client, "append")
    results = [(await client.post(token_url, json={"score": score, "user_id": "ada"})).json() for score in (1, 2, 2)]
    assert [one["status"] for one in results] == ["created"] * 3
    assert (await client.get(token_url, params={"score": 3, "user_id": "ada"}, headers=PROGRAM)).json()[
        "status"
    ] == "created"
    assert await scores(client, user="ada") == [3, 2, 2, 1]
    assert (await client.post(token_url, json={"score": 9, "id": results[0]["id"]})).json()["status"] == "unchanged"


async def test_repeat_does_not_add_up(client: App, token_url: str) -> None:
    await set_policy(client, "append")
    submission, headers = {"score": 1, "user_id": "ada"}, {"Idempotency-Key": "once"}
    statuses = [(await client.post(token_url, json=submission, headers=headers)).json()["status"] for _ in range(2)]
    assert statuses == ["created", "unchanged"]


async def test_latest_appended_feedback_is_read_and_retracted_first(client: App, token_url: str) -> None:
    await set_policy(client, "append")
    for score in (1, 2):
        await client.post(token_url, json={"score": score, "user_id": "ada"})
    for score in (2, 1):
        state = (await client.get(token_url, params={"user_id": "ada"})).json()
        assert (state["subject_policy"], state["feedback"]["score"]) == ("append", score)
        assert (await client.delete(token_url, params={"user_id": "ada"})).json()["status"] == "retracted"
    assert (await client.get(token_url, params={"user_id": "ada"})).json()["feedback"] is None


async def test_first_feedback_is_final_and_another_is_refused(client: App, token_url: str) -> None:
    await set_policy(client, "first")
    submission = {"score": 1, "user_id": "ada", "metadata": {"page": "end"}}
    first = (await client.post(token_url, json=submission)).json()
    assert (first["status"], first["is_final"]) == ("created", True)
    assert (await client.post(token_url, json=submission)).json() == {**first, "status": "unchanged"}
    for refused in (
        await client.post(token_url, json={"score": 0, "user_id": "ada"}),
        await client.get(token_url, params={"score": 0, "user_id": "ada"}, headers=PROGRAM),
        await client.delete(token_url, params={"user_id": "ada"}),
        await client.delete(token_url, params={"id": first["id"]}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "feedback_is_final"), refused.text
    assert (await client.post(token_url, json={"score": 0, "user_id": "bob"})).json()["status"] == "created"
    assert [(await client.post(token_url, json={"score": 5})).json()["status"] for _ in range(2)] == ["created"] * 2
    assert await scores(client) == [5, 5, 0, 1]


async def test_one_of_many_concurrent_first_submissions_is_stored(service: FeedbackPlugin) -> None:
    await service.default.configs.create(FeedbackConfigCreate("k", FeedbackConfig("freeform"), subject_policy="first"))
    url = (await service.urls_for_run(RUN, ["k"], "http://here"))["k"]
    pointer = await service.default.tokens.open(url.rpartition("/")[2])
    submissions = [
        service.default.store.submit(pointer, FeedbackSubmission(score=score, user_id="ada")) for score in range(20)
    ]
    ended = await asyncio.gather(*submissions, return_exceptions=True)
    assert sum(isinstance(one, FeedbackIsFinal) for one in ended) == 19
    assert len(await service.feedback_for_run(RUN)) == 1


async def test_urls_own_policy_goes_before_the_keys(service: FeedbackPlugin) -> None:
    policies: list[SubjectPolicy | None] = ["replace", "append", "first", None]
    await service.default.configs.create(FeedbackConfigCreate("k", FeedbackConfig("freeform"), subject_policy="first"))
    configs: list[FeedbackConfig | None] = [FeedbackConfig("freeform", subject_policy=one) for one in policies]
    for place, token in enumerate(await service.default.tokens.mint([Order(RUN, ["k"] * 4, configs, None)])):
        pointer, user = await service.default.tokens.open(token.token), f"user {place}"
        ended: list[Any] = []
        for score in (1, 2):
            submission = service.default.store.submit(pointer, FeedbackSubmission(score=score, user_id=user))
            ended += await asyncio.gather(submission, return_exceptions=True)
        outcome = ended[1].code if isinstance(ended[1], FeedbackIsFinal) else ended[1].status
        assert outcome == ["updated", "created", "feedback_is_final", "feedback_is_final"][place]


async def test_policy_change_leaves_existing_feedback_unchanged(client: App, token_url: str) -> None:
    async def submit(score: int) -> int:
        return (await client.post(token_url, json={"score": score, "user_id": "ada"})).status_code

    await set_policy(client, "append")
    assert [await submit(1), await submit(2)] == [200, 200]
    for policy, remaining in (("replace", [4, 2, 1]), ("append", [4, 3, 4, 2, 1]), ("first", [4, 3, 4, 2, 1])):
        await client.patch("/feedback-configs", json={"feedback_key": "user_score", "subject_policy": policy})
        assert [await submit(3), await submit(4)] == ([409, 409] if policy == "first" else [200, 200])
        assert await scores(client) == remaining
    assert (await client.post(token_url, json={"score": 1, "user_id": "ada"})).json()["status"] == "unchanged"


async def test_programs_feedback_follows_the_policy(client: App) -> None:
    source = {"type": "app", "user_id": "ada"}
    for policy, statuses, remaining in (("append", [200, 200], [2, 1]), ("first", [200, 409], [1])):
        await set_policy(client, policy, policy)
        bodies = [{"key": policy, "run_id": RUN, "score": n, "feedback_source": source} for n in (1, 2)]
        assert [(await client.post("/feedback", json=body)).status_code for body in bodies] == statuses
        assert await scores(client, key=policy) == remaining
    [first] = await stored(client, key="first")
    changed = await client.post("/feedback", json={**bodies[1], "id": first["id"]})
    assert (changed.status_code, changed.json()["score"]) == (200, 2), "the id names that feedback"
    own = {"key": "append", "run_id": RUN, "score": 3, "feedback_source": source}
    refused = await client.post("/feedback", json={**own, "feedback_config": {**FREE, "subject_policy": "first"}})
    assert refused.status_code == 409


async def test_outcomes_follow_the_policy_of_their_key(service: FeedbackPlugin) -> None:
    await service.default.configs.create(
        FeedbackConfigCreate("outcome", FeedbackConfig("freeform"), subject_policy="append")
    )
    token = service.token_for_run(RUN)
    for outcome in ("positive", "negative"):
        await service.default.workflowai_feedback.submit(OutcomeCreate(token, outcome, user_id="ada"))  # type: ignore[arg-type]
    assert (await service.default.workflowai_feedback.find_own(token, "ada")).outcome == "negative"
    assert (await service.default.workflowai_feedback.page("_", None, 10, 0)).count == 2


async def test_late_outcome_is_refused_in_workflowais_shape(client: App) -> None:
    await set_policy(client, "first", "outcome")
    service = next(plugin for plugin in client.app.plugins if isinstance(plugin, FeedbackPlugin))
    body = {"feedback_token": service.token_for_run(RUN), "outcome": "positive", "user_id": "ada"}
    first, repeat = [(await client.post("/v1/feedback", json=body)).json() for _ in range(2)]
    assert first == repeat
    refused = await client.post("/v1/feedback", json={**body, "outcome": "negative"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "feedback_is_final")
    listed = (await client.get("/v1/_/agents/_/feedback")).json()
    assert [item["outcome"] for item in listed["items"]] == ["positive"]


async def test_one_time_submissions_add_up_under_every_policy(service: FeedbackPlugin) -> None:
    await service.default.configs.create(
        FeedbackConfigCreate("trace", FeedbackConfig("freeform"), subject_policy="first")
    )
    for score in (0, 1):
        token = await service.default.one_time.mint(OneTimeTokenCreate("trace", RUN), "key")
        assert (await service.default.one_time.spend(OneTimeSubmission(token.token, score=score))).status == "created"


async def test_page_offers_no_undo_of_final_feedback(client: App, token_url: str) -> None:
    await set_policy(client, "first")
    form = await page(client, token_url + "?score=1&user_id=ada")
    assert "cannot be changed later" in form
    assert "cannot be changed later" not in await page(client, token_url + "?score=1"), "anonymous feedback"
    thanks = await press(client, token_url, form)
    assert ("Thank you" in thanks, "Undo" in thanks) == (True, False)
    assert "Thank you" in await press(client, token_url, form), "pressing the button twice is accepted"
    again = await page(client, token_url + "?score=0&user_id=ada")
    late = await client.post(token_url, data=fields(again), headers=BROWSER)
    assert (late.status_code, "You have given feedback already" in late.text, "Try again" in late.text) == (
        409,
        True,
        False,
    )
    [feedback] = await stored(client)
    undone = await client.post(token_url, data={"undo": str(feedback["id"])}, headers=BROWSER)
    assert (undone.status_code, await scores(client)) == (409, [1])
    anonymous = await press(client, token_url, await page(client, token_url + "?score=1"))
    assert "Undo" in anonymous, "anonymous feedback never blocks other feedback"


async def test_page_adds_feedback_and_undoes_only_its_own(client: App, token_url: str) -> None:
    await set_policy(client, "append")
    for score in (0, 1):
        thanks = await press(client, token_url, await page(client, f"{token_url}?score={score}&user_id=ada"))
    assert await scores(client) == [1, 0]
    await press(client, token_url, thanks)
    assert await scores(client) == [0]


def test_langsmiths_client_sets_the_policy_within_the_config(server: str) -> None:
    client = Client(api_url=server, api_key="any", auto_batch_tracing=False)
    within: Any = {**FREE, "subject_policy": "append"}
    created = client.create_feedback_config("k", feedback_config=within)
    assert created.feedback_config == FREE
    token = client.create_presigned_feedback_token(RUN, "other", feedback_config={**within, "subject_policy": "first"})
    client.create_feedback_from_token(token.url, score=1)
    assert [config.feedback_key for config in client.list_feedback_configs()] == ["k"]
    client.close()


async def test_all_configs_of_a_key_share_its_policy(client: App) -> None:
    await set_policy(client, "append", "k")
    enforced = {"feedback_key": "k", "feedback_config": {"type": "continuous", "min": 0, "max": 1}, "is_enforced": True}
    assert (await client.post("/feedback-configs", json=enforced)).json()["subject_policy"] == "append"
    patched = await client.patch("/feedback-configs", json={"feedback_key": "k", "subject_policy": "first"})
    assert patched.json()["subject_policy"] == "first"
    listed = (await client.get("/feedback-configs", params={"include_all_configs": True})).json()
    assert [config["subject_policy"] for config in listed] == ["first", "first"]
    patched = await client.patch("/feedback-configs", json={"feedback_key": "k", "is_lower_score_better": True})
    assert (patched.json()["subject_policy"], patched.json()["is_lower_score_better"]) == ("first", True)


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        ({"subject_policy": "last"}, 422, "subject_policy"),
        ({"feedback_config": {**FREE, "subject_policy": "first"}, "subject_policy": "append"}, 422, "one of the two"),
        ({"subject_policy": "append"}, 400, "`subject_policy` is another"),
        ({"is_lower_score_better": True}, 400, "`is_lower_score_better` is another"),
    ],
)
async def test_policy_that_is_none_or_another_is_refused(
    client: App, more: dict[str, Any], status: int, message: str
) -> None:
    await set_policy(client, "first", "k")
    refused = await client.post("/feedback-configs", json={"feedback_key": "k", "feedback_config": FREE, **more})
    assert (refused.status_code, message in refused.json()["detail"]) == (status, True), refused.text


async def test_id_of_another_subjects_feedback_is_a_conflict(client: App) -> None:
    """The id belongs to the feedback of another subject."""
    bodies = [
        {"id": str(uuid.uuid4()), "key": "k", "run_id": RUN, "score": 1, "feedback_source": {"user_id": user}}
        for user in ("ada", "bob")
    ]
    for body in bodies:
        await client.post("/feedback", json=body)
    refused = await client.post("/feedback", json={**bodies[1], "feedback_source": {"user_id": "ada"}})
    assert refused.status_code == 409, refused.text


async def test_minted_url_shows_its_policy(client: App) -> None:
    url = await mint(client, "k", feedback_config={**FREE, "subject_policy": "first"})
    assert (await client.get(url)).json()["subject_policy"] == "first"
    assert (await client.get(await mint(client, "k"))).json()["subject_policy"] == "replace"
