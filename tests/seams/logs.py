"""Frames that the broker suites append to logs, and helpers that read them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable
from typing import Protocol

import pytest

from agent_server.asgi.sse import frame
from agent_server.broker import START, Broker, Frame, FrameId
from agent_server.schema import StreamPart

RUN = "run-1"
PATIENCE = 20.0
"""Seconds after which a test gives up waiting; nothing takes nearly as long."""


class OpenBroker(Protocol):
    """Opens a broker that is closed after the test; `keep` is in seconds, the bounds are in bytes.

    Omitted bounds are never reached.
    """

    async def __call__(self, *, keep: float = 60.0, max_bytes: int = 2**22, max_total_bytes: int = 2**26) -> Broker: ...


def frames(numbers: Iterable[int], attempt: int = 1, size: int = 0) -> list[Frame]:
    """Return frames with these numbers, each with `size` bytes of data and a few more."""
    ids = [FrameId(attempt, number) for number in numbers]
    return [Frame(one, "custom", frame(StreamPart("custom", "x" * size), str(one))) for one in ids]


async def read(broker: Broker, run_id: str = RUN, after: FrameId = START, count: int | None = None) -> list[Frame]:
    """Return what a subscriber receives: everything to the end of the log, or `count` frames."""
    got: list[Frame] = []
    async with asyncio.timeout(PATIENCE):
        async for chunk in broker.subscribe(run_id, after):
            got += chunk
            if count is not None and len(got) >= count:
                break
    return got


async def waiting_reader(broker: Broker, after: FrameId = START) -> asyncio.Task[list[Frame]]:
    """Start a subscriber and return it once it waits."""
    task = asyncio.create_task(read(broker, RUN, after))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def gone(broker: Broker, run_id: str) -> None:
    """Wait until the broker has no log of the run."""
    for _ in range(int(PATIENCE / 0.005)):
        if not await broker.holds(run_id):
            return
        await asyncio.sleep(0.005)
    pytest.fail(f"{run_id} is still held after {PATIENCE} seconds")


def alive(kind: type[object] | None = None) -> int:
    """Count the objects of `kind` in memory, or of any kind that the brokers' modules declare."""
    gc.collect()
    kinds = [type(one) for one in gc.get_objects()]
    return sum(one is kind if kind else str(one.__module__).startswith("agent_server.broker") for one in kinds)


async def only_alive(count: int) -> None:
    """Wait until the brokers' modules have no more than so many objects in memory."""
    for _ in range(int(PATIENCE / 0.05)):
        if alive() == count:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"{alive()} objects are still there after {PATIENCE} seconds, instead of {count}")
