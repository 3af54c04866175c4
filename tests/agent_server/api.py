"""The agent server over HTTP in the test's own process, with the graphs of `graphs.py` and a plain agent."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from litestar import Litestar
from litestar.exceptions import LitestarDeprecationWarning
from litestar.testing import AsyncTestClient

from agent_server import create_app
from agent_server.config import Config
from agent_server.runs.feedback import FeedbackUrls
from tests.agent_server.graphs import GRAPHS


async def echo(given: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    yield {"echo": given}


async def sleep(_: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    await asyncio.sleep(3600)
    yield {}


@asynccontextmanager
async def serving(
    database_url: str,
    data_dir: Path,
    feedback: FeedbackUrls | None = None,
    agents: Mapping[str, object] | None = None,
    **settings: Any,
) -> AsyncIterator[Api]:
    """Open a server over the database and yield a client; `agents` are served beside the usual ones.

    `settings` are fields of `Config`.
    """
    url = database_url if database_url.startswith("postgres") else None
    with warnings.catch_warnings():  # Litestar warns of changes to dependencies in version 3
        warnings.simplefilter("ignore", LitestarDeprecationWarning)
        given = {"allow_anyone": True, **settings}
        config = Config(data_dir, data_dir=data_dir, database_url=url, **given)
        app = create_app(config, agents={**GRAPHS, **PLAIN, **(agents or {})}, feedback=feedback)
    async with AsyncTestClient(app) as client:
        yield Api(client)


PLAIN = {"echo": echo, "sleeping_agent": sleep}


class Api:
    """A client with shortcuts for the tests."""

    def __init__(self, client: AsyncTestClient[Litestar]) -> None:
        self._client = client

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send the request and return the response, whatever its status."""
        content = {} if body is None else {"json": body}
        return await self._client.request(method, path, headers=headers, **content)

    async def get(self, path: str) -> Any:
        return self._good(await self.send("GET", path))

    async def post(self, path: str, body: Any) -> Any:
        return self._good(await self.send("POST", path, body))

    async def patch(self, path: str, body: Any) -> Any:
        return self._good(await self.send("PATCH", path, body))

    async def refusal(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Send a request that must fail, and return its status and message."""
        response = await self.send(method, path, body)
        assert response.status_code >= 400, response.text
        return response.status_code, response.json()["detail"]

    async def delete(self, path: str) -> None:
        assert (await self.send("DELETE", path)).status_code == 204

    async def thread(self, graph_id: str | None = None, given: Any = None, **body: Any) -> str:
        """Create a thread, run the graph on it if one is named, and return the thread's id."""
        thread: dict[str, Any] = await self.post("/threads", body)
        thread_id: str = thread["thread_id"]
        if graph_id:
            await self.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": graph_id, "input": given})
        return thread_id

    def _good(self, response: httpx.Response) -> Any:
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        return response.json()
