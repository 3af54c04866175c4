"""Streams whose logs do not end: the run's row ends them, over both databases."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from agent_server.broker import Frame, FrameId
from agent_server.streams.run_end_watch import RunEndWatch
from agent_server.streams.run_streams import RunStreams
from tests.agent_server.backend import Backend, MintedUrls, names, open_backend, parsed


async def counting(given: int) -> AsyncGenerator[dict[str, Any], None]:
    for number in range(given):
        yield {"n": number}


@asynccontextmanager
async def two_processes(database_url: str) -> AsyncIterator[tuple[Backend, Backend, RunEndWatch, RunStreams]]:
    """Open two processes with separate brokers and one worker, and the streams and the watch of the other."""
    async with (
        open_backend(database_url, feedback=MintedUrls()) as first,
        open_backend(database_url, {"agent": counting}, feedback=MintedUrls()) as working,
        working.worker(),
    ):
        watch = RunEndWatch(first.database)
        yield first, working, watch, RunStreams(first.runs, first.broker, MintedUrls(), run_end_watch=watch)


async def finished(backend: Backend, **body: Any) -> str:
    """Run to the end and return the run's id."""
    run_id = (await backend.run(None, **body)).run_id
    await backend.events(run_id)
    return run_id


async def look_until(watch: RunEndWatch, done: anyio.Event) -> None:
    while not done.is_set():
        await anyio.sleep(0.01)
        await watch.look()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_remote_runs_stream_ends_from_its_row(database_url: str) -> None:
    async with two_processes(database_url) as (first, _, watch, streams):
        run_id = (await first.run(None, input=3, feedback_keys=["k"])).run_id
        events: list[tuple[str, Any]] = []
        done = anyio.Event()

        async def follow() -> None:
            async for chunk in streams.follow(run_id):
                events.extend(parsed(chunk))
            done.set()

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(follow)
                group.start_soon(look_until, watch, done)
        assert names(events) == ["gap", "metadata", "values", "feedback"]
        assert events[2][1] == {"n": 2}


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_remote_runs_values_arrive_with_its_end(database_url: str) -> None:
    async with two_processes(database_url) as (first, _, watch, streams):
        run_id = (await first.run(None, input=3, feedback_keys=["k"])).run_id
        done = anyio.Event()
        chunks: list[bytes] = []

        async def wait() -> None:
            chunks.extend([chunk async for chunk in streams.final_values(run_id)])
            done.set()

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(wait)
                group.start_soon(look_until, watch, done)
        values = json.loads(b"".join(chunks))
        assert values["n"] == 2
        assert set(values["__feedback__"]) == {"k"}


async def test_watch_leaves_active_runs_streams_open(database_url: str) -> None:
    async with open_backend(database_url, feedback=MintedUrls()) as backend:
        watch = RunEndWatch(backend.database)
        streams = RunStreams(backend.runs, backend.broker, None, run_end_watch=watch)
        run_id = (await backend.run(None, input=1)).run_id
        with anyio.move_on_after(0.5) as patience:
            async with anyio.create_task_group() as group:
                group.start_soon(look_until, watch, anyio.Event())
                async for _ in streams.follow(run_id):
                    pytest.fail("nothing was published")
        assert patience.cancelled_caught


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_log_ending_after_its_row_is_read_completely(database_url: str) -> None:
    async with two_processes(database_url) as (first, working, watch, _):
        run_id = await finished(working, input=3)
        last = Frame(FrameId(1, 0), "values", b"last")
        got: list[Frame] = []

        async def read() -> None:
            async for frames in watch.watch_chunks(run_id, first.broker.subscribe(run_id)):
                got.extend(frames)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await anyio.sleep(0.01)
                await watch.look()
                await first.broker.publish(run_id, [last])
                await first.broker.close(run_id)
        assert got == [last]
