"""LangSmith's clients in their default configuration, which send feedback in the background if `/info` offers it.

This server's `/info` asks for plain JSON, so that the submitter learns whether the feedback is stored. Behind another
`/info` that offers multipart batches (or that the JavaScript client cannot read) the same clients send those, and
their feedback arrives, too.
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
def path(request: pytest.FixtureRequest) -> str:
    """The path that the clients send feedback to."""
    return str(request.param)


@pytest.fixture
def posted_paths() -> list[str]:
    """The paths of the POST requests, in their order."""
    return []


@pytest.fixture
def url(path: str, posted_paths: list[str], sqlite_url: str) -> Iterator[str]:
    """Start a server whose `/info` leads clients to the path."""

    def note(app: ASGIApp) -> ASGIApp:
        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["method"] == "POST":
                posted_paths.append(scope["path"])
            await app(scope, receive, send)

        return noting

    own = [] if path == PLAIN else [info_that_offers_multipart]
    plugin = FeedbackPlugin(open_database(sqlite_url), FeedbackSettings(serve_root_info=path == PLAIN))
    with serving(Litestar(own, plugins=[plugin], middleware=[note])) as address:
        yield address


def stored(url: str, run_id: str) -> dict[str, tuple[Any, ...]]:
    client = Client(api_url=url, api_key="any", auto_batch_tracing=False)
    listed = {one.key: (one.score, one.comment, str(one.trace_id)) for one in client.list_feedback(run_ids=[run_id])}
    client.close()
    return listed


def test_python_clients_feedback_arrives(
    url: str, path: str, posted_paths: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The client's background thread survives, too: a missing field of `/info` would end it and fail this test."""
    run_id = str(uuid_utils.uuid7())
    client = Client(api_url=url, api_key="any")
    with caplog.at_level(logging.WARNING, "langsmith"):
        client.create_feedback(run_id, "one", trace_id=run_id, score=1, comment="é", session_id=SESSION)
        client.create_feedback(run_id, "two", trace_id=run_id, score=0, session_id=SESSION)
        client.flush()
    client.close()
    assert stored(url, run_id) == {"one": (1, "é", run_id), "two": (0, None, run_id)}
    assert set(posted_paths) == {path}
    assert [record.message for record in caplog.records if "Failed" in record.message] == []


async def test_javascript_clients_feedback_arrives(url: str, path: str, posted_paths: list[str]) -> None:
    run_id = str(uuid_utils.uuid7())
    await node("langsmith_default.mjs", url, run_id)
    assert stored(url, run_id) == {"one": (1, "é", run_id), "two": (0, None, run_id)}
    assert set(posted_paths) == {path}
