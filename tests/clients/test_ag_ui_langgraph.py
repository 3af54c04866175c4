"""Feedback URLs through AG-UI's adapter for LangGraph, npm `@ag-ui/langgraph`, unmodified; CopilotKit uses it."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.clients.node import node
from tests.clients.server_process import ServerProcess

KEYS = ["user_liked", "user_disliked"]
HUMAN = {"role": "user", "content": "hello"}


async def run_client(server: ServerProcess, thread_id: str, keys: list[str]) -> dict[str, Any]:
    """Return the events of a run with these feedback keys, and the page's messages after it."""
    printed = await node("agui.mjs", server.url, "calling", thread_id, json.dumps(keys))
    return dict(json.loads(printed.splitlines()[-1]))


async def test_feedback_urls_come_as_custom_event(graphs: ServerProcess) -> None:
    thread_id = str(uuid4())
    shown = await run_client(graphs, thread_id, KEYS)
    [feedback] = [event for event in shown["events"] if event["type"] == "CUSTOM"]
    assert (feedback["name"], list(feedback["value"])) == ("feedback", KEYS)
    types = [event["type"] for event in shown["events"]]
    assert types.index("CUSTOM") > types.index("TEXT_MESSAGE_END")
    assert types[-1] == "RUN_FINISHED"
    assert "assistant" in [message["role"] for message in shown["messages"]]
    async with httpx.AsyncClient(base_url=graphs.url) as http:
        assert (await http.post(feedback["value"]["user_liked"], json={"score": 1})).is_success
        [run] = (await http.get(f"/threads/{thread_id}/runs")).json()
        [stored] = (await http.get("/api/v1/feedback", params={"run": run["run_id"]})).json()
    assert (stored["key"], stored["score"]) == ("user_liked", 1)


async def test_run_without_keys_has_no_custom_event(graphs: ServerProcess) -> None:
    shown = await run_client(graphs, str(uuid4()), [])
    assert "CUSTOM" not in [event["type"] for event in shown["events"]]


@pytest.mark.parametrize("modes", [["events"], ["values", "events"], ["values"]])
async def test_only_runs_that_stream_events_have_it(graphs: ServerProcess, modes: list[str]) -> None:
    body = {"assistant_id": "echoing", "input": {"messages": [HUMAN]}, "stream_mode": modes, "feedback_keys": KEYS}
    async with httpx.AsyncClient(base_url=graphs.url, timeout=30) as http:
        text = (await http.post("/runs/stream", json=body)).text
    names = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert names[-1] == "feedback"
    assert text.count("on_custom_event") == (1 if "events" in modes else 0)
