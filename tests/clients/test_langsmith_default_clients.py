"""LangSmith's clients as they are by default, which send feedback about a trace in the background, if `/info` says so.

Ours asks for plain JSON, so that the submitter knows that the feedback is stored. Where another `/info` stands in front
and offers multipart batches (or the JavaScript client could not read any), the same clients take that road, and arrive.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import uuid_utils
from langsmith import Client
from litestar import Litestar, get
from litestar.types import ASGIApp, Receive, Scope, Send

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings
from tests.clients.node import node
from tests.feedback.conftest import serving

SESSION = uuid.UUID("00000000-0000-4000-8000-000000000002")
PLAIN, MULTIPART = "/feedback", "/runs/multipart"


@get("/info", sync_to_thread=False)
def info_that_offers_multipart() -> dict[str, Any]:
    return {"version": "0.18.0", "batch_ingest_config": None}


@pytest.fixture(params=[PLAIN, MULTIPART])
def road(request: pytest.FixtureRequest) -> str:
    """The path that feedback is to be sent to."""
    return str(request.param)


@pytest.fixture
def walked() -> list[str]:
    """The paths that were asked for with POST, as they come."""
    return []


@pytest.fixture
def url(road: str, walked: list[str], sqlite_url: str) -> Iterator[str]:
    """A server whose `/info` leads clients to the road."""

    def note(app: ASGIApp) -> ASGIApp:
        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["method"] == "POST":
                walked.append(scope["path"])
            await app(scope, receive, send)

        return noting

    own = [] if road == PLAIN else [info_that_offers_multipart]
    plugin = FeedbackPlugin(open_database(sqlite_url), FeedbackSettings(serve_root_info=road == PLAIN))
    with serving(Litestar(own, plugins=[plugin], middleware=[note])) as address:
        yield address


def kept(url: str, run_id: str) -> dict[str, tuple[Any, ...]]:
    client = Client(api_url=url, api_key="any", auto_batch_tracing=False)
    listed = {one.key: (one.score, one.comment, str(one.trace_id)) for one in client.list_feedback(run_ids=[run_id])}
    client.close()
    return listed


def test_python_clients_feedback_arrives(
    url: str, road: str, walked: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Its background thread lives, too: it would die, and fail this test, if `/info` left out a field that it reads."""
    run_id = str(uuid_utils.uuid7())
    client = Client(api_url=url, api_key="any")
    with caplog.at_level(logging.WARNING, "langsmith"):
        client.create_feedback(run_id, "one", trace_id=run_id, score=1, comment="é", session_id=SESSION)
        client.create_feedback(run_id, "two", trace_id=run_id, score=0, session_id=SESSION)
        client.flush()
    client.close()
    assert kept(url, run_id) == {"one": (1, "é", run_id), "two": (0, None, run_id)}
    assert set(walked) == {road}
    assert [record.message for record in caplog.records if "Failed" in record.message] == []


async def test_javascript_clients_feedback_arrives(url: str, road: str, walked: list[str]) -> None:
    run_id = str(uuid_utils.uuid7())
    await node("langsmith_default.mjs", url, run_id)
    assert kept(url, run_id) == {"one": (1, "é", run_id), "two": (0, None, run_id)}
    assert set(walked) == {road}
