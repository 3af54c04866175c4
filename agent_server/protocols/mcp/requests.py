"""MCP requests of both eras: with a handshake (2024-11-05 to 2025-11-25) and self-contained (2026-07-28).

Sources: https://modelcontextprotocol.io/specification and the behaviour of the package `mcp` 2.3.0.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from agent_server.protocols.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND, RpcError, RpcId, RpcMessage
from agent_server.schema import JsonObject

HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_VERSIONS = ("2026-07-28",)
VERSIONS = (*HANDSHAKE_VERSIONS, *MODERN_VERSIONS)
DEFAULT_VERSION = "2025-03-26"
"""The version of a request without the version header, as specified."""

HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022
VERSION_HEADER, METHOD_HEADER, NAME_HEADER = "mcp-protocol-version", "mcp-method", "mcp-name"
SESSION_HEADER = "mcp-session-id"
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
SERVER_INFO_KEY = "io.modelcontextprotocol/serverInfo"
OWN = "dev.agent-server"
"""The prefix of this server's own entries in `_meta` and in the capabilities."""
FEEDBACK_KEY, THREAD_KEY, RESUME_KEY, RUN_KEY = (f"{OWN}/{name}" for name in ("feedback", "thread", "resume", "run"))

_HTTP_STATUS = {METHOD_NOT_FOUND: 404}
_NAMED_IN_HEADER = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_BASE64 = re.compile(r"=\?base64\?(?P<payload>.*)\?=")


class McpRequest(Struct, frozen=True):
    """A JSON-RPC request of an MCP client, with the data of its headers and `_meta`."""

    id: RpcId
    method: str
    params: JsonObject
    meta: JsonObject
    version: str
    capabilities: JsonObject
    """The client's capabilities, which each request of the version 2026-07-28 carries."""
    session_id: str | None = None

    @property
    def is_modern(self) -> bool:
        """Whether the request is self-contained, without a preceding handshake."""
        return self.version in MODERN_VERSIONS

    @property
    def progress_token(self) -> str | int | None:
        """The token for progress notifications, if the client wants any."""
        token = self.meta.get("progressToken")
        return token if isinstance(token, (str, int)) and not isinstance(token, bool) else None

    @property
    def can_be_asked(self) -> bool:
        """Whether the client can show the forms of a waiting agent."""
        return self.is_modern and isinstance(self.capabilities.get("elicitation"), dict)

    def error(self, code: int, message: str, data: Any = None) -> RpcError:
        """Build an error with the HTTP status of the request's era."""
        return RpcError(code, message, data, _HTTP_STATUS.get(code, 400) if self.is_modern else 200)


def mcp_request(message: RpcMessage, headers: Mapping[str, str]) -> McpRequest:
    """Return the request with its era. Errors: `RpcError`, also if its headers and body disagree."""
    given = message.params.get("_meta")
    if given is not None and not isinstance(given, dict):
        raise RpcError(INVALID_PARAMS, "params._meta must be an object", status=400)
    meta = given or {}
    method, version = message.method or "", headers.get(VERSION_HEADER)
    if method != "initialize" and (version in MODERN_VERSIONS or VERSION_KEY in meta or method == "server/discover"):
        version = _modern_version(message, meta, headers)
        return McpRequest(message.id, method, message.params, meta, version, meta[CAPABILITIES_KEY])
    if version is not None and version not in HANDSHAKE_VERSIONS and method != "initialize":
        raise _build_unsupported(version)
    return McpRequest(
        message.id, method, message.params, meta, version or DEFAULT_VERSION, {}, headers.get(SESSION_HEADER)
    )


def _modern_version(message: RpcMessage, meta: JsonObject, headers: Mapping[str, str]) -> str:
    """Return the version of a self-contained request, whose `_meta` and headers must agree."""
    if missing := [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in meta]:
        raise RpcError(INVALID_PARAMS, f"params._meta lacks {' and '.join(missing)}", status=400)
    version = meta[VERSION_KEY]
    if not isinstance(version, str) or not isinstance(meta[CAPABILITIES_KEY], dict):
        raise RpcError(INVALID_PARAMS, f"{VERSION_KEY} must be a string, {CAPABILITIES_KEY} an object", status=400)
    _check_header(headers, VERSION_HEADER, version)
    _check_header(headers, METHOD_HEADER, message.method or "")
    named = message.params.get(_NAMED_IN_HEADER.get(message.method or "", ""))
    if isinstance(named, str):
        _check_header(headers, NAME_HEADER, named)
    if version not in MODERN_VERSIONS:
        raise _build_unsupported(version)
    return version


def _check_header(headers: Mapping[str, str], name: str, expected: str) -> None:
    if _decode_header(headers.get(name)) != expected:
        raise RpcError(HEADER_MISMATCH, f"The header {name} does not say {expected!r}, as the body does", status=400)


def _decode_header(value: str | None) -> str | None:
    """Return the text of a header, which may be in Base64; None if it is malformed."""
    if value is None or not (wrapped := _BASE64.fullmatch(value)):
        return value
    try:
        return base64.b64decode(wrapped["payload"], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _build_unsupported(version: str) -> RpcError:
    data = {"supported": list(VERSIONS), "requested": version}
    return RpcError(UNSUPPORTED_VERSION, f"Unsupported protocol version {version!r:.80}", data, 400)
