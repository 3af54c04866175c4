"""Every implementation of a seam, opened by one fixture."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest

from agent_server.broker import Broker, MemoryBroker
from tests.seams.logs import OpenBroker


@pytest.fixture(params=["memory"])
async def open_broker(request: pytest.FixtureRequest) -> AsyncIterator[OpenBroker]:
    kinds: dict[str, Callable[..., Broker]] = {"memory": MemoryBroker}
    async with AsyncExitStack() as stack:

        async def open_one(**bounds: Any) -> Broker:
            return await stack.enter_async_context(kinds[request.param](**bounds))

        yield cast("OpenBroker", open_one)


@pytest.fixture
async def broker(open_broker: OpenBroker) -> Broker:
    return await open_broker()
