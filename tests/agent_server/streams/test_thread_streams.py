"""The stream of a thread: its runs one after the other, resumed anywhere, over both databases."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from agent_server.config import Config
from agent_server.errors import Invalid, NotFound
from agent_server.streams.thread_streams import ThreadStreams
from agent_server.threads.schema import ThreadStateUpdate
from agent_server.threads.states import ThreadStates
from tests.agent_server.api import serving
from tests.agent_server.backend import Backend, open_backend, parsed_with_ids, unknown_id, until
from tests.agent_server.graphs import doubling

Events = list[tuple[str, Any, str]]


async def counting(given: Any) -> AsyncGenerator[dict[str, Any], None]:
    for number in range(given):
        yield {"n": number}


@asynccontextmanager
async def at_work(database_url: str, keep: float = 120) -> AsyncIterator[tuple[Backend, ThreadStreams]]:
    async with open_backend(database_url, {"agent": counting}, keep=keep) as backend, backend.worker():
        yield backend, streams_of(backend)[0]


def streams_of(backend: Backend) -> tuple[ThreadStreams, ThreadStates]:
    states = ThreadStates(backend.threads, backend.agents, backend.broker)
    return ThreadStreams(
        backend.database, backend.threads, backend.runs, backend.streams, backend.broker, states
    ), states


async def read(
    streams: ThreadStreams, thread_id: str, runs: int, after: str | None = None, modes: Sequence[Any] = ("run_modes",)
) -> Events:
    """Return the thread's events until so many runs are done."""
    events: Events = []
    stream = await streams.follow(thread_id, after, modes)
    with anyio.fail_after(20):
        async for chunk in stream:
            events += parsed_with_ids(chunk)
            if sum(is_done(event) for event in events) == runs:
                break
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
    return events


def is_done(event: tuple[str, Any, str]) -> bool:
    return event[0] == "metadata" and event[1].get("status") == "run_done"


async def ended(backend: Backend, thread_id: str, given: Any) -> str:
    run_id = (await backend.run(thread_id, input=given, stream_mode="custom")).run_id
    await backend.streams.wait_for_end(await backend.runs.get(run_id))
    return run_id


async def test_thread_stream_has_new_runs_in_order(database_url: str) -> None:
    async with at_work(database_url) as (backend, streams):
        thread_id = await backend.thread()
        await ended(backend, thread_id, 1)
        seen: Events = []

        async def listen() -> None:
            seen.extend(await read(streams, thread_id, 3))

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await anyio.sleep(0.2)
            runs = [(await backend.run(thread_id, input=2, stream_mode="custom")).run_id for _ in range(3)]
        shown = [(name, data.get("run_id") or data["n"]) for name, data, _ in seen]
        assert shown == [
            event for run in runs for event in [("metadata", run), ("custom", 0), ("custom", 1), ("metadata", run)]
        ]
        assert [event[1] for event in seen if is_done(event)] == [{"status": "run_done", "run_id": run} for run in runs]


async def test_thread_stream_goes_on_after_any_event(database_url: str) -> None:
    async with at_work(database_url) as (backend, streams):
        thread_id = await backend.thread()
        for _ in range(2):
            await ended(backend, thread_id, 2)
        whole = await read(streams, thread_id, 2, "-")
        assert len(whole) == 8
        for position, event in enumerate(whole[:-1]):
            rest = whole[position + 1 :]
            assert await read(streams, thread_id, sum(map(is_done, rest)), event[2]) == rest


async def test_resumed_thread_stream_reports_ends_without_logs(database_url: str) -> None:
    async with at_work(database_url, keep=0.01) as (backend, streams):
        thread_id = await backend.thread()
        first = await ended(backend, thread_id, 1)
        second = await ended(backend, thread_id, 2)

        async def forgotten() -> bool:
            return not (await backend.broker.holds(first) or await backend.broker.holds(second))

        await until(forgotten)
        events = await read(streams, thread_id, 2, f"{first}/1-0")
        assert [data for name, data, _ in events if name == "values"] == [{"n": 0}, {"n": 1}]


async def test_lifecycle_has_first_and_last_event_per_run(database_url: str) -> None:
    async with at_work(database_url) as (backend, streams):
        thread_id = await backend.thread()
        run_id = await ended(backend, thread_id, 5)
        events = await read(streams, thread_id, 1, "-1", ["lifecycle"])
        assert [data for _, data, _ in events] == [
            {"run_id": run_id, "attempt": 1},
            {"status": "run_done", "run_id": run_id},
        ]


async def test_state_updates_are_ordered_among_the_runs(database_url: str, tmp_path: Path) -> None:
    async with graph_at_work(database_url, tmp_path) as (backend, streams, states):
        thread_id = await backend.thread()
        run_id = await ended(backend, thread_id, {"x": 1})
        for x in (7, 8):
            await states.update(thread_id, ThreadStateUpdate(values={"x": x}))
        other_id = await ended(backend, thread_id, None)
        both = await read(streams, thread_id, 2, "-", ["lifecycle", "state_update"])
        shown = [data.get("run_id") or data["state"]["values"]["x"] for _, data, _ in both]
        assert shown == [run_id, run_id, 7, 8, other_id, other_id]
        first = next(data for name, data, _ in both if name == "state_update")
        assert first["thread_id"] == thread_id
        assert first["state"]["metadata"]["source"] == "update"
        for position, event in enumerate(both[:-1]):
            rest = both[position + 1 :]
            modes = ["lifecycle", "state_update"]
            assert await read(streams, thread_id, sum(map(is_done, rest)), event[2], modes) == rest


async def test_state_only_listener_gets_updates_live(database_url: str, tmp_path: Path) -> None:
    async with graph_at_work(database_url, tmp_path) as (backend, streams, states):
        thread_id = await backend.thread()
        await ended(backend, thread_id, {"x": 1})
        stream = await streams.follow(thread_id, None, ["state_update"])
        received: list[Any] = []

        async def listen() -> None:
            async for chunk in stream:
                received.extend(data["state"]["values"]["x"] for _, data, _ in parsed_with_ids(chunk))

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await anyio.sleep(0.2)
            await ended(backend, thread_id, {"x": 2})
            await states.update(thread_id, ThreadStateUpdate(values={"x": 5}))
            await until(lambda: received == [5])
            await states.delete(thread_id)  # ends the stream


@asynccontextmanager
async def graph_at_work(
    database_url: str, directory: Path
) -> AsyncIterator[tuple[Backend, ThreadStreams, ThreadStates]]:
    """Open a LangGraph graph in place of the plain agent."""
    url = database_url if database_url.startswith("postgres") else None
    config = Config(directory, data_dir=directory, database_url=url)
    async with open_backend(database_url, {"agent": doubling}, config=config) as backend, backend.worker():
        yield backend, *streams_of(backend)


async def test_thread_stream_ends_with_its_thread(database_url: str) -> None:
    async with at_work(database_url) as (backend, streams):
        thread_id = await backend.thread()
        stream = await streams.follow(thread_id, None, ["run_modes"])
        await backend.threads.delete(thread_id)
        with anyio.fail_after(20):
            assert [chunk async for chunk in stream] == []


async def test_thread_stream_refuses_unknown_modes_and_ids(database_url: str, tmp_path: Path) -> None:
    async with at_work(database_url) as (backend, streams):
        with pytest.raises(NotFound):
            await streams.follow(unknown_id(), None, ["run_modes"])
        for wrong in ("x", "1-2", f"{unknown_id()}/x", "/1-1"):
            with pytest.raises(Invalid, match="Last-Event-ID"):
                await streams.follow(await backend.thread(), wrong, ["run_modes"])
    async with serving(database_url, tmp_path) as api:
        assert (await api.refusal("GET", f"/threads/{unknown_id()}/stream"))[0] == 404
        status, message = await api.refusal("GET", f"/threads/{await api.thread()}/stream?stream_modes=bogus")
        assert status == 422
        assert message.startswith("Invalid stream mode: bogus")
