"""Configurations of feedback keys, through LangSmith's client and over HTTP; submissions are checked against them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from langsmith import Client
from langsmith.utils import LangSmithConflictError, LangSmithError, LangSmithNotFoundError
from litestar import Litestar
from litestar.testing import AsyncTestClient

from feedback import FeedbackConfig, FeedbackPlugin
from feedback.configs.schema import FeedbackConfigCreate
from tests.feedback.conftest import RUN, mint, stored

App = AsyncTestClient[Litestar]
STARS: Any = {"type": "continuous", "min": 1, "max": 5}
TOPICS: Any = {
    "type": "categorical",
    "categories": [{"value": 0, "label": "a"}, {"value": 1, "label": "b"}],
    "allows_multiple_categories": True,
}


@pytest.fixture(params=["", "/api", "/api/v1"])
def langsmith(request: pytest.FixtureRequest, server: str) -> Iterator[Client]:
    client = Client(api_url=server + str(request.param), api_key="any", auto_batch_tracing=False)
    yield client
    client.close()


def test_config_is_created_listed_changed_and_deleted(langsmith: Client) -> None:
    created = langsmith.create_feedback_config("stars", feedback_config=STARS)
    assert (created.feedback_key, created.feedback_config, created.is_lower_score_better) == ("stars", STARS, False)
    assert (created.is_first, created.is_enforced, created.is_deleted) == (True, False, False)
    assert langsmith.create_feedback_config("stars", feedback_config=STARS) == created
    changed = langsmith.update_feedback_config("stars", is_lower_score_better=True)
    assert (changed.id, changed.feedback_config, changed.is_lower_score_better) == (created.id, STARS, True)
    wider = langsmith.update_feedback_config("stars", feedback_config={**STARS, "max": 10}, config_id=created.id)
    assert wider.feedback_config["max"] == 10
    assert wider.modified_at > created.modified_at
    assert [config.id for config in langsmith.list_feedback_configs(feedback_key=["stars"])] == [created.id]
    langsmith.delete_feedback_config("stars")
    assert list(langsmith.list_feedback_configs()) == []
    assert [config.is_deleted for config in langsmith.list_feedback_configs(include_all_configs=True)] == [True]
    again = langsmith.create_feedback_config("stars", feedback_config=STARS, is_lower_score_better=False)
    assert again.id != created.id
    langsmith.delete_feedback_config(config_id=again.id)
    assert list(langsmith.list_feedback_configs()) == []


def test_categories_are_added_and_removed(langsmith: Client) -> None:
    langsmith.create_feedback_config("topics", feedback_config=TOPICS)
    more = langsmith.add_feedback_categories("topics", [{"value": 2, "label": "c"}])
    assert [category["label"] for category in more.feedback_config["categories"] or []] == ["a", "b", "c"]
    assert more.feedback_config["allows_multiple_categories"] is True
    less = langsmith.remove_feedback_categories("topics", [0])
    assert [category["label"] for category in less.feedback_config["categories"] or []] == ["b", "c"]
    for wrong in (lambda: langsmith.remove_feedback_categories("topics", [1]),
                  lambda: langsmith.remove_feedback_categories("topics", [7]),
                  lambda: langsmith.add_feedback_categories("topics", [{"value": 1, "label": "new"}]),
                  lambda: langsmith.add_feedback_categories("topics", [{"value": 9, "label": "b"}])):  # fmt: skip
        with pytest.raises(LangSmithError, match="422"):
            wrong()
    langsmith.create_feedback_config("stars", feedback_config=STARS)
    with pytest.raises(LangSmithError, match="only a categorical one has categories"):
        langsmith.add_feedback_categories("stars", [{"value": 2, "label": "c"}])


def test_second_config_is_refused_unless_it_is_enforced(langsmith: Client) -> None:
    first = langsmith.create_feedback_config("k", feedback_config=STARS, is_lower_score_better=True)
    with pytest.raises(LangSmithError, match="Feedback config already exists"):
        langsmith.create_feedback_config("k", feedback_config={"type": "freeform"})
    enforced = langsmith.create_feedback_config("k", feedback_config={"type": "freeform"}, is_enforced=True)
    assert (enforced.is_first, enforced.is_enforced, enforced.is_lower_score_better) == (False, True, True)
    with pytest.raises(LangSmithConflictError):
        langsmith.create_feedback_config("k", feedback_config=TOPICS, is_enforced=True)
    assert [config.id for config in langsmith.list_feedback_configs()] == [enforced.id]
    assert {config.id for config in langsmith.list_feedback_configs(include_all_configs=True)} == {
        first.id,
        enforced.id,
    }
    assert [config.id for config in langsmith.list_feedback_configs(is_enforced=False)] == [first.id]
    langsmith.delete_feedback_config(config_id=enforced.id)
    assert [config.id for config in langsmith.list_feedback_configs()] == [first.id]


def test_configs_are_listed_in_pages_by_key(langsmith: Client) -> None:
    for number in range(103):
        langsmith.create_feedback_config(f"key_{number:03}", feedback_config=STARS)
    assert [config.feedback_key for config in langsmith.list_feedback_configs()] == [f"key_{n:03}" for n in range(103)]
    assert len(list(langsmith.list_feedback_configs(name_contains="KEY_10"))) == 3
    assert list(langsmith.list_feedback_configs(name_contains="%")) == []
    assert len(list(langsmith.list_feedback_configs(limit=2, offset=1))) == 2


def test_config_that_is_not_there_is_not_found(langsmith: Client) -> None:
    with pytest.raises(LangSmithNotFoundError, match="create it first"):
        langsmith.update_feedback_config("nothing", is_lower_score_better=True)
    langsmith.create_feedback_config("k", feedback_config=STARS)
    with pytest.raises(LangSmithNotFoundError):
        langsmith.update_feedback_config("k", config_id=uuid.uuid4(), is_lower_score_better=True)
    langsmith.delete_feedback_config("nothing")


def test_programs_feedback_must_fit_the_keys_config(langsmith: Client) -> None:
    langsmith.create_feedback_config("stars", feedback_config=STARS)
    session = uuid.uuid4()
    with pytest.raises(LangSmithError, match="from 1 to 5"):
        langsmith.create_feedback(RUN, "stars", score=6, session_id=session)
    feedback = langsmith.create_feedback(RUN, "stars", score=5, session_id=session)
    with pytest.raises(LangSmithError, match="from 1 to 5"):
        langsmith.update_feedback(feedback.id, score=0)
    langsmith.update_feedback(feedback.id, comment="it stays five")
    own: Any = {"type": "continuous", "min": 0, "max": 10}
    langsmith.create_feedback(RUN, "stars", score=6, session_id=session, feedback_config=own)
    langsmith.create_feedback_config("stars", feedback_config={**STARS, "max": 7}, is_enforced=True)
    with pytest.raises(LangSmithError, match="from 1 to 7"):
        langsmith.create_feedback(RUN, "stars", score=8, session_id=session, feedback_config=own)


WRONG_CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"feedback_key": "", "feedback_config": STARS}, "empty"),
    ({"feedback_key": "k" * 181, "feedback_config": STARS}, "at most 180"),
    ({"feedback_key": "k"}, "feedback_config"),
    ({"feedback_key": "k", "feedback_config": {"type": "stars"}}, "stars"),
    ({"feedback_key": "k", "feedback_config": {"type": "continuous", "min": 2, "max": 1}}, "above"),
    ({"feedback_key": "k", "feedback_config": {"type": "categorical", "categories": []}}, "0 entries"),
]


async def test_config_that_cannot_be_is_refused(client: App, subtests: pytest.Subtests) -> None:
    for body, message in WRONG_CONFIGS:
        with subtests.test(body=body, message=message):
            refused = await client.post("/feedback-configs", json=body)
            assert (refused.status_code, message in refused.json()["detail"]) == (422, True), refused.text


async def test_delete_wants_either_a_key_or_an_id(client: App) -> None:
    for query in ("", f"?feedback_key=k&id={uuid.uuid4()}", "?id=x"):
        assert (await client.delete("/feedback-configs" + query)).status_code == 422


async def test_config_of_the_key_is_enforced_at_submission(client: App, token_url: str) -> None:
    await client.post("/feedback-configs", json={"feedback_key": "user_score", "feedback_config": STARS})
    refused = await client.post(token_url, json={"score": 6})
    assert (refused.status_code, refused.json()["code"]) == (422, "rejected")
    assert (await client.get(token_url + "?score=0", headers={"Accept": "application/json"})).status_code == 422
    assert (await client.post(token_url, json={"score": 5})).status_code == 200
    await client.request("DELETE", "/feedback-configs?feedback_key=user_score")
    assert (await client.post(token_url, json={"score": 6})).status_code == 200
    assert len(await stored(client)) == 2


async def test_config_of_the_url_overrides_the_keys(client: App) -> None:
    body = {"feedback_key": "stars", "feedback_config": STARS, "is_enforced": True}
    await client.post("/feedback-configs", json=body)
    url = await mint(client, "stars", feedback_config={"type": "continuous", "min": 0, "max": 100})
    accepted = await client.post(url, json={"score": 99})
    assert accepted.status_code == 200
    changed = await client.patch(f"/feedback/{accepted.json()['id']}", json={"score": 98})
    assert (changed.status_code, changed.json()["score"]) == (200, 98)
    assert (await client.patch(f"/feedback/{accepted.json()['id']}", json={"score": 101})).status_code == 422


async def test_labels_of_the_keys_config_are_filled_in(client: App, token_url: str) -> None:
    await client.post("/feedback-configs", json={"feedback_key": "user_score", "feedback_config": TOPICS})
    await client.post(token_url, json={"value": "b"})
    [row] = await stored(client)
    assert (row["score"], row["value"]) == (1, "b")


async def test_concurrent_creations_of_one_key_leave_one_config(service: FeedbackPlugin) -> None:
    wanted = [FeedbackConfigCreate("k", FeedbackConfig("continuous", min=0, max=bound)) for bound in (1, 1, 2, 2, 3)]
    created = await asyncio.gather(*map(service.default.configs.create, wanted), return_exceptions=True)
    ids = {config.id for config in created if not isinstance(config, BaseException)}
    assert len(ids) == 1
    assert {getattr(error, "status_code", 200) for error in created} == {200, 400}


async def test_texts_by_language_stay_and_go(client: App) -> None:
    german = {"title": "Themen", "labels": {"a": "A auf Deutsch"}}
    body = {"feedback_key": "topics", "feedback_config": TOPICS | {"translations": {"de": german, "pt-BR": {}}}}
    created = (await client.post("/feedback-configs", json=body)).json()
    assert created["feedback_config"]["translations"] == {"de": german, "pt-BR": {}}
    changed = await client.patch("/feedback-configs", json={"feedback_key": "topics", "feedback_config": TOPICS})
    assert changed.json()["feedback_config"]["translations"]["de"] == german
    more = {"feedback_key": "topics", "add_categories": [{"value": 2, "label": "c"}, {"value": 3, "label": "d"}]}
    assert (await client.patch("/feedback-configs", json=more)).status_code == 200
    less = await client.patch("/feedback-configs", json={"feedback_key": "topics", "remove_categories": [0]})
    assert (less.status_code, less.json()["feedback_config"]["translations"]["de"]) == (200, german)
    none = {"feedback_key": "topics", "feedback_config": TOPICS | {"translations": {}}}
    gone = (await client.patch("/feedback-configs", json=none)).json()
    assert "translations" not in gone["feedback_config"]


WRONG_TRANSLATIONS: list[tuple[object, int, str]] = [
    ({"German": {}}, 422, "name it as HTML's `lang` does"),
    ({"": {}}, 422, "name it as HTML's `lang` does"),
    ({"de": {"title": "x" * 1001}}, 413, "translations.de.title"),
    ({"de": {"labels": {"a": "x" * 501}}}, 413, "translations.de.labels"),
    ({"de": {"title": "\x00"}}, 422, "NUL"),
    ({f"{a}{b}": {} for a in "abcdef" for b in "abcdef"}, 422, "36 languages; at most 30"),
    ({"de": "Titel"}, 422, "translations"),
]


async def test_wrong_translation_is_refused(client: App, subtests: pytest.Subtests) -> None:
    for translations, status, message in WRONG_TRANSLATIONS:
        with subtests.test(translations=translations, status=status, message=message):
            body = {"feedback_key": "topics", "feedback_config": TOPICS | {"translations": translations}}
            response = await client.post("/feedback-configs", json=body)
            assert (response.status_code, message in response.json()["detail"]) == (status, True), response.text
