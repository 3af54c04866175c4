"""Feedback beside the agent server: found by thread and assistant version, and joined with the conversation."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import httpx
from langgraph_sdk.client import get_sync_client

from tests.clients.server_process import ROOT, ServerProcess

INPUT = {"messages": [{"role": "user", "content": "Tell me a joke about databases."}]}


def run_with_feedback(example: ServerProcess, thread: str | None, submission: dict[str, Any]) -> str:
    """Run the agent, submit feedback through its URL, and return the run's id."""
    with get_sync_client(url=example.url, api_key="any") as agents:
        parts = list(agents.runs.stream(thread, "agent", input=INPUT, feedback_keys=["liked"]))
    [urls] = [part.data for part in parts if part.event == "feedback"]
    httpx.post(urls["liked"], json=submission).raise_for_status()
    return str(parts[0].data["run_id"])


def found(example: ServerProcess, path: str, **query: Any) -> Any:
    return httpx.get(f"{example.url}/api/v1/feedback/{path}", params=query).raise_for_status()


def test_feedback_is_found_by_thread_and_assistant_version(example: ServerProcess) -> None:
    with get_sync_client(url=example.url, api_key="any") as agents:
        thread = agents.threads.create()["thread_id"]
    run = run_with_feedback(example, thread, {"score": 1})
    [feedback] = found(example, "search", thread=thread).json()["feedback"]
    assert (feedback["run_id"], feedback["assistant_version"]) == (run, 1)
    again = found(example, "search", assistant=feedback["assistant_id"], version=1, run=run).json()["feedback"]
    assert again == [feedback]


def test_stateless_runs_feedback_keeps_its_assistant(example: ServerProcess) -> None:
    run = run_with_feedback(example, None, {"score": 1})
    [feedback] = found(example, "search", run=run).json()["feedback"]
    assert feedback["assistant_id"]
    assert feedback["assistant_version"] == 1


def test_feedback_joins_the_trace_of_its_runs_request(example: ServerProcess) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = {"assistant_id": "agent", "input": INPUT, "feedback_keys": ["liked"]}
    headers = {"traceparent": parent}
    urls = httpx.post(f"{example.url}/runs/wait", json=body, headers=headers, timeout=60).json()["__feedback__"]
    httpx.post(urls["liked"], json={"score": 1}).raise_for_status()
    thread = httpx.post(f"{example.url}/threads", json={}).json()["thread_id"]
    made = httpx.post(
        f"{example.url}/threads/{thread}/runs", json=body | {"metadata": {"a": 1}}, headers=headers
    ).json()
    assert (made["metadata"]["a"], made["metadata"]["traceparent"]) == (1, parent)
    newest = found(example, "search", key="liked").json()["feedback"][0]
    assert newest["trace_parent"] == parent


def test_training_sets_hold_what_was_said(example: ServerProcess) -> None:
    with get_sync_client(url=example.url, api_key="any") as agents:
        thread = agents.threads.create()["thread_id"]
    run_with_feedback(example, thread, {"score": 0, "correction": "Two tables walk into a bar."})
    [line] = found(example, "export", thread=thread, format="dpo").text.splitlines()
    pair = json.loads(line)
    assert pair["prompt"] == [{"role": "user", "content": "Tell me a joke about databases."}]
    assert pair["chosen"] == [{"role": "assistant", "content": "Two tables walk into a bar."}]
    assert pair["rejected"][0]["role"] == "assistant"
    assert pair["rejected"][0]["content"]
    command = [sys.executable, "-m", "agent_server", "feedback", "--data-dir", str(example.data_dir)]
    received = subprocess.run(
        [*command, "export", "--thread", thread, "--format", "kto"],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert json.loads(received.stdout) == {"prompt": pair["prompt"], "completion": pair["rejected"], "label": False}


def test_training_sets_hold_stateless_runs_too(example: ServerProcess) -> None:
    run = run_with_feedback(example, None, {"score": 1})
    [line] = found(example, "export", run=run, format="kto").text.splitlines()
    pair = json.loads(line)
    assert (pair["prompt"][0]["content"], pair["label"]) == (INPUT["messages"][0]["content"], True)
