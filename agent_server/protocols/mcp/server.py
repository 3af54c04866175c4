"""The methods of MCP, implemented with this server's assistants, runs, streams and feedback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from litestar.types import ASGIApp
from uuid_utils import uuid4

from agent_server.asgi.json_codec import encode
from agent_server.asgi.sse import json_response, stream_response
from agent_server.broker import START, FrameId
from agent_server.errors import AgentServerError, NotFound
from agent_server.protocols.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    RpcError,
    failure,
    rpc_response,
    success,
)
from agent_server.protocols.mcp.calls import (
    Declined,
    call_of,
    error_result,
    input_required,
    interrupts_of,
    place_meta,
    tool_result,
)
from agent_server.protocols.mcp.feedback import (
    APP_URI,
    APPS_EXTENSION,
    SUBMIT_FEEDBACK,
    SubmitArguments,
    app_content,
    app_resource,
    feedback_hint,
    feedback_meta,
)
from agent_server.protocols.mcp.progress import event_id, progress_events, resumed_at, sse_message
from agent_server.protocols.mcp.requests import (
    FEEDBACK_KEY,
    HANDSHAKE_VERSIONS,
    SERVER_INFO_KEY,
    SESSION_HEADER,
    VERSIONS,
    McpRequest,
)
from agent_server.protocols.mcp.tools import Tools
from agent_server.protocols.services import RequestServices
from agent_server.routes.authentication import project_in
from agent_server.routes.authorization import owned
from agent_server.routes.base_url import base_url
from agent_server.routes.run_requests import created_run
from agent_server.routes.run_responses import cancel_when_closed, cut_where_slow
from agent_server.runs.records import Record
from agent_server.schema import JsonObject, RunCreate, RunsCancel

SERVER_INFO = {"name": "agent-server", "title": "Agent server", "version": "0.1.0"}
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
        self._accepts_events = accepts_events
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
        return rpc_response(success(request.id, _stamped(request, outcome)), headers=session)

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
            **_cacheable(),
        }

    async def ping(self, _: McpRequest) -> JsonObject:
        """Handle `ping`."""
        return {}

    async def list_tools(self, request: McpRequest) -> JsonObject:
        """Handle `tools/list`: return a page of the caller's tools."""
        tools, cursor = await (await self._tools()).page(request)
        return {"tools": tools, **({"nextCursor": cursor} if cursor else {}), **_cacheable()}

    async def list_resources(self, _: McpRequest) -> JsonObject:
        """Handle `resources/list`: return the app with the buttons."""
        return {"resources": [app_resource()], **_cacheable()}

    async def list_templates(self, _: McpRequest) -> JsonObject:
        """Handle `resources/templates/list`: return an empty list."""
        return {"resourceTemplates": [], **_cacheable()}

    async def read_resource(self, request: McpRequest) -> JsonObject:
        """Handle `resources/read`: return the page of the app."""
        intake = self._services.feedback.intake
        if request.params.get("uri") != APP_URI or intake is None:
            raise NotFound(f"This server has no such resource; it has {APP_URI}")
        base = base_url(self._services.http, self._services.config)
        return {"contents": [app_content(base, intake.buttons_path)], **_cacheable()}

    async def call_tool(self, request: McpRequest) -> Outcome:
        """Handle `tools/call`: return the end of a run, or the result of a feedback submission."""
        name, arguments = request.params.get("name"), request.params.get("arguments")
        if not isinstance(name, str) or not isinstance(arguments, (dict, type(None))):
            raise request.error(INVALID_PARAMS, "tools/call needs a name, a string, and arguments, an object")
        if self._has_feedback and name == SUBMIT_FEEDBACK:
            return await self._submit(arguments or {})
        tools = await self._tools()
        assistant = await tools.find(name)
        if assistant is None:
            raise request.error(INVALID_PARAMS, f"Unknown tool: {name:.200}")
        try:
            call = call_of(request, assistant.assistant_id, await tools.arguments(assistant, arguments or {}))
        except Declined as declined:
            return error_result(str(declined))
        record = await self._started(call.body, call.thread_id)
        return self._followed(request, record, is_lasting=call.thread_id is not None)

    async def resume(self, last_event_id: str) -> ASGIApp:
        """Resume the stream of a call's events after the last received one."""
        run_id, after = resumed_at(last_event_id)
        await self._services.authenticator.authorize_as(
            self._services.http, "join_stateless_run_stream", {}, {"run_id": run_id}
        )
        record = await self._services.runs.get(run_id)
        call = msgspec.json.decode(record.run.metadata).get("mcp")
        if not isinstance(call, dict) or "progress_token" not in call:
            raise NotFound("Last-Event-ID names no call of a tool that has a stream of events")
        request = McpRequest(call.get("request_id"), "tools/call", {}, {}, HANDSHAKE_VERSIONS[-1], {})
        return self._streamed(request, record, call["progress_token"], after, is_cancelled_with_it=False)

    async def cancel(self, request: McpRequest) -> None:
        """Cancel the run of a handshake-era request, identified by its session and id."""
        request_id = request.params.get("requestId")
        if request.session_id is None or not isinstance(request_id, (str, int)):
            return
        services = self._services
        call = {"mcp": {"session_id": request.session_id, "request_id": request_id}}
        if (run := await services.runs.active_with(call)) is None:
            return
        body: JsonObject = {"thread_id": run.thread_id, "run_ids": [run.run_id]}
        await services.authenticator.authorize_as(services.http, "cancel_runs", body, {})
        try:
            which = RunsCancel(thread_id=run.thread_id, run_ids=[run.run_id])
            await services.runs.cancel_many(which, "interrupt", owned(services.http, "threads"))
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
        mine = owned(services.http, "assistants")
        return Tools(services.assistants, services.graphs, mine, self._has_feedback)

    async def _started(self, body: JsonObject, thread_id: str | None) -> Record:
        services = self._services
        if thread_id is not None:
            body["thread_id"] = thread_id
        await services.authenticator.authorize_run(services.http, body)
        try:
            wanted = msgspec.convert(body, RunCreate)
        except msgspec.ValidationError as error:
            raise RpcError(INVALID_PARAMS, str(error)) from None
        run = await created_run(services.http, services.runs, services.config, wanted, thread_id)
        return await services.runs.get(run.run_id)

    def _followed(self, request: McpRequest, record: Record, is_lasting: bool) -> ASGIApp:
        """Return a response that ends with the run, preceded by its progress if the client wants it.

        A handshake-era client cancels with a notification, because it can resume an event stream. A later client, or
        one whose result would be lost with its connection, cancels by closing the connection.
        """
        if self._accepts_events and request.progress_token is not None:
            return self._streamed(request, record, request.progress_token, START, request.is_modern)
        services = self._services
        response = json_response(self._answer(request, record), {})
        if request.is_modern or not is_lasting:
            cancel_when_closed(response, services.runs, record.run)
        return response  # type: ignore[return-value]

    def _streamed(
        self, request: McpRequest, record: Record, token: str | int, after: FrameId, is_cancelled_with_it: bool
    ) -> ASGIApp:
        response = stream_response(self._events(request, record, token, after), {}, self._services.streams.closing)
        if is_cancelled_with_it:
            cancel_when_closed(response, self._services.runs, record.run)
        return cut_where_slow(response, record.run.thread_id)

    async def _events(
        self, request: McpRequest, record: Record, token: str | int, after: FrameId
    ) -> AsyncIterator[bytes]:
        has_ids = not request.is_modern
        async for event in progress_events(self._services.streams, record, token, after, has_ids):
            yield event
        message = await self._response(request, record)
        yield sse_message(message, event_id(record) if has_ids else None)

    async def _answer(self, request: McpRequest, record: Record) -> AsyncIterator[bytes]:
        yield encode(await self._response(request, record))

    async def _response(self, request: McpRequest, record: Record) -> JsonObject:
        try:
            return success(request.id, _stamped(request, await self._result(request, record)))
        except NotFound:
            return success(request.id, _stamped(request, error_result("The run was deleted before it came to an end")))
        except AgentServerError as error:
            return failure(request.id, RpcError(INTERNAL_ERROR, str(error)))

    async def _result(self, request: McpRequest, record: Record) -> JsonObject:
        record, urls = await self._services.streams.outcome(record.run.run_id)
        meta = place_meta(record) | await feedback_meta(self._services.feedback, record, urls)
        waiting = interrupts_of(record)
        if waiting and request.can_be_asked and not record.temporary:
            return {**input_required(record, waiting), "_meta": meta}
        result = tool_result(record)
        hint = feedback_hint(record, urls) if self._has_feedback else []
        return {**result, "content": [*result["content"], *hint], "_meta": meta}

    async def _submit(self, given: JsonObject) -> JsonObject:
        """Store feedback; an error becomes the tool's result, which a model can read and correct."""
        try:
            kept = await self._submitted(msgspec.convert(given, SubmitArguments))
        except msgspec.ValidationError as error:
            return error_result(str(error))
        except AgentServerError as error:
            if error.status_code in (401, 403, 503):
                raise
            return error_result(str(error))
        text = encode(kept)
        structured = msgspec.json.decode(text)
        return {"content": [{"type": "text", "text": text.decode()}], "structuredContent": structured, "isError": False}

    async def _submitted(self, arguments: SubmitArguments) -> Any:
        services, project = self._services, project_in(self._services.http)
        if arguments.token:
            return await services.feedback.submit_by_token(arguments.token, arguments.submission(""), project)
        if not arguments.run_id:
            raise NotFound("Name the run: run_id, or token with a feedback URL of the run")
        path = {"run_id": arguments.run_id}
        await services.authenticator.authorize_as(services.http, "run_feedback_of", {}, path)
        record = await services.runs.get(arguments.run_id)
        if project is not None and record.project != project:
            raise NotFound(f"Run with ID {record.run.run_id} has no feedback of the project {project!r}")
        return await services.feedback.submit(record, arguments.submission(arguments.chosen_key(record)))


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


def _cacheable() -> JsonObject:
    return {"ttlMs": CACHE_MS, "cacheScope": "private"}


def _stamped(request: McpRequest, result: JsonObject) -> JsonObject:
    """Return the result with the fields that the request's era requires, without those that it lacks."""
    if not request.is_modern:
        return {name: value for name, value in result.items() if name not in ("ttlMs", "cacheScope")}
    meta = {SERVER_INFO_KEY: SERVER_INFO, **result.get("_meta", {})}
    return {"resultType": "complete", **result, "_meta": meta}
