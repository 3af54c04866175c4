"""LangSmith's official Python client, unmodified, submits to a run's URLs and reads the feedback."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from langgraph_sdk.client import SyncLangGraphClient, get_sync_client
from langsmith import Client
from langsmith.utils import LangSmithError, LangSmithNotFoundError

from tests.clients.server_process import ServerProcess

KEYS = ["user_liked", "user_disliked"]


@pytest.fixture(params=["", "/api", "/api/v1"])
def langsmith(request: pytest.FixtureRequest, graphs: ServerProcess) -> Iterator[Client]:
    client = Client(api_url=graphs.url + str(request.param), api_key="any", auto_batch_tracing=False)
    yield client
    client.close()


@pytest.fixture
def agents(graphs: ServerProcess) -> Iterator[SyncLangGraphClient]:
    with get_sync_client(url=graphs.url, api_key="any") as client:
        yield client


def run(agents: SyncLangGraphClient, agent: str) -> tuple[str, dict[str, str]]:
    """Run the agent and return the run's id and its feedback URLs."""
    given = {"total": 1, "question": "?"}
    parts = list(agents.runs.stream(None, agent, input=given, feedback_keys=KEYS))
    [urls] = [part.data for part in parts if part.event == "feedback"]
    return parts[0].data["run_id"], urls


@pytest.mark.parametrize("agent", ["steps", "asking", "failing"])
def test_submission_reads_back_with_run_key_and_source(
    agents: SyncLangGraphClient, langsmith: Client, agent: str
) -> None:
    run_id, urls = run(agents, agent)
    langsmith.create_feedback_from_token(
        urls["user_liked"], score=1, value="fine", comment="c", correction={"want": "x"}, metadata={"page": 1}
    )
    [listed] = langsmith.list_feedback(run_ids=[run_id])
    read = langsmith.read_feedback(listed.id)
    assert (read.run_id, read.key, read.score, read.value) == (uuid.UUID(run_id), "user_liked", 1, "fine")
    assert (read.comment, read.correction) == ("c", {"want": "x"})
    assert read.feedback_source is not None
    assert (read.feedback_source.type, read.feedback_source.metadata) == ("api", {"page": 1})
    assert [one.id for one in langsmith.list_feedback(run_ids=[run_id], feedback_key=["user_disliked"])] == []


def test_runs_urls_are_among_its_presigned_tokens(agents: SyncLangGraphClient, langsmith: Client) -> None:
    run_id, urls = run(agents, "steps")
    listed = list(langsmith.list_presigned_feedback_tokens(run_id))
    assert sorted(token.url for token in listed) == sorted(urls.values())


def test_unknown_things_are_refused_with_words(langsmith: Client) -> None:
    with pytest.raises(LangSmithNotFoundError):
        langsmith.read_feedback(uuid.uuid4())
    with pytest.raises(LangSmithError, match="404"):
        langsmith.create_feedback_from_token(uuid.uuid4(), score=1)
