"""The WebSocket of event streaming, as the official clients' WebSocket transport uses it, and its refusals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.clients.conftest import StartServer
from tests.clients.server_process import GRAPHS, ServerProcess

KEY = "key-to-run-agents-only"
READ = "key-to-read-feedback"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server that has API keys and allows the pages of one origin."""
    environ = {"AGENT_SERVER_API_KEYS": f"{KEY}:run,{READ}:feedback-read"}
    environ["AGENT_SERVER_CORS_ORIGINS"] = "https://page.example"
    environ["AGENT_SERVER_MAX_BODY_BYTES"] = "50000"
    with ServerProcess(GRAPHS, tmp_path_factory.mktemp("closed"), **environ) as server:
        yield server


def socket(server: ServerProcess, thread_id: str, **headers: str) -> Any:
    url = server.url.replace("http", "ws", 1)
    return connect(f"{url}/threads/{thread_id}/stream/events", additional_headers=headers)


async def ask(open_socket: ClientConnection, method: str, command_id: int = 1, **params: Any) -> Any:
    """Send the command and return its response; skip events before it."""
    await open_socket.send(json.dumps({"id": command_id, "method": method, "params": params}))
    async with asyncio.timeout(20):
        while "seq" in (response := json.loads(await open_socket.recv())):
            pass
    return response


async def events(open_socket: ClientConnection) -> list[Any]:
    """Return the events up to the end of a run."""
    seen = []
    async with asyncio.timeout(20):
        while True:
            seen.append(json.loads(await open_socket.recv()))
            if seen[-1].get("params", {}).get("data", {}).get("event") in ("completed", "failed"):
                return seen


async def close_code(open_socket: ClientConnection) -> int | None:
    try:
        async with asyncio.timeout(20):
            while True:
                await open_socket.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


async def test_commands_and_events_go_over_one_socket(graphs: ServerProcess) -> None:
    thread_id = str(uuid4())
    async with socket(graphs, thread_id) as one:
        begun = await ask(one, "run.start", assistant_id="steps", input={"total": 1})
        subscribed = await ask(one, "subscription.subscribe", 2, channels=["updates", "lifecycle"])
        seen = await events(one)
        ended = await ask(one, "subscription.unsubscribe", 3, subscription_id=subscribed["result"]["subscription_id"])
        again = await ask(one, "subscription.unsubscribe", 4, subscription_id=subscribed["result"]["subscription_id"])
        second = await ask(one, "run.start", 5, assistant_id="steps", input={"total": 1})
    assert (begun["type"], begun["id"], list(begun["result"])) == ("success", 1, ["run_id"])
    assert [event["method"] for event in seen] == ["lifecycle", "updates", "lifecycle"]
    assert ended == {"type": "success", "id": 3, "result": {}, "meta": ended["meta"]}
    assert (again["type"], again["error"]) == ("error", "no_such_subscription")
    assert second["type"] == "success"


async def test_malformed_command_is_refused_and_the_socket_stays(graphs: ServerProcess) -> None:
    async with socket(graphs, str(uuid4())) as one:
        for sent in ("junk", "[]", '{"no": "id"}', '{"id": "a", "method": "x"}', "\\u0000"):
            await one.send(sent)
            response = json.loads(await one.recv())
            assert (response["type"], response["id"], response["error"]) == ("error", None, "invalid_argument")
        wrong = await ask(one, "subscription.subscribe", channels=["nope"])
        unknown = await ask(one, "state.get")
    assert (wrong["error"], unknown["error"]) == ("invalid_argument", "unknown_command")


async def test_subscription_waits_for_the_thread(graphs: ServerProcess) -> None:
    async with socket(graphs, str(uuid4())) as one:
        subscribed = await ask(one, "subscription.subscribe", channels=["updates", "lifecycle"])
        await ask(one, "run.start", 2, assistant_id="steps", input={"total": 1})
        seen = await events(one)
    assert subscribed["type"] == "success"
    assert [event["method"] for event in seen] == ["lifecycle", "updates", "lifecycle"]


async def test_subscription_to_no_thread_id_is_refused(graphs: ServerProcess) -> None:
    async with socket(graphs, "nonsense") as one:
        refused = await ask(one, "subscription.subscribe", channels=["values"])
    assert refused["error"] == "invalid_argument"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 4401),
        ({"x-api-key": "wrong"}, 4401),
        ({"x-api-key": READ}, 4403),
        ({"x-api-key": KEY, "Origin": "https://elsewhere.example"}, 4403),
    ],
)
async def test_unauthorized_socket_closes_with_the_reason(
    closed: ServerProcess, headers: dict[str, str], code: int
) -> None:
    async with socket(closed, str(uuid4()), **headers) as one:
        assert await close_code(one) == code


@pytest.mark.parametrize("origin", [None, "https://page.example", "own"])
async def test_key_opens_sockets_here_and_from_allowed_pages(closed: ServerProcess, origin: str | None) -> None:
    headers = {"x-api-key": KEY, **({"Origin": closed.url if origin == "own" else origin} if origin else {})}
    async with socket(closed, str(uuid4()), **headers) as one:
        assert (await ask(one, "run.start", assistant_id="steps", input={"total": 1}))["type"] == "success"


@pytest.mark.parametrize(
    ("http", "prefix"),
    [
        *(({"app": f"tests.agent_server.web_apps:{app}"}, "") for app in ("starlette", "litestar", "plain")),
        ({"mount_prefix": "/agents"}, "/agents"),
    ],
    ids=["starlette", "litestar", "plain", "below a prefix"],
)
async def test_socket_opens_below_a_prefix_and_custom_app(
    tmp_path: Path, servers: list[ServerProcess], http: dict[str, str], prefix: str
) -> None:
    config = tmp_path / "langgraph.json"
    config.write_text(json.dumps({"graphs": {"steps": f"{GRAPHS.parent}/graphs.py:steps"}, "http": http}))
    server = ServerProcess(config, tmp_path)
    servers.append(server)
    await asyncio.to_thread(server.start)
    server.url += prefix
    async with socket(server, str(uuid4())) as one:
        assert (await ask(one, "run.start", assistant_id="steps", input={"total": 1}))["type"] == "success"
    with pytest.raises(InvalidStatus):
        async with connect(f"ws://127.0.0.1:{server.port}/nowhere"):
            pass


async def test_shutdown_closes_sockets_so_that_clients_connect_again(start_server: StartServer) -> None:
    server = await asyncio.to_thread(start_server)
    async with socket(server, str(uuid4())) as one:
        await ask(one, "run.start", assistant_id="sleeping", input={"seconds": 600})
        await ask(one, "subscription.subscribe", 2, channels=["values"])
        server.terminate()
        assert await close_code(one) == 1012


async def test_client_with_its_key_streams_over_a_socket(closed: ServerProcess) -> None:
    headers = {"x-api-key": KEY}  # the WebSocket transport takes this from the stream's own headers only
    async with get_client(url=closed.url, api_key=KEY) as client:
        stream: Any = client.threads.stream(assistant_id="steps", transport="websocket", headers=headers)
        async with stream as thread:
            await thread.run.start(input={"total": 2})
            assert (await thread.output)["done"] == [0, 1]


async def test_socket_started_run_has_feedback_urls_here(graphs: ServerProcess, client: LangGraphClient) -> None:
    async with socket(graphs, str(uuid4())) as one:
        await ask(one, "run.start", assistant_id="steps", input={"total": 1}, feedback_keys=["liked"])
        await ask(one, "subscription.subscribe", 2, channels=["custom:feedback", "lifecycle"])
        [feedback] = [event for event in await events(one) if event["method"] == "custom"]
    url = feedback["params"]["data"]["payload"]["liked"]
    assert url.startswith(f"{graphs.url}/")
    assert (await client.http.client.post(url, json={"score": 1})).status_code == 200


async def test_message_over_the_body_limit_closes(closed: ServerProcess) -> None:
    async with socket(closed, str(uuid4()), **{"x-api-key": KEY}) as one:
        fits = await ask(one, "x" * 40_000)
        await one.send(json.dumps({"id": 1, "method": "x" * 60_000}))
        assert (fits["error"], await close_code(one)) == ("unknown_command", 1009)
    async with socket(closed, str(uuid4()), **{"x-api-key": KEY}) as one:
        refused = await ask(one, "run.start", input=[[[]] * 12_000])
        assert (refused["error"], "more than 10,000 arrays" in refused["message"]) == ("invalid_argument", True)
