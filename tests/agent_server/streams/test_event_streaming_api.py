"""`/threads/{thread_id}/commands` and `/stream/events` over HTTP.

Refusals and their texts were recorded from the official server (langgraph-api 0.16.7), unless a test says otherwise.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent_server.api import Api, serving
from tests.agent_server.backend import unknown_id

NO_COMMAND = "Protocol commands must include an integer id and string method."


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path) as api:
        yield api


async def command(api: Api, thread_id: str, method: str, **params: Any) -> Any:
    return await api.post(f"/threads/{thread_id}/commands", {"id": 7, "method": method, "params": params})


async def test_run_start_creates_the_thread_and_run(api: Api) -> None:
    thread_id = unknown_id()
    done = await command(api, thread_id, "run.start", assistant_id="doubling", input={"x": 2}, metadata={"a": 1})
    run_id = done["result"]["run_id"]
    assert done == {"type": "success", "id": 7, "result": {"run_id": run_id}, "meta": {"applied_through_seq": 0}}
    assert (await api.get(f"/threads/{thread_id}/runs/{run_id}/join"))["x"] == 4
    run = await api.get(f"/threads/{thread_id}/runs/{run_id}")
    assert (run["metadata"]["a"], run["kwargs"]["event_streaming"], run["multitask_strategy"]) == (1, True, "enqueue")


IMPOSSIBLE_COMMANDS: list[tuple[str, dict[str, Any], str, str]] = [
    ("run.start", {}, "invalid_argument", "run.start requires an assistant_id."),
    (
        "run.start",
        {"assistant_id": "unknown"},
        "invalid_argument",
        "Invalid assistant: 'unknown'",
    ),  # the official server says unknown_error
    ("run.start", {"assistant_id": "doubling", "config": 5}, "invalid_argument", "params.config"),
    ("run.start", {"assistant_id": "doubling", "multitask_strategy": "x"}, "invalid_argument", "params.multitask"),
    ("run.start", {"assistant_id": "doubling", "feedback_keys": [""]}, "invalid_argument", "params.feedback_keys"),
    ("input.respond", {}, "invalid_argument", "input.respond requires an interrupt_id."),
    ("input.respond", {"interrupt_id": "x"}, "no_such_interrupt", "Unknown or already-consumed interrupt: x"),
    ("input.respond", {"interrupt_id": 5}, "invalid_argument", "params.interrupt_id"),
    ("agent.getTree", {}, "no_such_run", "No active run is bound to this thread."),
    ("state.get", {}, "unknown_command", "Unknown protocol command: state.get"),
    ("run.cancel", {}, "unknown_command", "Unknown protocol command: run.cancel"),
    ("subscription.subscribe", {"channels": ["values"]}, "not_supported", "WebSocket"),
]


async def test_command_that_cannot_be_carried_out_says_why(api: Api, subtests: pytest.Subtests) -> None:
    for method, params, error, message in IMPOSSIBLE_COMMANDS:
        with subtests.test(method=method, params=params, error=error, message=message):
            refused = await command(api, await api.thread(), method, **params)
            assert (refused["type"], refused["id"], refused["error"]) == ("error", 7, error)
            assert message in refused["message"]


async def test_command_on_no_thread_says_so(api: Api) -> None:
    refused = await command(api, unknown_id(), "input.respond", interrupt_id="x")
    assert (refused["error"], "not found" in refused["message"]) == ("invalid_argument", True)
    assert "UUID" in (await command(api, "nonsense", "run.start", assistant_id="doubling"))["message"]


INVALID_COMMANDS: list[Any] = [[], "x", 5, {}, {"id": 1}, {"method": "x"}, {"id": "a", "method": "x"}]


async def test_invalid_command_is_a_400(api: Api, subtests: pytest.Subtests) -> None:
    for body in INVALID_COMMANDS:
        for more in [{}, {"params": {}}]:
            with subtests.test(body=body, more=more):
                sent = {**body, **more} if isinstance(body, dict) else body
                response = await api.send("POST", f"/threads/{unknown_id()}/commands", sent)
                assert response.status_code == 400
                received = {"type": "error", "error": "invalid_argument", "message": NO_COMMAND, "detail": NO_COMMAND}
                command_id = body.get("id") if isinstance(body, dict) else None
                assert response.json() == {**received, "id": command_id if isinstance(command_id, int) else None}


async def test_id_of_a_command_is_a_whole_number(api: Api, subtests: pytest.Subtests) -> None:
    for command_id in [True, 1.5, None, 2**60]:
        with subtests.test(command_id=command_id):
            response = await api.send("POST", f"/threads/{unknown_id()}/commands", {"id": command_id, "method": "x"})
            assert (response.status_code, response.json()["id"]) == (400, None)


async def test_run_at_work_is_the_tree(api: Api) -> None:
    """The official server always says no_such_run."""
    thread_id = await api.thread()
    await command(api, thread_id, "run.start", assistant_id="sleeping_agent", input={})
    for _ in range(100):
        received = await command(api, thread_id, "agent.getTree")
        if received["type"] == "success":
            break
    assert received["result"]["tree"] == {"namespace": [], "status": "running", "graph_name": "sleeping_agent"}


@pytest.mark.parametrize("strategy", ["multitask_strategy", "multitaskStrategy"])
async def test_busy_thread_error_follows_the_strategy(api: Api, strategy: str) -> None:
    """The official server ignores the strategy: every run waits for the one before it."""
    thread_id = await api.thread()
    await command(api, thread_id, "run.start", assistant_id="sleeping_agent", input={})
    refused = await command(
        api, thread_id, "run.start", assistant_id="doubling", input={"x": 1}, **{strategy: "reject"}
    )
    assert (refused["error"], "already running" in refused["message"]) == ("invalid_argument", True)
    params: dict[str, Any] = {"assistant_id": "doubling", "input": {"x": 1}, strategy: "interrupt"}
    done = await command(api, thread_id, "run.start", **params)
    assert (await api.get(f"/threads/{thread_id}/runs/{done['result']['run_id']}/join"))["x"] == 2


WRONG_SUBSCRIPTIONS: list[dict[str, Any]] = [
    *({}, {"channels": []}, {"channels": ["nope"]}, {"channels": "values"}, {"channels": ["custom:"]}),
    *({"channels": ["values"], name: bad} for name in ("since", "depth", "namespaces") for bad in (-1, "a", [1])),
]


async def test_subscription_that_makes_no_sense_is_a_422(api: Api, subtests: pytest.Subtests) -> None:
    """The official server ignores an invalid `since`, depth or namespace."""
    for body in WRONG_SUBSCRIPTIONS:
        with subtests.test(body=body):
            status, _ = await api.refusal("POST", f"/threads/{await api.thread()}/stream/events", body)
            assert status == 422


async def test_events_of_no_thread_id_are_a_422(api: Api) -> None:
    assert (await api.refusal("POST", "/threads/nonsense/stream/events", {"channels": ["values"]}))[0] == 422
