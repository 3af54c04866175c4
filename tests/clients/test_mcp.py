"""The `mcp` package, unmodified, in both of its protocols: with a handshake, and self-contained."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from langgraph_sdk.client import LangGraphClient
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestParams, ElicitResult

from tests.clients.conftest import StartServer
from tests.clients.server_process import ServerProcess

ERAS = ("legacy", "2026-07-28", "auto")
FEEDBACK, THREAD, RESUME, RUN = (f"dev.agent-server/{name}" for name in ("feedback", "thread", "resume", "run"))


Connect = Callable[[], Client]


@pytest.fixture(params=ERAS)
def connect(request: pytest.FixtureRequest, graphs: ServerProcess) -> Connect:
    """Return a function that connects a client of one protocol with the server of the tests' own graphs."""
    return lambda: Client(f"{graphs.url}/mcp", mode=request.param)


async def test_era_is_negotiated(graphs: ServerProcess) -> None:
    async with Client(f"{graphs.url}/mcp", mode="auto") as client:
        assert client.protocol_version == "2026-07-28"
        assert FEEDBACK in (client.server_capabilities.extensions or {})
    async with Client(f"{graphs.url}/mcp", mode="legacy") as client:
        assert client.protocol_version == "2025-11-25"


async def test_assistants_are_tools(connect: Connect) -> None:
    async with connect() as mcp:
        tools = {tool.name: tool for tool in (await mcp.list_tools()).tools}
        assert {"steps", "asking", "failing", "calling", "submit_feedback"} <= tools.keys()
        assert tools["steps"].input_schema["properties"]["total"]["type"] == "integer"
        assert tools["calling"].input_schema["properties"]["messages"]["type"] == "string"
        assert "$defs" not in json.dumps(tools["calling"].output_schema)


async def test_call_returns_the_structured_state(connect: Connect) -> None:
    async with connect() as mcp:
        result = await mcp.call_tool("steps", {"total": 3})
        assert not result.is_error
        assert result.structured_content["done"] == [0, 1, 2]
        assert json.loads(result.content[0].text) == result.structured_content


async def test_text_becomes_the_users_message(connect: Connect) -> None:
    async with connect() as mcp:
        result = await mcp.call_tool("echoing", {"messages": "Hello"})
        assert [one["type"] for one in result.structured_content["messages"]] == ["human", "ai"]
        assert result.structured_content["messages"][-1]["content"] == "You said Hello"


async def test_progress_is_reported_by_step(connect: Connect) -> None:
    async with connect() as mcp:
        received: list[tuple[float, str | None]] = []

        async def on_progress(progress: float, _total: float | None, message: str | None) -> None:
            received.append((progress, message))

        result = await mcp.call_tool("steps", {"total": 3}, progress_callback=on_progress)
        assert result.structured_content["done"] == [0, 1, 2]
        assert [message for _, message in received] == ["step"] * 3
        assert [progress for progress, _ in received] == sorted({progress for progress, _ in received})


async def test_graph_reports_its_own_progress(connect: Connect) -> None:
    async with connect() as mcp:
        received: list[tuple[float, float | None, str | None]] = []

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            received.append((progress, total, message))

        await mcp.call_tool("reporting", {"count": 3}, progress_callback=on_progress)
        assert received == [(1, 3, "part 1"), (2, 3, "part 2"), (3, 3, "part 3")]


async def test_failure_is_an_error_with_its_message(connect: Connect) -> None:
    async with connect() as mcp:
        result = await mcp.call_tool("failing", {"question": "?"})
        assert result.is_error
        assert result.content[0].text == "ValueError: boom é <1>"


async def test_unknown_tool_is_invalid_params(connect: Connect) -> None:
    async with connect() as mcp:
        with pytest.raises(MCPError, match="Unknown tool: nothing") as caught:
            await mcp.call_tool("nothing", {})
        assert caught.value.code == -32602


async def test_thread_carries_the_conversation(connect: Connect) -> None:
    async with connect() as mcp:
        first = await mcp.call_tool("steps", {"total": 2}, meta={THREAD: {}})
        thread = first.meta[THREAD]
        again = await mcp.call_tool("steps", {"total": 3}, meta={THREAD: thread})
        assert again.structured_content["done"] == [0, 1, 2]
        assert again.meta[THREAD] == thread


async def test_interrupt_is_resumed_on_its_thread(connect: Connect) -> None:
    async with connect() as mcp:
        interrupted = await mcp.call_tool("asking", {"question": "Really?"}, meta={THREAD: {}})
        assert interrupted.structured_content["__interrupt__"][0]["value"] == {"question": "Really?"}
        answered = await mcp.call_tool("asking", {}, meta={THREAD: interrupted.meta[THREAD], RESUME: "Yes"})
        assert answered.structured_content["answer"] == "Yes"


async def test_interrupt_is_a_form_for_the_user(graphs: ServerProcess) -> None:
    shown: list[str] = []

    async def fill_in(_context: Any, params: ElicitRequestParams) -> ElicitResult:
        shown.append(params.message)
        return ElicitResult(action="accept", content={"answer": "Yes"})

    async with Client(f"{graphs.url}/mcp", mode="2026-07-28", elicitation_callback=fill_in) as client:
        result = await client.call_tool("asking", {"question": "Really?"})
    assert shown == ["Really?"]
    assert result.structured_content["answer"] == "Yes"


async def test_declined_form_leaves_the_agent_waiting(graphs: ServerProcess) -> None:
    async def decline(_context: Any, _params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="decline")

    async with Client(f"{graphs.url}/mcp", mode="2026-07-28", elicitation_callback=decline) as client:
        result = await client.call_tool("asking", {"question": "Really?"})
    assert result.is_error
    assert "still waits" in result.content[0].text


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("reports", [False, True])
async def test_cancelled_call_stops_its_run(
    graphs: ServerProcess, client: LangGraphClient, mode: str, reports: bool
) -> None:
    async def ignore(*_: object) -> None:
        return None

    thread = await client.threads.create()
    meta: Any = {THREAD: {"thread_id": thread["thread_id"]}}
    async with Client(f"{graphs.url}/mcp", mode=mode) as mcp, anyio.create_task_group() as group:
        options: dict[str, Any] = {"progress_callback": ignore} if reports else {}
        group.start_soon(lambda: mcp.call_tool("sleeping", {"seconds": 50}, meta=meta, **options))
        await _run_with(client, thread["thread_id"], "running")
        group.cancel_scope.cancel()
    await _run_with(client, thread["thread_id"], "interrupted")


async def _run_with(client: LangGraphClient, thread_id: str, status: str) -> None:
    with anyio.fail_after(30):
        while not await client.runs.list(thread_id, status=status):  # type: ignore[arg-type]  # noqa: ASYNC110
            await anyio.sleep(0.02)


async def test_urls_take_feedback_that_is_read_back(connect: Connect, graphs: ServerProcess) -> None:
    async with connect() as mcp:
        result = await mcp.call_tool("steps", {"total": 1}, meta={FEEDBACK: {"keys": ["user_liked"]}})
        received = result.meta[FEEDBACK]
        assert received.keys() == {"run_id", "urls", "keys", "expires_at"}
        async with httpx.AsyncClient(base_url=graphs.url) as http:
            assert (await http.post(received["urls"]["user_liked"], json={"score": 1})).status_code == 200
            feedback = (await http.get(f"/runs/{received['run_id']}/feedback")).json()["feedback"]
        assert [(one["key"], one["score"]) for one in feedback] == [("user_liked", 1)]


@pytest.mark.parametrize(("by", "source"), [("user", "app"), ("agent", "model"), (None, "model")])
async def test_tool_submits_feedback_once(connect: Connect, graphs: ServerProcess, by: str | None, source: str) -> None:
    async with connect() as mcp:
        called = await mcp.call_tool("steps", {"total": 1}, meta={FEEDBACK: {"keys": ["user_liked"]}})
        run_id = called.meta[FEEDBACK]["run_id"]
        assert run_id in called.content[1].text
        arguments = {"run_id": run_id, "score": 0, "comment": "Not quite", **({"by": by} if by else {})}
        stored = [await mcp.call_tool("submit_feedback", arguments) for _ in range(2)]
        assert stored[0].structured_content == stored[1].structured_content
        async with httpx.AsyncClient(base_url=graphs.url) as http:
            [one] = (await http.get(f"/runs/{run_id}/feedback")).json()["feedback"]
        assert (one["key"], one["score"], one["comment"]) == ("user_liked", 0, "Not quite")
        assert one["feedback_source"]["type"] == source


@pytest.mark.parametrize(("by", "source"), [("user", "api"), ("agent", "model")])
async def test_tool_submits_feedback_by_token(graphs: ServerProcess, by: str, source: str) -> None:
    async with Client(f"{graphs.url}/mcp", mode="2026-07-28") as mcp:
        called = await mcp.call_tool("steps", {"total": 1}, meta={FEEDBACK: {"keys": ["user_liked"]}})
        url = called.meta[FEEDBACK]["urls"]["user_liked"]
        await mcp.call_tool("submit_feedback", {"token": url, "score": 1, "by": by})
    async with httpx.AsyncClient(base_url=graphs.url) as http:
        [one] = (await http.get(f"/runs/{called.meta[FEEDBACK]['run_id']}/feedback")).json()["feedback"]
    assert (one["key"], one["feedback_source"]["type"]) == ("user_liked", source)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"score": 1}, "Name the run"),
        ({"run_id": "x", "score": 1}, "Invalid run ID"),
        ({"run_id": "018f0000-0000-7000-8000-000000000001", "score": 1}, "not found"),
        ({"token": "018f0000-0000-7000-8000-000000000001", "score": 1}, "not issued here"),
        ({"run_id": "018f0000-0000-7000-8000-000000000001", "score": "x"}, "got `str`"),
        ({"rating": 1}, "unknown field `rating`"),
    ],
)
async def test_wrong_feedback_is_explained(graphs: ServerProcess, arguments: dict[str, Any], message: str) -> None:
    async with Client(f"{graphs.url}/mcp", mode="2026-07-28") as mcp:
        result = await mcp.call_tool("submit_feedback", arguments)
    assert result.is_error
    assert message in result.content[0].text


async def test_default_keys_of_an_assistant_count(connect: Connect, client: LangGraphClient) -> None:
    async with connect() as mcp:
        name = f"rated {mcp.protocol_version} {id(mcp)}"
        made = await client.assistants.create("steps", name=name, metadata={"feedback_keys": ["stars"]})
        try:
            tool = name.replace(" ", "_")
            listed = {one.name: one for one in (await mcp.list_tools()).tools}[tool]
            assert listed.meta["ui"]["resourceUri"] == "ui://agent-server/feedback"
            result = await mcp.call_tool(tool, {"total": 1})
            assert list(result.meta[FEEDBACK]["urls"]) == ["stars"]
        finally:
            await client.assistants.delete(made["assistant_id"])


async def test_app_resource_holds_the_buttons(connect: Connect, graphs: ServerProcess) -> None:
    async with connect() as mcp:
        [resource] = (await mcp.list_resources()).resources
        [page] = (await mcp.read_resource(resource.uri)).contents
        assert page.mime_type == "text/html;profile=mcp-app"
        assert f'src="{graphs.url}/feedback/feedback-buttons.js"' in page.text
        with pytest.raises(MCPError, match="no such resource"):
            await mcp.read_resource("ui://agent-server/other")


async def test_api_key_is_needed(start_server: StartServer) -> None:
    server = start_server(AGENT_SERVER_API_KEYS="as_test_0123456789abcdef0123456789abcdef")
    async with httpx.AsyncClient() as http:
        refused = await http.post(f"{server.url}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert refused.status_code == 401
    assert "API key" in refused.json()["error"]["message"]
    headers = {"Authorization": "Bearer as_test_0123456789abcdef0123456789abcdef"}
    async with httpx2.AsyncClient(headers=headers) as http:
        transport = streamable_http_client(f"{server.url}/mcp", http_client=http)
        async with Client(transport) as mcp:
            assert (await mcp.call_tool("steps", {"total": 1})).structured_content["done"] == [0]
