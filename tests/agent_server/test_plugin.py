"""The agent server inside an application's own Litestar app, beside feedback and the application's routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import NotFoundException

from agent_server import AgentServerPlugin, create_app
from agent_server.database import open_database
from agent_server.errors import NotFound
from feedback import FeedbackPlugin, FeedbackSettings
from tests.agent_server.graphs import GRAPHS
from tests.agent_server.served import config_of, counting, served


@get("/own", sync_to_thread=False)
def own_route() -> dict[str, str]:
    return {"of": "another route"}


@get("/own/broken", sync_to_thread=False)
def broken() -> None:
    raise RuntimeError("no luck")


@get("/own/not-found", sync_to_thread=False)
def not_found() -> None:
    raise NotFound("the application's own 404")


def _their_404(_request: Request[Any, Any, Any], _error: NotFoundException) -> Response[str]:
    return Response("their own 404", status_code=404, media_type="text/plain")


def _their_500(_request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    return Response(f"their own 500: {type(error).__name__}", status_code=500, media_type="text/plain")


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Litestar:
    """Return an application with both plugins."""
    url = database_url if database_url.startswith("postgres") else f"sqlite:///{tmp_path / 'feedback.db'}"
    feedback = FeedbackPlugin(open_database(url), FeedbackSettings(serve_root_info=False, serve_metrics=False))
    config = config_of(database_url, tmp_path)
    server = AgentServerPlugin(config, agents={"agent": counting}, feedback=feedback, info=feedback.client_info)
    return Litestar(
        [own_route, broken, not_found],
        plugins=[feedback, server],
        exception_handlers={NotFoundException: _their_404, Exception: _their_500},
    )


async def test_run_and_feedback_work_beside_app_routes(app: Litestar) -> None:
    async with served(app) as client:
        assert (await client.get("/own")).json() == {"of": "another route"}
        body = {"assistant_id": "agent", "input": 2, "feedback_keys": ["liked"]}
        values = (await client.post("/runs/wait", json=body)).json()
        assert values["n"] == 1
        url = values["__feedback__"]["liked"]
        assert (await client.post(url, json={"score": 1})).status_code == 200


async def test_apps_errors_use_the_apps_handlers(app: Litestar) -> None:
    async with served(app) as client:
        assert (await client.get("/nope")).text == "their own 404"
        assert (await client.get("/own/broken")).text == "their own 500: RuntimeError"
        assert (await client.get("/own/not-found")).text == "their own 500: NotFound"


async def test_servers_errors_use_the_servers_handlers(app: Litestar) -> None:
    async with served(app) as client:
        response = await client.get("/threads/nope")
        assert (response.status_code, list(response.json())) == (422, ["detail"])
        response = await client.post("/runs", content=b"{", headers={"content-type": "application/json"})
        assert (response.status_code, list(response.json())) == (422, ["detail"])


async def test_document_of_their_app_has_the_servers_routes(app: Litestar) -> None:
    async with served(app) as client:
        paths = (await client.get("/schema/openapi.json")).json()["paths"]
    assert {"/own", "/runs/stream", "/threads/{thread_id}/runs"} <= set(paths)


async def test_functions_and_compiled_graphs_are_served_together(database_url: str, tmp_path: Path) -> None:
    async def greet(given: Any) -> AsyncGenerator[str, None]:
        yield f"hello {given['name']}"

    app = create_app(config_of(database_url, tmp_path), agents={"greet": greet, **GRAPHS})
    async with served(app) as client:
        found = (await client.post("/assistants/search", json={"limit": 100})).json()
        assert {"greet", *GRAPHS} == {assistant["graph_id"] for assistant in found}
        response = await client.post("/runs/wait", json={"assistant_id": "greet", "input": {"name": "you"}})
        assert response.json()["messages"][-1]["content"] == "hello you"


@post("/own/upload", sync_to_thread=False)
def upload() -> str:
    return "taken"


async def test_app_routes_accept_bodies_the_server_would_refuse(sqlite_url: str, tmp_path: Path) -> None:
    server = AgentServerPlugin(config_of(sqlite_url, tmp_path), agents={"agent": counting})
    app = Litestar([upload], plugins=[server])
    async with served(app) as client:
        assert (await client.post("/own/upload", content=b"\xff\x00 not JSON")).text == "taken"


async def test_run_request_starts_no_task_for_dependencies(sqlite_url: str, tmp_path: Path) -> None:
    begun: list[asyncio.Task[Any]] = []

    def create(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        begun.append(asyncio.Task(work, loop=loop, **options))
        return begun[-1]

    async def agent(_: Any) -> AsyncGenerator[dict[str, Any], None]:
        asyncio.get_running_loop().set_task_factory(create)
        yield {}

    async with served(create_app(config_of(sqlite_url, tmp_path), agents={"agent": agent})) as client:
        for _ in range(2):
            await client.post("/runs/wait", json={"assistant_id": "agent", "input": 1})
    names = [task.get_name() for task in begun]
    assert names
    assert not [name for name in names if "dependency" in name]
