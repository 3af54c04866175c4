"""Slow readers: readers in the process continue after a gap; a client's connection is closed."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import anyio
import pytest
from sse_starlette.sse import SendTimeoutError

from agent_server.asgi.sse import stream_response
from agent_server.broker import Frame, FrameId, SlowSubscriber
from agent_server.routes.run_responses import cut_where_slow
from agent_server.streams.run_streams import CHUNK_BYTES
from tests.agent_server.backend import open_backend, parsed

LARGE = "x" * (CHUNK_BYTES + 1)


async def hasty(given: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    """Yield more than any log keeps, without a pause."""
    for number in range(given["count"]):
        yield {"n": number, "text": given["text"]}


async def test_values_are_complete_though_the_log_was_trimmed(sqlite_url: str) -> None:
    async with open_backend(sqlite_url, {"agent": hasty}, max_bytes=2_000) as backend, backend.worker():
        run = await backend.run(None, input={"count": 2_000, "text": "x" * 100}, stream_mode="custom")
        with anyio.fail_after(30):
            chunks = [chunk async for chunk in backend.streams.final_values(run.run_id)]
            await backend.streams.wait_for_end(await backend.runs.get(run.run_id))
        assert json.loads(b"".join(chunks))["n"] == 1_999


async def test_reader_gets_every_large_event_of_busy_agents(sqlite_url: str) -> None:
    bound = 4 * len(LARGE)
    async with open_backend(sqlite_url, {"agent": hasty}, max_bytes=bound) as backend:
        run = await backend.run(None, input={"count": 50, "text": LARGE}, stream_mode="custom")
        seen: list[tuple[str, Any]] = []

        async def read() -> None:
            async for chunk in backend.streams.follow(run.run_id):
                seen.extend(parsed(chunk))

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await anyio.sleep(0.05)
                async with backend.worker():
                    await backend.streams.wait_for_end(await backend.runs.get(run.run_id))
        assert [data["n"] for name, data in seen if name == "custom"] == list(range(50))


async def test_stream_sends_large_but_bounded_chunks(sqlite_url: str) -> None:
    async with open_backend(sqlite_url) as backend:
        sizes = [CHUNK_BYTES // 3] * 7 + [CHUNK_BYTES * 2] + [10] * 1000
        frames = [Frame(FrameId(1, n), "values", b"%d" % (n % 10) * size) for n, size in enumerate(sizes)]
        await backend.broker.publish("run", frames)
        await backend.broker.close("run")
        chunks = [chunk async for chunk in backend.streams.follow("run")]
        assert b"".join(chunks) == b"".join(one.data for one in frames)
        assert len(chunks) == 5
        assert sorted(map(len, chunks))[-1] == CHUNK_BYTES * 2
        assert all(len(chunk) <= CHUNK_BYTES for chunk in chunks if len(chunk) != CHUNK_BYTES * 2)


@pytest.mark.parametrize("error", [SlowSubscriber("behind"), SendTimeoutError()])
async def test_slow_clients_connection_is_cut_not_ended(error: Exception) -> None:
    sent: list[dict[str, Any]] = []

    async def frames() -> AsyncIterator[bytes]:
        yield b"event: values\r\ndata: 1\r\n\r\n"
        raise error

    async def receive() -> dict[str, Any]:
        await anyio.sleep_forever()
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    app: Any = cut_where_slow(stream_response(frames(), {}), "thread")
    with anyio.fail_after(10):
        await app({"type": "http", "method": "GET"}, receive, send)
    assert [message.get("more_body") for message in sent] == [None, True]
