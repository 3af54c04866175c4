"""The methods of MCP, implemented with this server's assistants, runs, streams and feedback."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from litestar.types import ASGIApp
from uuid_utils import uuid4

from agent_server.errors import AgentServerError, NotFound
from agent_server.protocols.jsonrpc import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    RpcError,
    build_success,
    rpc_response,
)
from agent_server.protocols.mcp.call_responses import SERVER_INFO, CallResponses, add_era_fields
from agent_server.protocols.mcp.calls import (
    Declined,
    error_result,
    parse_call,
)
from agent_server.protocols.mcp.feedback import (
    APP_URI,
    APPS_EXTENSION,
    SUBMIT_FEEDBACK,
    app_content,
    app_resource,
)
from agent_server.protocols.mcp.requests import (
    FEEDBACK_KEY,
    HANDSHAKE_VERSIONS,
    SESSION_HEADER,
    VERSIONS,
    McpRequest,
)
from agent_server.protocols.mcp.submissions import submit_feedback
from agent_server.protocols.mcp.tools import Tools
from agent_server.protocols.services import RequestServices
from agent_server.routes.authorization import get_ownership
from agent_server.routes.base_url import base_url
from agent_server.routes.run_requests import create_run
from agent_server.runs.records import Record
from agent_server.schema import JsonObject, RunCreate, RunsCancel

INSTRUCTIONS = "Each tool runs an agent, and returns its final state."
CACHE_MS = 5_000
"""The time in milliseconds for which clients may cache a list of tools."""
_ELSEWHERE = (401, 403, 429, 503)
"""The HTTP statuses of errors that concern the caller or the server's load instead of the request's content."""


Outcome = JsonObject | ASGIApp


class McpServer:
    """Serves the MCP methods for one HTTP request."""

    def __init__(self, services: RequestServices, accepts_events: bool) -> None:
        self._services = services
        self._responses = CallResponses(services, accepts_events)
        self._has_feedback = services.feedback.intake is not None

    async def respond(self, request: McpRequest) -> ASGIApp:
        """Return the HTTP response. Errors: `RpcError`, and those of `AgentServerError` that concern the caller."""
        method = _METHODS.get(request.method)
        if method is None or not _is_served(request, self._has_feedback):
            raise request.error(METHOD_NOT_FOUND, f"Method not found: {request.method:.80}")
        try:
            outcome = await method(self, request)
        except AgentServerError as error:
            if error.status_code in _ELSEWHERE:
                raise
            raise request.error(INVALID_PARAMS, str(error)) from None
        if not isinstance(outcome, dict):
            return outcome
        session = {SESSION_HEADER: str(uuid4())} if request.method == "initialize" else None
        return rpc_response(build_success(request.id, add_era_fields(request, outcome)), headers=session)

    async def initialize(self, request: McpRequest) -> JsonObject:
        """Handle `initialize`: return the version that both sides support, and the capabilities."""
        asked = request.params.get("protocolVersion")
        version = asked if asked in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[-1]
        return {
            "protocolVersion": version,
            "capabilities": self._capabilities(),
            "serverInfo": SERVER_INFO,
            "instructions": INSTRUCTIONS,
        }

    async def discover(self, _: McpRequest) -> JsonObject:
        """Handle `server/discover`: return the versions and the capabilities."""
        return {
            "supportedVersions": list(VERSIONS),
            "capabilities": self._capabilities(),
            "instructions": INSTRUCTIONS,
            **_build_cache_fields(),
        }

    async def ping(self, _: McpRequest) -> JsonObject:
        """Handle `ping`."""
        return {}

    async def list_tools(self, request: McpRequest) -> JsonObject:
        """Handle `tools/list`: return a page of the caller's tools."""
        tools, cursor = await (await self._tools()).page(request)
        return {"tools": tools, **({"nextCursor": cursor} if cursor else {}), **_build_cache_fields()}

    async def list_resources(self, _: McpRequest) -> JsonObject:
        """Handle `resources/list`: return the app with the buttons."""
        return {"resources": [app_resource()], **_build_cache_fields()}

    async def list_templates(self, _: McpRequest) -> JsonObject:
        """Handle `resources/templates/list`: return an empty list."""
        return {"resourceTemplates": [], **_build_cache_fields()}

    async def read_resource(self, request: McpRequest) -> JsonObject:
        """Handle `resources/read`: return the page of the app."""
        intake = self._services.feedback.intake
        if request.params.get("uri") != APP_URI or intake is None:
            raise NotFound(f"This server has no such resource; it has {APP_URI}")
        base = base_url(self._services.http, self._services.config)
        return {"contents": [app_content(base, intake.buttons_path)], **_build_cache_fields()}

    async def call_tool(self, request: McpRequest) -> Outcome:
        """Handle `tools/call`: return the end of a run, or the result of a feedback submission."""
        name, arguments = request.params.get("name"), request.params.get("arguments")
        if not isinstance(name, str) or not isinstance(arguments, (dict, type(None))):
            raise request.error(INVALID_PARAMS, "tools/call needs a name, a string, and arguments, an object")
        if self._has_feedback and name == SUBMIT_FEEDBACK:
            return await submit_feedback(self._services, arguments or {})
        tools = await self._tools()
        assistant = await tools.find(name)
        if assistant is None:
            raise request.error(INVALID_PARAMS, f"Unknown tool: {name:.200}")
        try:
            call = parse_call(request, assistant.assistant_id, await tools.arguments(assistant, arguments or {}))
        except Declined as declined:
            return error_result(str(declined))
        record = await self._start_run(call.body, call.thread_id)
        return self._responses.follow(request, record, is_lasting=call.thread_id is not None)

    async def resume(self, last_event_id: str) -> ASGIApp:
        """Resume the stream of a call's events after the last received one."""
        return await self._responses.resume(last_event_id)

    async def cancel(self, request: McpRequest) -> None:
        """Cancel the run of a handshake-era request, identified by its session and id."""
        request_id = request.params.get("requestId")
        if request.session_id is None or not isinstance(request_id, (str, int)):
            return
        services = self._services
        call = {"mcp": {"session_id": request.session_id, "request_id": request_id}}
        if (run := await services.runs.find_active(call)) is None:
            return
        body: JsonObject = {"thread_id": run.thread_id, "run_ids": [run.run_id]}
        await services.authenticator.authorize_as(services.http, "cancel_runs", body, {})
        try:
            which = RunsCancel(thread_id=run.thread_id, run_ids=[run.run_id])
            await services.runs.cancel_many(which, "interrupt", get_ownership(services.http, "threads"))
        except NotFound:
            return  # the run has ended in the meantime

    def _capabilities(self) -> JsonObject:
        capabilities: JsonObject = {"tools": {"listChanged": False}}
        if self._has_feedback:
            extensions = {FEEDBACK_KEY: {"version": 1}, APPS_EXTENSION: {}}
            capabilities |= {"resources": {"listChanged": False}, "extensions": extensions}
        return capabilities

    async def _tools(self) -> Tools:
        services = self._services
        await services.authenticator.authorize_as(services.http, "search_assistants", {}, {})
        mine = get_ownership(services.http, "assistants")
        return Tools(services.assistants, services.graphs, mine, self._has_feedback)

    async def _start_run(self, body: JsonObject, thread_id: str | None) -> Record:
        services = self._services
        if thread_id is not None:
            body["thread_id"] = thread_id
        await services.authenticator.authorize_run(services.http, body)
        try:
            wanted = msgspec.convert(body, RunCreate)
        except msgspec.ValidationError as error:
            raise RpcError(INVALID_PARAMS, str(error)) from None
        run = await create_run(services.http, services.runs, services.config, wanted, thread_id)
        return await services.runs.get(run.run_id)


_METHODS: dict[str, Callable[[McpServer, McpRequest], Awaitable[Outcome]]] = {
    "initialize": McpServer.initialize,
    "server/discover": McpServer.discover,
    "ping": McpServer.ping,
    "tools/list": McpServer.list_tools,
    "tools/call": McpServer.call_tool,
    "resources/list": McpServer.list_resources,
    "resources/templates/list": McpServer.list_templates,
    "resources/read": McpServer.read_resource,
}
_OF_HANDSHAKE = ("initialize", "ping")
_OF_FEEDBACK = ("resources/list", "resources/templates/list", "resources/read")


def _is_served(request: McpRequest, has_feedback: bool) -> bool:
    """Return whether the request's era has the method and the server has the feature."""
    if request.method in _OF_FEEDBACK and not has_feedback:
        return False
    return not (request.is_modern and request.method in _OF_HANDSHAKE)


def _build_cache_fields() -> JsonObject:
    return {"ttlMs": CACHE_MS, "cacheScope": "private"}
