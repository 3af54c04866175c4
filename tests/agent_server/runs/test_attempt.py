"""One attempt at a run: the order of its events, and its end, over both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from tests.agent_server.backend import Backend, MintedUrls, names, open_backend, until

Yields = AsyncGenerator[str | dict[str, Any], None]


async def counting(given: Any) -> Yields:
    for number in range(given):
        yield {"n": number}


async def failing(_given: Any) -> Yields:
    yield {"n": 1}
    raise ValueError("no such luck")


async def _run_on_thread(backend: Backend, **body: Any) -> tuple[str, str]:
    thread_id = await backend.thread()
    return thread_id, (await backend.run(thread_id, **body)).run_id


async def _end_of(database_url: str, agent: Any, **body: Any) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """Run the agent; return the run's events and its row."""
    async with open_backend(database_url, {"agent": agent}, feedback=MintedUrls()) as backend, backend.worker():
        _, run_id = await _run_on_thread(backend, feedback_keys=["liked", "bad"], **body)
        events = await backend.events(run_id)
        return events, dict(await backend.row(run_id) or {})


async def test_feedback_is_the_last_event_on_success(database_url: str) -> None:
    events, row = await _end_of(database_url, counting, input=2, stream_mode=["custom", "values"])
    assert names(events) == ["metadata", "custom", "custom", "values", "feedback"]
    assert set(events[-1][1]) == {"liked", "bad"}
    assert events[-1][1]["liked"].startswith("http://server.test/")
    assert (row["status"], row["output"]) == ("success", '{"n":1}')


async def test_failing_agents_error_follows_its_feedback(database_url: str) -> None:
    events, row = await _end_of(database_url, failing, stream_mode="custom")
    assert names(events) == ["metadata", "custom", "feedback", "error"]
    assert events[-1][1] == {"error": "ValueError", "message": "no such luck"}
    assert row["status"] == "error"


async def test_feedback_on_failure_can_be_disabled(database_url: str) -> None:
    minting = MintedUrls()
    async with (
        open_backend(database_url, {"agent": failing}, feedback=minting, feedback_on_error=False) as backend,
        backend.worker(),
    ):
        _, run_id = await _run_on_thread(backend, feedback_keys=["liked"])
        assert names(await backend.events(run_id)) == ["metadata", "error"]


async def cancelled_from_within(_given: Any) -> Yields:
    yield {"n": 1}
    raise asyncio.CancelledError


async def waiting_for_a_cancelled_task(_given: Any) -> Yields:
    yield {"n": 1}
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()
    await task


async def leaving(_given: Any) -> Yields:
    yield {"n": 1}
    raise SystemExit("enough")


@pytest.mark.parametrize("agent", [cancelled_from_within, waiting_for_a_cancelled_task, leaving])
async def test_agent_that_cancels_itself_or_exits_has_failed(database_url: str, agent: Any) -> None:
    events, row = await _end_of(database_url, agent, stream_mode="custom")
    assert names(events) == ["metadata", "custom", "feedback", "error"]
    assert events[-1][1]["error"] in ("CancelledError", "SystemExit")
    assert events[-1][1]["message"]
    assert row["status"] == "error"


async def test_server_goes_on_after_an_agent_cancelled_itself(database_url: str) -> None:
    async def agent(given: Any) -> Yields:
        if given == "cancel":
            raise asyncio.CancelledError
        yield {"n": 1}

    async with open_backend(database_url, {"agent": agent}) as backend, backend.worker():
        thread_id, first = await _run_on_thread(backend, input="cancel")
        second = (await backend.run(thread_id)).run_id
        assert names(await backend.events(first)) == ["metadata", "error"]
        assert names(await backend.events(second)) == ["metadata", "values"]


async def test_urls_are_minted_beside_the_run(database_url: str) -> None:
    minted = anyio.Event()

    async def before() -> None:
        minted.set()

    async def agent(_given: Any) -> Yields:
        with anyio.fail_after(10):
            await minted.wait()  # mint beside the run, before its end
        yield {"n": 1}

    async with open_backend(database_url, {"agent": agent}, feedback=MintedUrls(before)) as backend, backend.worker():
        _, run_id = await _run_on_thread(backend, feedback_keys=["liked"])
        assert names(await backend.events(run_id)) == ["metadata", "values", "feedback"]


async def _warned_of(database_url: str, event: str, before: Any, mint_timeout: float = 5.0) -> None:
    """A run whose URLs are not minted succeeds without them and logs one warning."""
    feedback = MintedUrls(before)
    with capture_logs() as logs:
        async with (
            open_backend(database_url, {"agent": counting}, feedback=feedback, mint_timeout=mint_timeout) as backend,
            backend.worker(),
        ):
            _, run_id = await _run_on_thread(backend, input=1, feedback_keys=["liked"])
            assert names(await backend.events(run_id)) == ["metadata", "values"]
            assert await backend.status(run_id) == "success"
    assert [entry["log_level"] for entry in logs if entry["event"] == event] == ["warning"]


async def test_late_minting_costs_the_event_not_the_result(database_url: str) -> None:
    await _warned_of(database_url, "feedback_urls_late", anyio.sleep_forever, mint_timeout=0.1)


async def test_failed_minting_costs_the_event_not_the_result(database_url: str) -> None:
    async def fail() -> None:
        raise OSError("the feedback store is away")

    await _warned_of(database_url, "feedback_urls_not_minted", fail)


async def test_run_without_feedback_keys_mints_nothing(database_url: str) -> None:
    minting = MintedUrls()
    async with open_backend(database_url, {"agent": counting}, feedback=minting) as backend, backend.worker():
        _, run_id = await _run_on_thread(backend, input=1)
        assert names(await backend.events(run_id)) == ["metadata", "values"]
    assert minting.count == 0


class Waiting:
    """An agent that waits for ever and records whether it was stopped."""

    def __init__(self) -> None:
        self.at_work = anyio.Event()
        self.stopped = anyio.Event()

    async def agent(self, _given: Any) -> Yields:
        try:
            yield {"n": 1}
            self.at_work.set()
            await anyio.sleep_forever()
        finally:
            self.stopped.set()


@pytest.mark.parametrize(("action", "left"), [("interrupt", "interrupted"), ("rollback", None)])
async def test_cancel_stops_the_agent(database_url: str, action: Any, left: str | None) -> None:
    waiting = Waiting()
    async with open_backend(database_url, {"agent": waiting.agent}) as backend, backend.worker():
        thread_id, run_id = await _run_on_thread(backend, stream_mode="custom")
        await until(waiting.at_work.is_set)
        await backend.runs.cancel(run_id, thread_id, action)
        assert names(await backend.events(run_id)) == ["metadata", "custom"]
        assert waiting.stopped.is_set()
        assert await backend.status(run_id) == left
        assert await backend.thread_status(thread_id) == ("interrupted" if left else "idle")


async def test_interrupting_run_waits_for_the_cancelled_one(database_url: str) -> None:
    waiting = Waiting()

    async def agent(given: Any) -> Yields:
        if given == "wait":
            async for item in waiting.agent(given):
                yield item
        yield {"n": 2}

    async with open_backend(database_url, {"agent": agent}) as backend, backend.worker():
        thread_id, first = await _run_on_thread(backend, input="wait")
        await until(waiting.at_work.is_set)
        second = (await backend.run(thread_id, multitask_strategy="interrupt")).run_id
        assert names(await backend.events(second)) == ["metadata", "values"]
        assert (await backend.status(first), await backend.status(second)) == ("interrupted", "success")
        assert await backend.thread_status(thread_id) == "idle"


async def test_remote_cancel_is_noticed_at_lease_renewal(database_url: str) -> None:
    waiting = Waiting()
    async with (
        open_backend(database_url, {"agent": waiting.agent}) as backend,
        open_backend(database_url) as other,
        backend.worker(lease_seconds=0.6),
    ):
        thread_id, run_id = await _run_on_thread(backend)
        await until(waiting.at_work.is_set)
        await other.runs.cancel(run_id, thread_id, "interrupt")
        await backend.events(run_id)
        assert await backend.status(run_id) == "interrupted"


async def test_slow_agent_may_finish_its_cleanup(database_url: str) -> None:
    cleaned = anyio.Event()

    async def agent(_given: Any) -> Yields:
        try:
            yield {"n": 1}
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.2)
            cleaned.set()

    async with open_backend(database_url, {"agent": agent}) as backend, backend.worker():
        thread_id, run_id = await _run_on_thread(backend, stream_mode="custom")
        await until(lambda: backend.broker.holds(run_id))
        await backend.runs.cancel(run_id, thread_id, "interrupt")
        await backend.events(run_id)
        assert cleaned.is_set()
        assert await backend.status(run_id) == "interrupted"


async def test_slow_subscriber_does_not_slow_the_run(database_url: str) -> None:
    async with open_backend(database_url, {"agent": counting}, max_bytes=20_000) as backend, backend.worker():
        _, run_id = await _run_on_thread(backend, input=2000, stream_mode="custom")
        slow = backend.streams.follow(run_id)
        await anext(slow)
        await until(lambda: _is(backend, run_id, "success"))
        assert names(await backend.events(run_id))[0] == "gap"


async def _is(backend: Backend, run_id: str, status: str) -> bool:
    return await backend.status(run_id) == status


async def test_result_without_json_form_is_approximated(database_url: str) -> None:
    async def agent(_given: Any) -> Yields:
        yield {"set": {1}, "text": "lone \ud800", "nan": float("nan"), "nul": "a\x00b"}

    events, row = await _end_of(database_url, agent)
    assert events[1][1]["set"] == [1]
    assert row["status"] == "success"
