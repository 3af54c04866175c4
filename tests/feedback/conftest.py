"""The feedback service, over both databases: in the test's own loop, and as a server on a real port."""

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
    """The service without an app around it, open."""
    async with FeedbackPlugin(open_database(database_url)).opened() as plugin:
        yield plugin


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[AsyncTestClient[Litestar]]:
    """An app with nothing but the plugin, asked without a network."""
    app = Litestar(plugins=[FeedbackPlugin(open_database(database_url))])
    async with AsyncTestClient(app, base_url="http://feedback.test", raise_server_exceptions=False) as client:
        yield client


@contextmanager
def serving(app: Litestar) -> Iterator[str]:
    """The app's address, while it is served on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="info", log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    started = threading.Event()
    startup = server.startup

    async def startup_and_tell(sockets: Any = None) -> None:
        await startup(sockets)
        started.set()

    server.startup = startup_and_tell  # type: ignore[method-assign]  # uvicorn has no other way to wait for the port
    thread.start()
    assert started.wait(20), "the server did not start"
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def server(database_url: str) -> Iterator[str]:
    """The address of a real server with nothing but the plugin."""
    with serving(Litestar(plugins=[FeedbackPlugin(open_database(database_url))])) as address:
        yield address


@pytest.fixture
async def token_url(client: AsyncTestClient[Litestar]) -> str:
    """A fresh presigned URL's path for the key `user_score`, which takes anything."""
    return await mint(client)


async def mint(client: httpx.AsyncClient, key: str = "user_score", **more: object) -> str:
    """The path of a fresh presigned URL."""
    response = await client.post("/feedback/tokens", json={"run_id": RUN, "feedback_key": key, **more})
    assert response.status_code == 200, response.text
    return "/api/v1/feedback/tokens/" + str(response.json()["id"])


async def stored(client: httpx.AsyncClient, **query: object) -> list[dict[str, object]]:
    """The answers about the run, newest first."""
    response = await client.get("/feedback", params={"run": RUN, **query})  # type: ignore[dict-item]
    assert response.status_code == 200, response.text
    listed: list[dict[str, object]] = response.json()
    return listed
