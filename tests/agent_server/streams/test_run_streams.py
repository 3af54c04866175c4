"""What clients receive of a run: live, again later, and when only its row is left, over both databases."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from agent_server.errors import Invalid
from agent_server.runs.queue import FINAL
from tests.agent_server.backend import Backend, MintedUrls, names, open_backend, parsed, parsed_with_ids, until

Yields = AsyncGenerator[str | dict[str, Any], None]


async def counting(given: Any) -> Yields:
    if given == "fail":
        raise ValueError("no such luck")
    for number in range(given):
        yield {"n": number}


@asynccontextmanager
async def at_work(database_url: str, keep: float = 120) -> AsyncIterator[Backend]:
    """Run a backend whose logs are kept for so many seconds."""
    async with (
        open_backend(database_url, {"agent": counting}, feedback=MintedUrls(), keep=keep) as backend,
        backend.worker(),
    ):
        yield backend


async def _replay(
    backend: Backend, run_id: str, after: str | None = None, modes: Any = ()
) -> list[tuple[str, Any, str]]:
    record = await backend.runs.get(run_id)
    return [one async for chunk in backend.streams.replay(record, after, modes) for one in parsed_with_ids(chunk)]


async def _joined(backend: Backend, run_id: str) -> Any:
    return json.loads(b"".join([chunk async for chunk in backend.streams.final_values(run_id)]))


async def _forgotten(backend: Backend, **body: Any) -> str:
    """Run to the end, wait until the log is dropped, and return the run's id."""
    run_id = (await backend.run(await backend.thread(), **body)).run_id
    await backend.events(run_id)
    await until(lambda: _dropped(backend, run_id))
    return run_id


async def _dropped(backend: Backend, run_id: str) -> bool:
    return not await backend.broker.holds(run_id)


async def test_replay_returns_all_events_after_any_id(database_url: str) -> None:
    async with at_work(database_url) as backend:
        run_id = (await backend.run(await backend.thread(), input=3, stream_mode="custom", feedback_keys=["k"])).run_id
        await backend.events(run_id)
        whole = await _replay(backend, run_id)
        assert names(whole) == ["metadata", "custom", "custom", "custom", "feedback"]
        assert await _replay(backend, run_id, "-1") == whole
        for position, (_, _, event_id) in enumerate(whole):
            assert await _replay(backend, run_id, event_id) == whole[position + 1 :]


async def test_wrong_last_event_id_is_refused_before_streaming(database_url: str) -> None:
    async with at_work(database_url) as backend:
        record = await backend.runs.get((await backend.run(None, input=1)).run_id)
        for wrong in ("x", "1", "1-", "1-x", "-5", "1-2-3", "١-٢"):
            with pytest.raises(Invalid, match=r"Last-Event-ID .* such as 1-42, or -1"):
                backend.streams.replay(record, wrong)


async def test_subscribers_each_get_everything(database_url: str) -> None:
    async with at_work(database_url) as backend:
        run_id = (await backend.run(await backend.thread(), input=50, stream_mode="custom")).run_id
        seen: list[list[tuple[str, Any]]] = []

        async def subscribe() -> None:
            seen.append(await backend.events(run_id))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(subscribe)
        assert len(seen) == 5
        assert all(events == seen[0] for events in seen)
        assert len(seen[0]) == 51


async def test_stream_ends_only_after_the_row_is_final(database_url: str) -> None:
    async with at_work(database_url) as backend:
        thread_id = await backend.thread()
        for given in (3, "fail") * 5:
            run_id = (await backend.run(thread_id, input=given)).run_id
            async for _ in backend.streams.follow(run_id):
                pass
            assert await backend.status(run_id) in FINAL


async def test_stream_has_requested_modes_and_mandatory_events(database_url: str) -> None:
    async with at_work(database_url) as backend:
        modes = ["custom", "values", "updates"]
        run_id = (await backend.run(None, input=1, stream_mode=modes, feedback_keys=["k"])).run_id
        await backend.events(run_id)
        assert names(await _replay(backend, run_id)) == ["metadata", "custom", "updates", "values", "feedback"]
        assert names(await _replay(backend, run_id, modes=["values"])) == ["metadata", "values", "feedback"]
        assert names(await _replay(backend, run_id, modes=["messages"])) == ["metadata", "feedback"]


async def test_message_events_match_the_requested_mode(database_url: str) -> None:
    async def talking(_given: Any) -> Yields:
        yield "hello"

    async with open_backend(database_url, {"agent": talking}) as backend, backend.worker():
        run_id = (await backend.run(None, stream_mode=["messages", "messages-tuple"])).run_id
        await backend.events(run_id)
        assert "messages/partial" in names(await _replay(backend, run_id, modes=["messages"]))
        assert "messages/partial" not in names(await _replay(backend, run_id, modes=["messages-tuple"]))
        assert "messages" in names(await _replay(backend, run_id, modes=["messages-tuple"]))


async def test_expired_stream_is_served_from_the_row(database_url: str) -> None:
    async with at_work(database_url, keep=0.01) as backend:
        run_id = await _forgotten(backend, input=2, feedback_keys=["k"])
        events = await _replay(backend, run_id, "1-1")
        assert names(events) == ["gap", "metadata", "values", "feedback"]
        assert events[2][1] == {"n": 1}
        assert events[3][1]["k"].endswith("/2"), "the feedback URLs are fresh"
        assert not await backend.broker.holds(run_id)


async def test_expired_streams_failure_comes_from_the_row(database_url: str) -> None:
    async with at_work(database_url, keep=0.01) as backend:
        run_id = await _forgotten(backend, input="fail", feedback_keys=["k"])
        events = await _replay(backend, run_id)
        assert names(events)[0] == "gap"
        assert names(events)[-2:] == ["feedback", "error"]
        assert events[-1][1] == {"error": "ValueError", "message": "no such luck"}


async def test_forgotten_cancelled_run_has_no_feedback(database_url: str) -> None:
    async with at_work(database_url, keep=0.01) as backend:
        thread_id = await backend.thread()
        run_id = (await backend.run(thread_id, after_seconds=60, feedback_keys=["k"])).run_id
        await backend.runs.cancel(run_id, thread_id, "interrupt")
        await until(lambda: _dropped(backend, run_id))
        assert names(await _replay(backend, run_id)) == ["gap", "metadata"]
        assert await _joined(backend, run_id) is None


async def test_wait_returns_its_own_runs_values(database_url: str) -> None:
    async with at_work(database_url, keep=0.01) as backend:
        thread_id = await backend.thread()
        first = (await backend.run(thread_id, input=1)).run_id
        second = (await backend.run(thread_id, input=5)).run_id
        assert await _joined(backend, second) == {"n": 4}
        assert await _joined(backend, first) == {"n": 0}
        await until(lambda: _dropped(backend, second))
        assert await _joined(backend, first) == {"n": 0}


@pytest.mark.parametrize("late", [False, True])
async def test_answer_has_the_feedback_urls_among_its_values(database_url: str, late: bool) -> None:
    body: dict[str, Any] = {"input": 1, "feedback_keys": ["k"]}
    async with at_work(database_url, keep=0.01) as backend:
        run_id = await _forgotten(backend, **body) if late else (await backend.run(None, **body)).run_id
        values = await _joined(backend, run_id)
        assert set(values) == {"n", "__feedback__"}
        assert set(values["__feedback__"]) == {"k"}


@pytest.mark.parametrize("late", [False, True])
async def test_answer_of_a_failed_run_is_its_error(database_url: str, late: bool) -> None:
    async with at_work(database_url, keep=0.01) as backend:
        run_id = await _forgotten(backend, input="fail") if late else (await backend.run(None, input="fail")).run_id
        assert (await _joined(backend, run_id))["__error__"] == {"error": "ValueError", "message": "no such luck"}


async def test_stream_of_a_pending_run_waits_for_it(database_url: str) -> None:
    async with open_backend(database_url, {"agent": counting}) as backend:
        run_id = (await backend.run(None, input=1)).run_id
        events: list[tuple[str, Any]] = []

        async def subscribe() -> None:
            async for chunk in backend.streams.replay(await backend.runs.get(run_id), None):
                events.extend(parsed(chunk))

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(subscribe)
                await anyio.sleep(0.1)
                assert events == []
                async with backend.worker():
                    await backend.events(run_id)
        assert names(events) == ["metadata", "values"]
