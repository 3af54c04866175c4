"""Runs through the official Python client: multitask strategies, interrupts before nodes, disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError
from langgraph_sdk.schema import StreamPart

from tests.agent_server.backend import until

LONG = {"total": 1000, "pause": 0.05, "done": []}


async def thread(client: LangGraphClient) -> str:
    return str((await client.threads.create())["thread_id"])


async def status(client: LangGraphClient, thread_id: str, run_id: str) -> str:
    return str((await client.runs.get(thread_id, run_id))["status"])


async def becomes(client: LangGraphClient, thread_id: str, run_id: str, wanted: str) -> None:
    async def reached() -> bool:
        return await status(client, thread_id, run_id) == wanted

    await until(reached)


async def steps_done(client: LangGraphClient, thread_id: str, at_least: int) -> list[int]:
    """Return the steps that the thread's run has done once there are at least so many."""
    done: list[int] = []

    async def enough() -> bool:
        done[:] = (await client.threads.get_state(thread_id))["values"].get("done", [])
        return len(done) >= at_least

    await until(enough)
    return done


async def leave_after_first_event(stream: AsyncIterator[StreamPart]) -> str:
    """Leave the stream after its first event and return the run's id."""
    part = await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
    return str(part.data["run_id"])


@pytest.mark.parametrize("leaves", ["stream", "join_stream", "join", "wait"])
async def test_waiting_client_may_cancel_on_disconnect(client: LangGraphClient, leaves: str) -> None:
    thread_id, runs = await thread(client), client.runs
    if leaves == "stream":
        run_id = await leave_after_first_event(
            runs.stream(thread_id, "steps", input=LONG, on_disconnect="cancel", stream_mode="updates")
        )
    elif leaves == "wait":
        waiting = asyncio.create_task(runs.wait(thread_id, "steps", input=LONG, on_disconnect="cancel"))
        await steps_done(client, thread_id, 1)
        [run] = await runs.list(thread_id)
        run_id = run["run_id"]
        waiting.cancel()
    else:
        run_id = (await runs.create(thread_id, "steps", input=LONG))["run_id"]
        if leaves == "join_stream":
            await leave_after_first_event(runs.join_stream(thread_id, run_id, cancel_on_disconnect=True))
        else:
            waiting = asyncio.create_task(
                runs.join(thread_id, run_id, params={"cancel_on_disconnect": "true"})  # type: ignore[arg-type]
            )
            await steps_done(client, thread_id, 1)
            waiting.cancel()
    await becomes(client, thread_id, run_id, "interrupted")
    assert (await client.threads.get(thread_id))["status"] == "interrupted"


async def test_stateless_run_is_cancelled_when_its_client_leaves(client: LangGraphClient) -> None:
    stream = client.runs.stream(
        None, "steps", input=LONG, on_disconnect="cancel", stream_mode="updates", on_completion="keep"
    )
    run_id = await leave_after_first_event(stream)
    found = await client.http.get(f"/runs/{run_id}/join")
    assert len(found["done"]) < 1000


async def test_stateless_runs_thread_is_kept_on_request(client: LangGraphClient) -> None:
    stored = await client.runs.create(None, "steps", input={"total": 2, "done": []}, on_completion="keep")
    gone = await client.runs.create(None, "steps", input={"total": 2, "done": []})
    for run in (stored, gone):
        await client.http.get(f"/runs/{run['run_id']}/join")
    assert (await client.threads.get_state(stored["thread_id"]))["values"]["done"] == [0, 1]
    with pytest.raises(NotFoundError):
        await client.threads.get(gone["thread_id"])


async def test_interrupting_run_continues_from_the_interrupted_state(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    first = await client.runs.create(thread_id, "steps", input=LONG)
    before = await steps_done(client, thread_id, 3)
    await client.runs.wait(thread_id, "steps", input={"total": 0, "pause": 0}, multitask_strategy="interrupt")
    assert await status(client, thread_id, first["run_id"]) == "interrupted"
    after = await steps_done(client, thread_id, 1)
    assert after[: len(before)] == before
    assert after == list(range(len(after)))


async def test_rolling_back_run_starts_from_the_earlier_state(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={"total": 1, "done": []})
    first = await client.runs.create(thread_id, "steps", input=LONG)
    await steps_done(client, thread_id, 4)
    second = await client.runs.wait(thread_id, "steps", input={"total": 0, "pause": 0}, multitask_strategy="rollback")
    assert second["done"] == [0, 1]
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, first["run_id"])
    made_by = {state["metadata"].get("run_id") for state in await client.threads.get_history(thread_id, limit=100)}
    assert first["run_id"] not in made_by


async def test_runs_that_are_enqueued_run_in_their_order(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    runs = [await client.runs.create(thread_id, "steps", input={"total": n, "pause": 0.05}) for n in (1, 2, 3)]
    results = [await client.runs.join(thread_id, run["run_id"]) for run in runs]
    assert [len(result["done"]) for result in results] == [1, 2, 3]


async def test_delayed_run_waits_and_lets_others_pass(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    later = await client.runs.create(thread_id, "steps", input={"total": 1, "done": []}, after_seconds=1)
    await client.runs.wait(thread_id, "steps", input={"total": 1, "done": []})
    assert await status(client, thread_id, later["run_id"]) == "pending"
    assert (await client.runs.join(thread_id, later["run_id"]))["done"] == [0, 1]


@pytest.mark.parametrize(("when", "done"), [("interrupt_before", []), ("interrupt_after", [0])])
@pytest.mark.parametrize("nodes", ["*", ["step"]])
async def test_run_stops_at_a_breakpoint_and_resumes(
    client: LangGraphClient, when: str, done: list[int], nodes: Any
) -> None:
    thread_id = await thread(client)
    chosen: dict[str, Any] = {when: nodes}
    stopped = await client.runs.wait(thread_id, "steps", input={"total": 2, "done": []}, **chosen)
    assert stopped.get("done", []) == done
    assert (await client.threads.get(thread_id))["status"] == "interrupted"
    assert (await client.runs.wait(thread_id, "steps"))["done"] == [0, 1]


async def test_run_forks_from_an_earlier_checkpoint(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={"total": 3, "done": []})
    history = await client.threads.get_history(thread_id, limit=10)
    early = next(state for state in history if state["values"].get("done") == [0])
    forked = await client.runs.wait(thread_id, "steps", checkpoint_id=early["checkpoint"]["checkpoint_id"])
    assert forked["done"] == [0, 1, 2]
    ids = {state["checkpoint"]["checkpoint_id"] for state in await client.threads.get_history(thread_id, limit=100)}
    assert ids > {state["checkpoint"]["checkpoint_id"] for state in history}


async def test_runs_are_started_and_cancelled_many_at_once(client: LangGraphClient) -> None:
    payloads: Any = [{"assistant_id": "steps", "input": {"total": n, "done": []}} for n in (1, 2)]
    batch: Any = await client.runs.create_batch(payloads)
    results = [await client.http.get(f"/runs/{run['run_id']}/join") for run in batch]
    assert [result["done"] for result in results] == [[0], [0, 1]]
    thread_id = await thread(client)
    runs = [(await client.runs.create(thread_id, "steps", input=LONG))["run_id"] for _ in range(3)]
    await client.runs.cancel_many(thread_id=thread_id, run_ids=runs)
    for run_id in runs:
        await becomes(client, thread_id, run_id, "interrupted")
    assert {tuple(run) for run in await client.runs.list(thread_id, select=["status"])} == {("status",)}


async def test_thread_is_listened_to_across_its_runs(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    seen: list[StreamPart] = []

    async def listen() -> None:
        async for part in await client.threads.join_stream(thread_id):
            seen.append(part)
            if len([one for one in seen if one.data.get("status") == "run_done"]) == 2:
                return

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0.3)
    for _ in range(2):
        await client.runs.create(thread_id, "steps", input={"total": 1, "done": []}, stream_mode="updates")
    await asyncio.wait_for(listening, 20)
    assert [part.event for part in seen] == ["metadata", "updates", "metadata"] * 2
    rest = await client.threads.join_stream(thread_id, last_event_id=str(seen[3].id))
    assert await anext(rest) == seen[4]
    await rest.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_webhook_into_the_servers_own_machine_is_refused(client: LangGraphClient) -> None:
    with pytest.raises(Exception, match="Webhook host blocked: loopback IP range"):
        await client.runs.create(None, "steps", input={}, webhook="https://127.0.0.1/hook")
