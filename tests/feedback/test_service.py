"""The service in use: mounts, documents, logs, several processes, the example."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar, get
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings
from feedback.tokens.redaction import RedactTokens, redact
from tests.feedback.conftest import RUN

App = AsyncTestClient[Litestar]
ROOT = Path(__file__).parents[2]


@contextmanager
def example_running(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the example in its own process, ready for requests; kill it at the end."""
    environment = {**os.environ, "FEEDBACK_DATA": str(folder), "PORT": str(port), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "examples/feedback_alone.py"], cwd=ROOT, env=environment)
    try:
        for _ in range(200):
            try:
                httpx.get(f"http://127.0.0.1:{port}/info").raise_for_status()
                break
            except httpx.TransportError:
                assert process.poll() is None, "the example ended"
                time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait(20)


def mint(port: int) -> str:
    response = httpx.post(
        f"http://127.0.0.1:{port}/feedback/tokens", json={"run_id": RUN, "feedback_key": "user_score"}
    )
    return str(response.raise_for_status().json()["url"])


def test_example_keeps_feedback_when_it_is_killed(tmp_path: Path, unused_tcp_port: int) -> None:
    with example_running(tmp_path, unused_tcp_port) as process:
        urls = [mint(unused_tcp_port) for _ in range(5)]
        feedback_id = httpx.post(urls[0], json={"score": 1, "comment": "helpful"}).raise_for_status().json()["id"]
        process.kill()
    with example_running(tmp_path, unused_tcp_port):
        read = httpx.get(f"http://127.0.0.1:{unused_tcp_port}/api/v1/feedback/{feedback_id}").raise_for_status().json()
        assert (read["score"], read["comment"], read["run_id"]) == (1, "helpful", RUN)
        for url in urls:
            response = httpx.get(url + "?score=0", headers={"Accept": "application/json"})
            assert response.raise_for_status().json()["status"] == "created"


def test_concurrently_started_processes_share_urls(tmp_path: Path, unused_tcp_port_factory: Any) -> None:
    one, other = unused_tcp_port_factory(), unused_tcp_port_factory()
    with example_running(tmp_path, one), example_running(tmp_path, other):
        for mints, takes in ((one, other), (other, one)):
            url = mint(mints).replace(str(mints), str(takes))
            assert httpx.post(url, json={"score": 1}).raise_for_status().json()["status"] == "created"


def test_access_log_of_a_server_holds_no_token(server: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "uvicorn.access"):
        minted = httpx.post(f"{server}/feedback/tokens", json={"run_id": RUN, "feedback_key": "k"}).json()
        httpx.get(minted["url"] + "?score=1&comment=private")
        httpx.post(minted["url"], json={"score": "x"})
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("uvicorn")]
    assert any("/feedback/tokens/<token>" in line for line in logged)
    assert not any(minted["id"] in line or "private" in line for line in logged)


def test_tokens_are_cut_out_of_messages_and_arguments() -> None:
    secret = str(uuid.uuid4())
    for message, arguments in (
        (f"GET /api/v1/feedback/tokens/{secret}?score=1 done", ()),
        ("%s %s", ("GET", f"/feedback/tokens/{secret}")),
        ("%(path)s", ({"path": f"http://a/feedback//tokens/{secret}"},)),
    ):
        record = logging.LogRecord("x", logging.INFO, "", 0, message, arguments, None)
        assert RedactTokens().filter(record)
        assert secret not in record.getMessage()
        assert "<token>" in record.getMessage()
    assert redact("/feedback/tokens?run_id=1") == "/feedback/tokens?run_id=1"


@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1"])
async def test_info_and_beacon_work_at_every_mount(client: App, prefix: str) -> None:
    info = (await client.get(f"{prefix}/info")).json()
    assert info["batch_ingest_config"]["use_multipart_endpoint"] is False
    assert (await client.post(f"{prefix}/metadata/submit", content=b"x" * 1000)).status_code == 204


async def test_service_lives_inside_another_app(sqlite_url: str) -> None:
    @get("/info", sync_to_thread=False)
    def own_info() -> str:
        return "mine"

    app = Litestar(
        [own_info], plugins=[FeedbackPlugin(open_database(sqlite_url), FeedbackSettings(serve_root_info=False))]
    )
    async with AsyncTestClient(app) as client:
        assert (await client.get("/info")).text == "mine"
        assert (await client.get("/api/v1/info")).json()["version"]
        minted = await client.post("/feedback/tokens", json={"run_id": RUN, "feedback_key": "k"})
        assert minted.status_code == 200


async def test_openapi_has_canonical_routes_and_their_errors(client: App) -> None:
    document = (await client.get("/schema/openapi.json")).json()
    assert set(document["paths"]) == {
        "/api/v1/annotation-queues",
        "/api/v1/annotation-queues/{queue_id}",
        "/api/v1/annotation-queues/{queue_id}/run/{index}",
        "/api/v1/annotation-queues/{queue_id}/runs",
        "/api/v1/annotation-queues/{queue_id}/runs/by-key",
        "/api/v1/annotation-queues/{queue_id}/runs/{run_id}",
        "/api/v1/annotations",
        "/api/v1/datasets",
        "/api/v1/datasets/{dataset_id}",
        "/api/v1/examples",
        "/api/v1/examples/bulk",
        "/api/v1/examples/{example_id}",
        "/api/v1/feedback",
        "/api/v1/feedback/{feedback_id}",
        "/api/v1/feedback/{feedback_id}/conversation",
        "/api/v1/feedback/{feedback_id}/history",
        "/api/v1/feedback/{feedback_id}/review",
        "/api/v1/feedback/alert-rules",
        "/api/v1/feedback/alert-rules/{rule_id}",
        "/api/v1/feedback/api-keys",
        "/api/v1/feedback/assistants",
        "/api/v1/feedback/by-run",
        "/api/v1/feedback-configs",
        "/api/v1/feedback/tokens",
        "/api/v1/feedback/tokens/{token}",
        "/api/v1/feedback/tokens/{token}/revoke",
        "/api/v1/feedback/choices",
        "/api/v1/feedback/comparison",
        "/api/v1/feedback/count",
        "/api/v1/feedback/datasets",
        "/api/v1/feedback/datasets/{name}",
        "/api/v1/feedback/distribution",
        "/api/v1/feedback/erasures",
        "/api/v1/feedback/export",
        "/api/v1/feedback/export/report",
        "/api/v1/feedback/projects",
        "/api/v1/feedback/projects/{name}",
        "/api/v1/feedback/reasons",
        "/api/v1/feedback/response-rates",
        "/api/v1/feedback/retention",
        "/api/v1/feedback/reviews",
        "/api/v1/feedback/search",
        "/api/v1/feedback/statistics",
        "/api/v1/feedback/submit",
        "/api/v1/feedback/token",
        "/api/v1/info",
        "/api/v1/runs/multipart",
        "/api/v1/runs/query",
        "/api/v1/runs/stats",
        "/api/v1/runs/{run_id}",
        "/api/v1/scorers/calibrate",
        "/api/v1/sessions",
        "/api/v1/sessions/{session_id}",
        "/metrics",
        "/v1/feedback",
        "/v1/{tenant}/agents/{agent_id}/feedback",
        "/v1/{tenant}/agents/{agent_id}/feedback/{feedback_id}/annotate",
        "/v1/{tenant}/agents/{agent_id}/runs/{run_id}/feedback",
    }
    submit = document["paths"]["/api/v1/feedback/tokens/{token}"]["post"]
    assert {"200", "404", "410", "413", "422"} <= set(submit["responses"])
    assert "400" not in submit["responses"]
    assert set(submit["requestBody"]["content"]) == {
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
    }
    score = document["components"]["schemas"]["Feedback"]["properties"]["score"]
    assert set(score["type"]) == {"boolean", "number", "null"}


@pytest.mark.parametrize("public_url", ["example.com", "ftp://a", "https://a/?x=1", "https://a/#b"])
def test_public_url_that_is_no_base_is_refused(public_url: str, sqlite_url: str) -> None:
    with pytest.raises(ValueError, match="is not a base URL"):
        FeedbackPlugin(open_database(sqlite_url), FeedbackSettings(public_url=public_url))
