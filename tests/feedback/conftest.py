"""The feedback service over both databases: inside the test's event loop, and as a server on a real port."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin

RUN = "018f0000-0000-7000-8000-000000000001"


@pytest.fixture
def run_id() -> str:
    return RUN


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[FeedbackPlugin]:
    """Open the service without an application."""
    async with FeedbackPlugin(open_database(database_url)).open() as plugin:
        yield plugin


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[AsyncTestClient[Litestar]]:
    """Return a client of an application that has only the plugin; it uses no network."""
    app = Litestar(plugins=[FeedbackPlugin(open_database(database_url))])
    async with AsyncTestClient(app, base_url="http://feedback.test", raise_server_exceptions=False) as client:
        yield client


@contextmanager
def serving(app: Litestar) -> Iterator[str]:
    """Serve the application on a free port and yield its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="info", log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    started = threading.Event()
    startup = server.startup

    async def startup_and_signal(sockets: Any = None) -> None:
        await startup(sockets)
        started.set()

    server.startup = startup_and_signal  # type: ignore[method-assign]  # uvicorn has no other way to wait for the port
    thread.start()
    assert started.wait(20), "the server did not start"
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def server(database_url: str) -> Iterator[str]:
    """Yield the address of a real server that has only the plugin."""
    with serving(Litestar(plugins=[FeedbackPlugin(open_database(database_url))])) as address:
        yield address


@pytest.fixture
async def token_url(client: AsyncTestClient[Litestar]) -> str:
    """Mint a presigned URL for the feedback key `user_score`, which accepts anything, and return its path."""
    return await mint(client)


async def mint(client: httpx.AsyncClient, key: str = "user_score", **more: object) -> str:
    """Mint a presigned URL and return its path."""
    response = await client.post("/feedback/tokens", json={"run_id": RUN, "feedback_key": key, **more})
    assert response.status_code == 200, response.text
    return "/api/v1/feedback/tokens/" + str(response.json()["id"])


async def stored(client: httpx.AsyncClient, **query: object) -> list[dict[str, object]]:
    """Return the feedback on the run, newest first."""
    response = await client.get("/feedback", params={"run": RUN, **query})  # type: ignore[dict-item]
    assert response.status_code == 200, response.text
    listed: list[dict[str, object]] = response.json()
    return listed
