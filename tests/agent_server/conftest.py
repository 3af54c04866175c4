"""Fixtures: a server's services over a fresh database of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.agent_server.backend import Backend, open_backend


@pytest.fixture
async def backend(database_url: str) -> AsyncIterator[Backend]:
    """Open the services without a worker, so that the test operates the queue."""
    async with open_backend(database_url) as backend:
        yield backend
