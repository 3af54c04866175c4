"""The official clients with API keys, and with an application's own authentication, as documented."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import workflowai
from langgraph_sdk import get_client
from langgraph_sdk.errors import AuthenticationError, NotFoundError, PermissionDeniedError
from langsmith import Client
from langsmith.utils import LangSmithAuthError, LangSmithError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.clients.node import node
from tests.clients.server_process import GRAPHS, ServerProcess

ALL, RUN, READ = "key-for-everything-at-all", "key-to-run-agents-only", "key-to-read-feedback"
KEYS = f"{ALL}:admin,{RUN}:run,{READ}:feedback-read"
KEY = "user_liked"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server that has API keys."""
    with ServerProcess(GRAPHS, tmp_path_factory.mktemp("closed"), AGENT_SERVER_API_KEYS=KEYS) as server:
        yield server


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server whose application has its own authentication."""
    folder = tmp_path_factory.mktemp("ruled")
    tests = Path(__file__).parents[1]
    settings = json.loads(GRAPHS.read_text())
    settings["graphs"] = {name: str(GRAPHS.parent / path) for name, path in settings["graphs"].items()}
    settings["auth"] = {"path": f"{tests / 'agent_server' / 'rules.py'}:auth", "disable_studio_auth": True}
    (folder / "langgraph.json").write_text(json.dumps(settings))
    with ServerProcess(folder / "langgraph.json", folder) as server:
        yield server


async def test_python_client_needs_its_key(closed: ServerProcess) -> None:
    for headers in ({"api_key": RUN}, {"api_key": None, "headers": {"Authorization": f"Bearer {RUN}"}}):
        async with get_client(url=closed.url, **headers) as client:  # type: ignore[arg-type]
            parts = [part async for part in client.runs.stream(None, "steps", input={"total": 1}, feedback_keys=[KEY])]
            assert parts[-1].event == "feedback"
    async with get_client(url=closed.url, api_key=None) as client:
        with pytest.raises(AuthenticationError):
            await client.threads.create()
    async with get_client(url=closed.url, api_key=READ) as client:
        with pytest.raises(PermissionDeniedError, match="lacks the scope 'run'"):
            await client.threads.create()


async def test_javascript_client_needs_its_key(closed: ServerProcess) -> None:
    program = """
        import { Client } from "@langchain/langgraph-sdk";
        for (const apiKey of ["KEY", "wrong"]) {
            const client = new Client({ apiUrl: "URL", apiKey, callerOptions: { maxRetries: 0 } });
            try { console.log((await client.threads.create()).status); }
            catch (error) { console.log(error.status ?? error.message); }
        }"""
    printed = await node("--input-type=module", stdin=program.replace("URL", closed.url).replace("KEY", RUN))
    assert printed.split() == ["idle", "401"]


async def test_langsmith_client_needs_a_key_except_for_urls(closed: ServerProcess) -> None:
    clients = {key: Client(api_url=closed.url, api_key=key, auto_batch_tracing=False) for key in (ALL, READ, "wrong")}
    run_id = "018f0000-0000-7000-8000-000000000001"
    token = clients[ALL].create_presigned_feedback_token(run_id, KEY)
    with pytest.raises(LangSmithError, match=r"lacks the scope .*feedback-mint"):
        clients[READ].create_presigned_feedback_token(run_id, KEY)
    clients["wrong"].create_feedback_from_token(token.url, score=1)
    [feedback] = clients[READ].list_feedback(run_ids=[run_id])
    assert feedback.score == 1
    with pytest.raises(LangSmithAuthError):
        list(clients["wrong"].list_feedback(run_ids=[run_id]))
    for client in clients.values():
        client.close()


async def test_workflowai_client_sends_an_outcome_whatever_its_key(closed: ServerProcess) -> None:
    async with get_client(url=closed.url, api_key=RUN) as client:
        parts = [part async for part in client.runs.stream(None, "steps", input={"total": 1})]
    workflowai.init(api_key="any", url=closed.url)
    await workflowai.send_feedback(feedback_token=parts[0].data["feedback_token"], outcome="positive")


async def test_no_key_is_in_the_log(closed: ServerProcess) -> None:
    async with get_client(url=closed.url, api_key=ALL) as client:
        await client.threads.create()
    assert not [key for key in (ALL, RUN, READ) if key in closed.log()]


async def test_python_client_sees_its_users_own_things_only(ruled: ServerProcess) -> None:
    def of(user: str) -> Any:
        return get_client(url=ruled.url, api_key=None, headers={"Authorization": f"Bearer token-{user}"})

    async with of("anna") as anna, of("bob") as bob:
        thread = await anna.threads.create()
        assert thread["metadata"]["owner"] == "anna"
        await anna.runs.wait(thread["thread_id"], "steps", input={"total": 1})
        with pytest.raises(NotFoundError):
            await bob.runs.create(thread["thread_id"], "steps", input={"total": 1})
        with pytest.raises(NotFoundError):
            await bob.threads.get_state(thread["thread_id"])
        assert (len(await anna.threads.search()), await bob.threads.search()) == (1, [])
    async with get_client(url=ruled.url, api_key="token-nobody") as anonymous:
        with pytest.raises(AuthenticationError, match="Who are you"):
            await anonymous.threads.search()


async def test_rules_close_feedback_without_a_key(ruled: ServerProcess) -> None:
    async with get_client(url=ruled.url, api_key="token-anna") as anna:
        parts = [part async for part in anna.runs.stream(None, "steps", input={"total": 1}, feedback_keys=[KEY])]
    client = Client(api_url=ruled.url, api_key="token-anna", auto_batch_tracing=False)
    client.create_feedback_from_token(parts[-1].data[KEY], score=1)
    with pytest.raises(LangSmithAuthError):
        list(client.list_feedback(run_ids=[parts[0].data["run_id"]]))
    client.close()


async def test_event_socket_reaches_only_the_callers_threads(ruled: ServerProcess) -> None:
    anna, bob = {"Authorization": "Bearer token-anna"}, {"Authorization": "Bearer token-bob"}
    thread_id = str(uuid4())
    url = f"{ruled.url.replace('http', 'ws', 1)}/threads/{thread_id}/stream/events"

    async def asked(headers: dict[str, str], method: str, **params: Any) -> Any:
        """Return the response, or the code with which the server closes the socket."""
        async with connect(url, additional_headers=headers) as one:
            try:
                await one.send(json.dumps({"id": 1, "method": method, "params": params}))
                return json.loads(await one.recv())
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else None

    run = {"assistant_id": "steps", "input": {"total": 1}}
    assert await asked({}, "run.start", **run) == 4401
    assert (await asked(anna, "run.start", **run))["type"] == "success"
    assert (await asked(anna, "subscription.subscribe", channels=["values"]))["type"] == "success"
    assert await asked(bob, "subscription.subscribe", channels=["values"]) == 4404
    assert "not found" in (await asked(bob, "run.start", **run))["message"]
