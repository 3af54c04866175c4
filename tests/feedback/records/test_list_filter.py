"""LangSmith's official Python client lists feedback with each of its filters, as the client spells them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from langsmith import Client
from langsmith.schemas import FeedbackSourceType
from litestar import Litestar

from agent_server.database import open_database
from feedback import FeedbackPlugin, RunFacts
from tests.feedback.conftest import RUN, serving

SESSION, OTHER, EXPERIMENT = (uuid.UUID(f"00000000-0000-4000-8000-00000000000{number}") for number in (2, 3, 4))


async def look_up(run_id: str) -> RunFacts:
    return RunFacts(run_id, thread_id="thread of run" if run_id == RUN else "another", assistant_id="a")


@pytest.fixture
def langsmith(database_url: str) -> Iterator[Client]:
    """Yield a client of a service that has the runs' threads and four pieces of feedback."""
    plugin = FeedbackPlugin(open_database(database_url), run_lookup=look_up)
    with serving(Litestar(plugins=[plugin])) as url:
        client = Client(api_url=url, api_key="any", auto_batch_tracing=False)
        client.create_feedback(RUN, "scored", score=True, session_id=SESSION)
        client.create_feedback(project_id=SESSION, key="of project", score=1)
        client.create_feedback(
            RUN, "judged", comment="hm", session_id=OTHER, comparative_experiment_id=EXPERIMENT,
            feedback_source_type=FeedbackSourceType.MODEL, source_run_id=uuid.uuid4(),
        )  # fmt: skip
        client.create_feedback(uuid.uuid4(), "elsewhere", value={"a": [1]}, session_id=OTHER)
        yield client
        client.close()


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["elsewhere", "judged", "of project", "scored"]),
    ({"run_ids": [RUN]}, ["judged", "scored"]),
    ({"feedback_key": ["scored", "of project"]}, ["of project", "scored"]),
    ({"feedback_source_type": [FeedbackSourceType.MODEL]}, ["judged"]),
    ({"feedback_source_type": [FeedbackSourceType.API, FeedbackSourceType.MODEL], "limit": 1}, ["elsewhere"]),
    ({"session": [SESSION]}, ["of project", "scored"]),
    ({"session": OTHER, "has_score": False}, ["elsewhere", "judged"]),
    ({"has_score": True}, ["of project", "scored"]),
    ({"has_comment": True}, ["judged"]),
    ({"has_comment": False, "level": "run"}, ["elsewhere", "scored"]),
    ({"level": "session"}, ["of project"]),
    ({"comparative_experiment_id": EXPERIMENT}, ["judged"]),
    ({"feedback_thread_id": "thread of run", "include_user_names": True}, ["judged", "scored"]),
    ({"user": ["unknown-user"]}, []),
]


def test_list_is_filtered(langsmith: Client) -> None:
    listed = [(filters, [one.key for one in langsmith.list_feedback(**filters)]) for filters, _ in FILTERS]
    assert listed == FILTERS


def test_list_is_filtered_by_the_clients_times(langsmith: Client) -> None:
    newest, *_, oldest = langsmith.list_feedback()
    after, before = newest.created_at, oldest.created_at
    assert [one.key for one in langsmith.list_feedback(min_created_at=after)] == ["elsewhere"]
    assert [one.key for one in langsmith.list_feedback(max_created_at=before.isoformat())] == ["scored"]
    assert list(langsmith.list_feedback(min_created_at=after + timedelta(microseconds=1))) == []


def test_list_of_several_pages_has_each_feedback_once(langsmith: Client) -> None:
    token = langsmith.create_presigned_feedback_token(RUN, "many")
    for number in range(101):
        langsmith.create_feedback_from_token(token.id, score=number)
    scores = [one.score for one in langsmith.list_feedback(feedback_key=["many"])]
    assert scores == list(range(101))[::-1]
    assert len(list(langsmith.list_feedback(limit=101))) == 101
