"""JSON-RPC 2.0 over HTTP: the messages that MCP and A2A share.

Source: https://www.jsonrpc.org/specification
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.response.base import ASGIResponse
from litestar.types import ExceptionHandlersMap
from msgspec import Struct

from agent_server.asgi.error_response import get_headers
from agent_server.asgi.json_codec import encode
from agent_server.errors import AgentServerError, Invalid
from agent_server.schema import JsonObject

log = structlog.get_logger("agent_server")

_JSON = "application/json"
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_ERROR = -32000

RpcId = str | int | float | None


class RpcError(Exception):
    """A JSON-RPC error: a code, a message, and the HTTP status that carries it."""

    def __init__(self, code: int, message: str, data: Any = None, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.data = data
        self.status = status


class RpcMessage(Struct, frozen=True):
    """One message: a request, a notification (no id), or a response (no method)."""

    id: RpcId
    method: str | None
    params: JsonObject
    is_notification: bool


def rpc_message(body: Any, status: int = 200) -> RpcMessage:
    """Return the message in a decoded body. Errors: `RpcError` with the HTTP `status`."""
    if not isinstance(body, dict):
        raise RpcError(INVALID_REQUEST, "The body must be one JSON-RPC message, an object", status=status)
    if body.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, 'The message must have "jsonrpc": "2.0"', status=status)
    rpc_id, method, params = body.get("id"), body.get("method"), body.get("params")
    if isinstance(rpc_id, (bool, dict, list)):
        raise RpcError(INVALID_REQUEST, "The message's id must be a string or a number", status=status)
    is_response = method is None and ("result" in body or "error" in body)
    if not is_response and (not isinstance(method, str) or not method):
        raise RpcError(INVALID_REQUEST, "The message must name its method, a string", status=status)
    if params is not None and not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "params must be an object", status=status)
    return RpcMessage(rpc_id, method, params or {}, "id" not in body)


def read_rpc_id(body: Any) -> RpcId:
    """Return the id of a possibly malformed message, for its error."""
    rpc_id = body.get("id") if isinstance(body, dict) else None
    return rpc_id if isinstance(rpc_id, (str, int, float)) and not isinstance(rpc_id, bool) else None


def build_success(rpc_id: RpcId, result: Any) -> JsonObject:
    """Build the response to a successful request."""
    return {"jsonrpc": "2.0", "id": rpc_id, "result": result}


def build_failure(rpc_id: RpcId, error: RpcError) -> JsonObject:
    """Build the response to a failed request."""
    data = {} if error.data is None else {"data": error.data}
    return {"jsonrpc": "2.0", "id": rpc_id, "error": {"code": error.code, "message": str(error), **data}}


def rpc_response(content: JsonObject, status: int = 200, headers: dict[str, str] | None = None) -> ASGIResponse:
    """Wrap a JSON-RPC message in an HTTP response."""
    return ASGIResponse(body=encode(content), status_code=status, headers=headers, media_type=MediaType.JSON)


def build_failed_response(rpc_id: RpcId, error: RpcError) -> ASGIResponse:
    """Wrap an error in an HTTP response with the error's status."""
    return rpc_response(build_failure(rpc_id, error), error.status)


def _respond_with_error(
    code: int, message: str, status: int, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    content = encode(build_failure(None, RpcError(code, message)))
    return Response(content, status_code=status, headers=headers, media_type=MediaType.JSON)


@dataclass
class RpcOperation(Operation):
    """An OpenAPI operation that returns a JSON-RPC message, or events with one each."""

    def __post_init__(self) -> None:
        message = OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT))
        events = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
        self.responses = {
            "200": OpenAPIResponse(
                description="The response; as server-sent events, where the method brings several messages.",
                content={_JSON: message, "text/event-stream": events},
            ),
            "202": OpenAPIResponse(description="The message needs no response."),
            "default": OpenAPIResponse(description="A JSON-RPC error.", content={_JSON: message}),
        }


def rpc_exception_handlers(unreadable: int) -> ExceptionHandlersMap:
    """Return handlers that report errors outside a route's own code as JSON-RPC errors.

    A body that is not JSON gets the HTTP status `unreadable`; other errors keep their own status.
    """

    def respond_refused(_request: Request[Any, Any, Any], error: AgentServerError) -> Response[bytes]:
        code, status = (PARSE_ERROR, unreadable) if isinstance(error, Invalid) else (SERVER_ERROR, error.status_code)
        return _respond_with_error(code, str(error), status, get_headers(error))

    def respond_malformed(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
        code, status = (PARSE_ERROR, unreadable) if error.status_code == 400 else (SERVER_ERROR, error.status_code)
        return _respond_with_error(code, error.detail, status, error.headers)

    def respond_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        log.error("request_failed", method=request.method, route=request.scope.get("path_template"), exc_info=error)
        return _respond_with_error(INTERNAL_ERROR, "Internal error. The server's log has the details", 500)

    return {AgentServerError: respond_refused, HTTPException: respond_malformed, Exception: respond_unexpected}
