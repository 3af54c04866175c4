"""A server's rooms over a fresh database of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.agent_server.house import House, open_house


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    """The rooms without a worker: what the queue does is up to the test."""
    async with open_house(database_url) as house:
        yield house
