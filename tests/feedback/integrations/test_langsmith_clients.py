"""LangSmith's official Python clients, unmodified, against a server on a real port."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from langsmith import AsyncClient, Client
from langsmith.schemas import FeedbackSourceType
from langsmith.utils import LangSmithError, LangSmithNotFoundError

SESSION = uuid.UUID("00000000-0000-0000-0000-000000000002")


@pytest.fixture(params=["", "/api", "/api/v1"])
def api_url(request: pytest.FixtureRequest, server: str) -> str:
    return server + str(request.param)


@pytest.fixture
def langsmith(api_url: str) -> Iterator[Client]:
    client = Client(api_url=api_url, api_key="any", auto_batch_tracing=False)
    yield client
    client.close()


def test_url_token_and_uuid_spellings_accept_submissions(langsmith: Client, run_id: str) -> None:
    token = langsmith.create_presigned_feedback_token(run_id, "user_score")
    assert "/api/v1/feedback/tokens/" in token.url
    assert not set("?#") & set(token.url)
    for spelling in (token.url, token.url + "?score=1", str(token.id), token.id, token.id.hex, token.id.urn):
        langsmith.create_feedback_from_token(spelling, score=1, comment="helpful", metadata={"page": 1})
    assert len(list(langsmith.list_feedback(run_ids=[run_id]))) == 6


def test_feedback_reads_back_with_run_key_and_source(langsmith: Client, run_id: str) -> None:
    token = langsmith.create_presigned_feedback_token(run_id, "user_score")
    langsmith.create_feedback_from_token(
        token.url, score=0.5, value="fine", comment="c", correction={"want": "x"}, metadata={"m": 1}
    )
    [listed] = langsmith.list_feedback(run_ids=[run_id], feedback_key=["user_score"])
    read = langsmith.read_feedback(listed.id)
    assert (read.run_id, read.key, read.score, read.value) == (uuid.UUID(run_id), "user_score", 0.5, "fine")
    assert (read.comment, read.correction) == ("c", {"want": "x"})
    assert read.feedback_source is not None
    assert (read.feedback_source.type, read.feedback_source.metadata) == ("api", {"m": 1})


def test_scores_keep_their_type(langsmith: Client, run_id: str) -> None:
    for score in (True, 1, 0.25):
        token = langsmith.create_presigned_feedback_token(run_id, f"key {score!r}")
        langsmith.create_feedback_from_token(token.id, score=score)
    scores = {feedback.key: feedback.score for feedback in langsmith.list_feedback(run_ids=[run_id])}
    assert {key: repr(score) for key, score in scores.items()} == {
        "key True": "True", "key 1": "1", "key 0.25": "0.25",
    }  # fmt: skip


def test_batch_of_tokens_keeps_its_order(langsmith: Client, run_id: str) -> None:
    keys = ["thumbs_up", "thumbs_down", "stars"]
    expiration = datetime.datetime(2040, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    tokens = list(langsmith.create_presigned_feedback_tokens(run_id, keys, expiration=expiration))
    assert len({token.id for token in tokens}) == 3
    assert {token.expires_at for token in tokens} == {expiration}
    for token, key in zip(tokens, keys, strict=True):
        langsmith.create_feedback_from_token(token.id, score=1)
        assert len(list(langsmith.list_feedback(run_ids=[run_id], feedback_key=[key]))) == 1
    listed = list(langsmith.list_presigned_feedback_tokens(run_id))
    assert [(token.id, token.url) for token in listed] == [(token.id, token.url) for token in tokens]
    assert [token.id for token in langsmith.list_presigned_feedback_tokens(run_id, limit=2)] == [
        token.id for token in tokens[:2]
    ]


def test_token_pages_list_each_token_once(langsmith: Client, run_id: str) -> None:
    tokens = list(langsmith.create_presigned_feedback_tokens(run_id, [f"key {number}" for number in range(259)]))
    tokens += langsmith.create_presigned_feedback_tokens(run_id, ["last"])
    assert [token.id for token in langsmith.list_presigned_feedback_tokens(run_id)] == [token.id for token in tokens]


def test_config_of_the_token_is_enforced(langsmith: Client, run_id: str) -> None:
    config: Any = {"type": "continuous", "min": 1, "max": 5}
    token = langsmith.create_presigned_feedback_token(run_id, "stars", feedback_config=config)
    with pytest.raises(LangSmithError, match="from 1 to 5"):
        langsmith.create_feedback_from_token(token.id, score=6)
    langsmith.create_feedback_from_token(token.id, score=5)


def test_expiry_may_be_relative_absolute_and_naive(langsmith: Client, run_id: str) -> None:
    now = datetime.datetime.now(datetime.UTC)
    relative = langsmith.create_presigned_feedback_token(run_id, "k", expiration=datetime.timedelta(days=1, minutes=7))
    assert abs(relative.expires_at - now - datetime.timedelta(days=1, minutes=7)) < datetime.timedelta(minutes=1)
    naive = langsmith.create_presigned_feedback_token(run_id, "k", expiration=datetime.datetime(2040, 1, 2))
    assert naive.expires_at == datetime.datetime(2040, 1, 2, tzinfo=datetime.UTC)
    default = langsmith.create_presigned_feedback_token(run_id, "k")
    assert abs(default.expires_at - now - datetime.timedelta(hours=3)) < datetime.timedelta(minutes=1)
    with pytest.raises(LangSmithError, match="one minute is the least"):
        langsmith.create_presigned_feedback_token(run_id, "k", expiration=datetime.timedelta(seconds=30))


def test_feedback_is_created_updated_and_deleted(langsmith: Client, run_id: str) -> None:
    created = langsmith.create_feedback(
        run_id, "quality", session_id=SESSION, score=0.98765, value={"a": 1}, comment="c", correction={"a": 2},
        trace_id=run_id, source_info={"who": "me"}, extra={"e": [1]}, feedback_source_type=FeedbackSourceType.MODEL,
        feedback_config={"type": "continuous", "min": 0, "max": 1},
    )  # fmt: skip
    read = langsmith.read_feedback(created.id)
    assert (read.score, read.value, read.extra, read.trace_id) == (0.9877, {"a": 1}, {"e": [1]}, uuid.UUID(run_id))
    assert read.feedback_source is not None
    assert read.feedback_source.type == "model"
    langsmith.update_feedback(created.id, score=0.5, comment=None)
    changed = langsmith.read_feedback(created.id)
    assert (changed.score, changed.comment, changed.correction) == (0.5, None, {"a": 2})
    assert changed.modified_at > read.modified_at
    langsmith.delete_feedback(created.id)
    with pytest.raises(LangSmithNotFoundError):
        langsmith.read_feedback(created.id)


def test_list_filters_by_key_source_and_comment(langsmith: Client, run_id: str) -> None:
    langsmith.create_feedback(run_id, "a", score=1, session_id=SESSION)
    langsmith.create_feedback(
        run_id, "b", score=0, comment="no", session_id=SESSION, feedback_source_type=FeedbackSourceType.MODEL
    )
    listed = langsmith.list_feedback(run_ids=[run_id], feedback_source_type=[FeedbackSourceType.API])
    assert [feedback.key for feedback in listed] == ["a"]
    listed = langsmith.list_feedback(run_ids=[run_id], feedback_key=["a", "b"], has_comment=True)
    assert [feedback.key for feedback in listed] == ["b"]
    assert list(langsmith.list_feedback(run_ids=[uuid.uuid4()])) == []


def test_wrong_token_says_not_found(langsmith: Client) -> None:
    with pytest.raises(LangSmithNotFoundError, match="not issued here"):
        langsmith.create_feedback_from_token(uuid.uuid4(), score=1)


async def test_async_client_mints_submits_and_reads(api_url: str, run_id: str) -> None:
    async with AsyncClient(api_url=api_url, api_key="any") as langsmith:
        token = await langsmith.create_presigned_feedback_token(run_id, "user_score")
        await langsmith.create_feedback_from_token(token.id, score=True, value="ok")
        await langsmith.create_feedback(run_id, "other", score=0.1, session_id=SESSION)
        [listed] = [
            feedback async for feedback in langsmith.list_feedback(run_ids=[run_id], feedback_key=["user_score"])
        ]
        assert (await langsmith.read_feedback(listed.id)).score is True
        await langsmith.delete_feedback(listed.id)
        assert len([feedback async for feedback in langsmith.list_feedback(run_ids=[run_id])]) == 1


async def test_async_client_sets_expiry_and_config(server: str, run_id: str) -> None:
    config: Any = {"type": "categorical", "categories": [{"value": 1, "label": "yes"}, {"value": 0, "label": "no"}]}
    until = datetime.datetime(2040, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    async with AsyncClient(api_url=server, api_key="any") as langsmith:
        token = await langsmith.create_presigned_feedback_token(
            run_id, "k", expiration=until, feedback_config=config, feedback_id=uuid.uuid4()
        )
        assert token.expires_at == until
        with pytest.raises(LangSmithError, match="one of 1"):
            await langsmith.create_feedback_from_token(token.url, score=2)
        await langsmith.create_feedback_from_token(token.url, value="yes")
        [listed] = [feedback async for feedback in langsmith.list_feedback(run_ids=[run_id])]
        assert (listed.score, listed.value) == (1, "yes")


async def test_async_client_creates_lists_changes_and_deletes_configs(server: str) -> None:
    categories: Any = [{"value": number, "label": label} for number, label in enumerate("abc")]
    async with AsyncClient(api_url=server, api_key="any") as langsmith:
        created = await langsmith.create_feedback_config(
            "topics", feedback_config={"type": "categorical", "categories": categories[:2]}
        )
        changed = await langsmith.update_feedback_config("topics", is_lower_score_better=True)
        assert (changed.id, changed.is_lower_score_better) == (created.id, True)
        more = await langsmith.add_feedback_categories("topics", categories[2:])
        less = await langsmith.remove_feedback_categories("topics", [0])
        shown = [[one["label"] for one in config.feedback_config["categories"] or []] for config in (more, less)]
        assert shown == [["a", "b", "c"], ["b", "c"]]
        assert [one.id async for one in langsmith.list_feedback_configs(name_contains="top")] == [created.id]
        await langsmith.delete_feedback_config("topics")
        assert [one async for one in langsmith.list_feedback_configs()] == []


def test_workspace_of_the_client_is_no_hindrance(server: str, run_id: str) -> None:
    langsmith = Client(api_url=server, api_key="any", workspace_id=str(uuid.uuid4()), auto_batch_tracing=False)
    tokens = list(langsmith.create_presigned_feedback_tokens(run_id, ["a", "b"]))
    assert [token.id for token in langsmith.list_presigned_feedback_tokens(run_id)] == [token.id for token in tokens]
    langsmith.close()
