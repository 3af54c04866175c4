"""Fixtures that open every implementation of a seam."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, cast

import pytest

from agent_server.broker import Broker, MemoryBroker
from agent_server.broker.redis import RedisBroker
from tests.seams.logs import OpenBroker


@pytest.fixture(scope="module", autouse=True)
def frozen_heap() -> None:
    """Exempt what earlier tests left from garbage collections: the tests here count the objects of their own.

    In a process that ran a thousand tests, each count would take a second, and longer than the test may on a busy
    machine.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def postgres_url(empty_postgres_url: str) -> str:
    return empty_postgres_url


@pytest.fixture
def sqlite_url(empty_sqlite_url: str) -> str:
    return empty_sqlite_url


@pytest.fixture(params=["memory", "redis"])
async def open_broker(request: pytest.FixtureRequest) -> AsyncIterator[OpenBroker]:
    make: Callable[..., Broker] = MemoryBroker
    if request.param == "redis":
        make = partial(RedisBroker, request.getfixturevalue("redis_url"))
    async with AsyncExitStack() as stack:

        async def open_one(**bounds: Any) -> Broker:
            return await stack.enter_async_context(make(**bounds))

        yield cast("OpenBroker", open_one)


@pytest.fixture
async def broker(open_broker: OpenBroker) -> Broker:
    return await open_broker()
