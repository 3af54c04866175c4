"""`/mcp`: the endpoint of MCP's streamable HTTP transport."""

from __future__ import annotations

from typing import Any

from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp

from agent_server.errors import AgentServerError
from agent_server.protocols.jsonrpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    RpcError,
    RpcOperation,
    build_failed_response,
    build_failure,
    read_rpc_id,
    rpc_exception_handlers,
    rpc_message,
    rpc_response,
)
from agent_server.protocols.mcp.requests import SESSION_HEADER, mcp_request
from agent_server.protocols.mcp.server import McpServer
from agent_server.protocols.services import SERVICES, RequestServices
from agent_server.routes.authentication import AUTHORIZED_IN_HANDLER

_JSON, _EVENTS = "application/json", "text/event-stream"
_ERRORS = rpc_exception_handlers(unreadable=400)
_ALLOWED = {"Allow": "POST, GET, DELETE"}


@post(
    "/mcp",
    tags=["mcp"],
    status_code=200,
    opt=AUTHORIZED_IN_HANDLER,
    exception_handlers=_ERRORS,
    dependencies=SERVICES,
    operation_class=RpcOperation,
)
async def post_mcp(
    data: JSONBody[Any], request: Request[Any, Any, Any], services: NamedDependency[RequestServices]
) -> ASGIApp:
    """Handle one JSON-RPC message of the Model Context Protocol, versions 2024-11-05 to 2026-07-28.

    `tools/list` lists the assistants as tools, `tools/call` runs one. A call with a progress token returns
    server-sent events if the client accepts them; everything else returns JSON.
    """
    try:
        return await _respond(data, request, services)
    except RpcError as error:
        return build_failed_response(read_rpc_id(data), error)


async def _respond(data: Any, request: Request[Any, Any, Any], services: RequestServices) -> ASGIApp:
    accepts_json, accepts_events = _read_accepted_types(request.headers.get("accept", ""))
    if not accepts_json:
        raise RpcError(INVALID_REQUEST, f"The Accept header must list {_JSON}, and {_EVENTS} for progress", status=406)
    message = rpc_message(data, status=400)
    if message.method is None:
        return _respond_accepted()
    asked = mcp_request(message, request.headers)
    server = McpServer(services, accepts_events)
    if message.is_notification:
        if message.method == "notifications/cancelled" and not asked.is_modern:
            await server.cancel(asked)
        return _respond_accepted()
    if message.id is None:
        raise RpcError(INVALID_REQUEST, "The id of a request must be a string or a number", status=400)
    return await server.respond(asked)


@get(
    "/mcp",
    tags=["mcp"],
    opt=AUTHORIZED_IN_HANDLER,
    exception_handlers=_ERRORS,
    dependencies=SERVICES,
    operation_class=RpcOperation,
)
async def get_mcp(request: Request[Any, Any, Any], services: NamedDependency[RequestServices]) -> ASGIApp:
    """Resume a call's events after `Last-Event-ID`; 405 without it: this server initiates no messages."""
    last_event_id = request.headers.get("last-event-id")
    if last_event_id is None:
        unasked = RpcError(INVALID_REQUEST, "This server starts no messages: POST to it, or send Last-Event-ID")
        return rpc_response(build_failure(None, unasked), 405, _ALLOWED)
    try:
        return await McpServer(services, accepts_events=True).resume(last_event_id)
    except AgentServerError as error:
        if error.status_code in (401, 403):
            raise
        return build_failed_response(None, RpcError(INVALID_PARAMS, str(error), status=error.status_code))


@delete(
    "/mcp",
    tags=["mcp"],
    status_code=200,
    opt=AUTHORIZED_IN_HANDLER,
    exception_handlers=_ERRORS,
    operation_class=RpcOperation,
)
async def delete_mcp(request: Request[Any, Any, Any]) -> ASGIApp:
    """End a session. The server stores none, so it only checks the id; 404 without one."""
    if request.headers.get(SESSION_HEADER):
        return rpc_response({})
    return build_failed_response(
        None, RpcError(INVALID_REQUEST, "No session is named: send Mcp-Session-Id", status=404)
    )


def _respond_accepted() -> ASGIApp:
    return ASGIResponse(status_code=202)


def _read_accepted_types(header: str) -> tuple[bool, bool]:
    """Return whether the client accepts JSON, and whether server-sent events. Without a header it accepts JSON."""
    kinds = {kind.split(";")[0].strip().lower() for kind in header.split(",")}
    anything = "*/*" in kinds
    return (
        anything or not header or bool(kinds & {_JSON, "application/*", _EVENTS}),
        anything or bool(kinds & {_EVENTS, "text/*"}),
    )


HANDLERS = [post_mcp, get_mcp, delete_mcp]
