"""The log of a server process."""

from __future__ import annotations

import uuid

import httpx
import pytest
from langsmith import Client

from tests.clients.conftest import StartServer


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("level", "form"), [("debug", "json"), ("debug", "console"), ("info", "json")])
def test_no_token_is_in_any_log_line(start_server: StartServer, level: str, form: str) -> None:
    server = start_server(AGENT_SERVER_LOG_LEVEL=level, AGENT_SERVER_LOG_FORMAT=form)
    with httpx.Client(base_url=server.url, timeout=30) as http:
        urls = []
        for agent in ("steps", "asking", "failing"):
            body = {"assistant_id": agent, "input": {"total": 1, "question": "?"}, "feedback_keys": ["up", "down"]}
            urls += http.post("/runs/wait", json=body).json()["__feedback__"].values()
            streamed = http.post("/runs/stream", json=body).text
            urls += [part for part in streamed.split('"') if "/feedback/tokens/" in part]
        order = {"run_id": str(uuid.uuid4()), "feedback_key": "k", "expires_in": {"days": 1}}
        urls += [http.post("/feedback/tokens", json=order).json()["url"]]
        assert len(urls) == 13
        for url in urls:
            assert http.post(url, json={"score": 1}).status_code == 200
            assert http.get(url, params={"score": 1}).status_code == 200
            assert http.post(url, content=b"{").status_code == 422
            assert http.post(url, json={"score": [1]}).status_code == 422
            assert http.delete(url).status_code == 422
            assert http.post(f"{url}/more", json={}).status_code == 404
        langsmith = Client(api_url=server.url, api_key="any", auto_batch_tracing=False)
        langsmith.create_feedback_from_token(urls[0], score=1)
        langsmith.close()
    server.stop()
    log = server.log().lower()
    assert "run_finished" in log
    tokens = [url.rsplit("/", 1)[1] for url in urls]
    assert [token for token in tokens if token in log or token.replace("-", "") in log] == []


@pytest.mark.timeout(120)
def test_log_lines_name_run_and_thread(start_server: StartServer) -> None:
    server = start_server(AGENT_SERVER_LOG_FORMAT="json")
    with httpx.Client(base_url=server.url, timeout=30) as http:
        thread_id = http.post("/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "failing", "input": {"question": "?"}}
        response = http.post(f"/threads/{thread_id}/runs/wait", json=body)
    run_id = response.headers["content-location"].rsplit("/", 1)[1]
    about = [line for line in server.log().splitlines() if "run_failed" in line or "run_finished" in line]
    assert len(about) == 2
    assert all(run_id in line and thread_id in line for line in about)
