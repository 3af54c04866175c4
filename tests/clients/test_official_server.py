"""The official Agent Server mints its runs' URLs here when `LANGSMITH_ENDPOINT` points here.

The requests recorded from langgraph-api 0.16.7 run first, then the server itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uuid_utils
from langgraph_sdk.client import SyncLangGraphClient, get_sync_client
from langsmith import Client
from langsmith.schemas import BatchIngestConfig, LangSmithInfo
from litestar import Litestar

from agent_server.database import open_database
from feedback import FeedbackPlugin
from tests.clients.official_server import OFFICIAL, OfficialServer
from tests.clients.server_process import ServerProcess
from tests.feedback.conftest import serving

KEYS = ["user_liked", "user_disliked"]
BEACON = {
    "from_timestamp": "2026-11-22T01:42:25.164650+00:00",
    "to_timestamp": "2026-11-22T01:42:26.456954+00:00",
    "tags": {"langgraph.python.version": "1.2.22", "langgraph_api.version": "0.16.7"},
    "measures": {"langgraph.platform.runs": 0, "langgraph.platform.nodes": 0},
    "logs": [],
}


@pytest.fixture(scope="module", params=["beside our agents", "alone"])
def endpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The value of LANGSMITH_ENDPOINT: an agent server, or feedback alone below `/api/v1`."""
    if request.param == "beside our agents":
        ours: ServerProcess = request.getfixturevalue("graphs")
        yield ours.url
    else:
        folder: Path = tmp_path_factory.mktemp("alone")
        plugin = FeedbackPlugin(open_database(f"sqlite:///{folder / 'feedback.db'}"))
        with serving(Litestar(plugins=[plugin])) as address:
            yield f"{address}/api/v1"


@pytest.fixture(scope="module")
def official(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficialServer]:
    if not OFFICIAL.exists():
        pytest.fail(f"The official server is not at {OFFICIAL}: run `make test`, which installs it")
    with OfficialServer(tmp_path_factory.mktemp("official") / "server", endpoint) as server:
        yield server


@pytest.fixture
def agents(official: OfficialServer) -> Iterator[SyncLangGraphClient]:
    with get_sync_client(url=official.url, api_key="any") as client:
        yield client


@pytest.fixture
def langsmith(endpoint: str) -> Iterator[Client]:
    client = Client(api_url=endpoint, api_key="any", auto_batch_tracing=False)
    yield client
    client.close()


def wanted(run_id: str, key: str) -> dict[str, Any]:
    """Return the official server's request for one of a run's keys."""
    expiry = {"expires_in": {"days": 0, "hours": 3, "minutes": 0}, "expires_at": None}
    return {"run_id": run_id, "feedback_key": key, "feedback_config": None, **expiry}


def test_recorded_official_requests_get_sufficient_responses(endpoint: str) -> None:
    headers = {"x-api-key": "any", "Accept": "application/json", "User-Agent": "langsmith-py/0.15.0-httpx2"}
    run_id, keys = str(uuid_utils.uuid7()), ["b_key", "a_key", "b_key"]
    with httpx.Client(base_url=endpoint) as http:
        beacon = "/metadata/submit" if endpoint.endswith("/v1") else "/v1/metadata/submit"
        assert http.post(beacon, json=BEACON).status_code == 204
        info = http.get("/info", headers=headers).json()
        made = http.post("/feedback/tokens", json=[wanted(run_id, key) for key in keys], headers=headers)
        again = http.get("/feedback/tokens", params={"run_id": run_id}, headers=headers)
    assert set(LangSmithInfo(**info).batch_ingest_config or {}) == set(BatchIngestConfig.__annotations__)
    assert made.status_code == 200
    assert [token["feedback_key"] for token in made.json()] == keys
    assert all({"id", "url", "expires_at"} <= token.keys() for token in made.json())
    assert len({token["url"] for token in made.json()}) == 3
    assert again.json() == made.json()


def test_official_servers_run_streams_our_urls(
    official: OfficialServer, agents: SyncLangGraphClient, endpoint: str
) -> None:
    thread_id = agents.threads.create()["thread_id"]
    parts = list(agents.runs.stream(thread_id, "steps", input={"total": 2}, stream_mode="updates", feedback_keys=KEYS))
    assert [part.event for part in parts] == ["metadata", "updates", "updates", "feedback"]
    urls, run_id = parts[-1].data, parts[0].data["run_id"]
    assert list(urls) == KEYS
    start = f"http://{urlsplit(endpoint).netloc}/api/v1/feedback/tokens/"
    assert all(url.startswith(start) for url in urls.values())
    assert agents.runs.join(thread_id, run_id)["done"] == [0, 1]
    assert agents.runs.get(thread_id, run_id)["status"] == "success"
    assert "Successfully submitted metadata" in official.log()
    assert "Traceback" not in official.log()


def test_official_servers_wait_has_our_urls(agents: SyncLangGraphClient, langsmith: Client) -> None:
    """The route accepts the keys, but the client's `wait` has no parameter for them."""
    body = {"assistant_id": "asking", "input": {"question": "?"}, "feedback_keys": KEYS}
    thread_id = agents.threads.create()["thread_id"]
    answer: Any = agents.http.post(f"/threads/{thread_id}/runs/wait", json=body)
    [run] = agents.runs.list(thread_id)
    assert (run["status"], len(answer["__interrupt__"])) == ("success", 1)
    listed = langsmith.list_presigned_feedback_tokens(run["run_id"])
    assert answer["__feedback__"] == dict(zip(KEYS, [token.url for token in listed], strict=True))


def test_submissions_to_the_official_servers_urls_land_here(agents: SyncLangGraphClient, langsmith: Client) -> None:
    parts = list(agents.runs.stream(None, "steps", input={"total": 1}, feedback_keys=KEYS))
    urls, run_id = parts[-1].data, parts[0].data["run_id"]
    assert httpx.post(urls["user_liked"], json={"score": 1, "comment": "Made me laugh."}).is_success
    langsmith.create_feedback_from_token(urls["user_disliked"], score=0)
    listed = langsmith.list_feedback(run_ids=[run_id])
    assert [(one.key, one.score, one.comment) for one in listed] == [
        ("user_disliked", 0, None),
        ("user_liked", 1, "Made me laugh."),
    ]
