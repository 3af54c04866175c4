"""A2A requests: their versions, methods, errors and extensions.

Sources: https://a2a-protocol.org/latest/specification and the behaviour of the package `a2a-sdk` 1.3.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from msgspec import Struct

from agent_server.protocols.jsonrpc import INVALID_PARAMS, RpcError, RpcId, RpcMessage
from agent_server.schema import JsonObject, canonical_id

TASK_NOT_FOUND = -32001
TASK_NOT_CANCELABLE = -32002
PUSH_NOT_SUPPORTED = -32003
UNSUPPORTED_OPERATION = -32004
CONTENT_TYPE_NOT_SUPPORTED = -32005
VERSION_NOT_SUPPORTED = -32009

VERSION_HEADER = "a2a-version"
EXTENSIONS_HEADER = "A2A-Extensions"
FEEDBACK_URI = "https://agent-server.dev/a2a/feedback/v1"
_CONTEXTS = UUID("8b9a0c1e-58a4-4b8e-9a53-5b0a4f1f7d11")
VERSIONS = ("1.0", "0.3")
_LEGACY_METHODS = {
    "message/send": "SendMessage",
    "message/stream": "SendStreamingMessage",
    "tasks/get": "GetTask",
    "tasks/cancel": "CancelTask",
    "tasks/list": "ListTasks",
    "tasks/resubscribe": "SubscribeToTask",
    "tasks/pushNotificationConfig/get": "GetTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/list": "ListTaskPushNotificationConfigs",
    "tasks/pushNotificationConfig/set": "CreateTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/delete": "DeleteTaskPushNotificationConfig",
    "agent/getAuthenticatedExtendedCard": "GetExtendedAgentCard",
}


class A2aRequest(Struct, frozen=True):
    """A JSON-RPC request of an A2A client."""

    id: RpcId
    method: str
    """The method's name in version 1.0."""
    params: JsonObject
    is_legacy: bool
    """Whether request and response use the shapes of version 0.3."""
    extensions: tuple[str, ...] = ()
    """The URIs of the extensions that the client activates."""

    @property
    def wants_feedback(self) -> bool:
        """Whether the client activates the feedback extension."""
        return FEEDBACK_URI in self.extensions


class TaskId(Struct, frozen=True):
    """The id of a task: its thread, and its first run."""

    thread_id: str
    run_id: str

    def __str__(self) -> str:
        return f"{self.thread_id}:{self.run_id}"


def a2a_request(message: RpcMessage, headers: Mapping[str, str]) -> A2aRequest:
    """Return the request. Errors: `RpcError` for an unsupported version of the protocol."""
    version = headers.get(VERSION_HEADER, "")
    if version and not version.startswith(tuple(VERSIONS)):
        supported = " and ".join(VERSIONS)
        raise RpcError(VERSION_NOT_SUPPORTED, f"A2A version {version!r:.40} is not supported; {supported} are")
    method = message.method or ""
    legacy = _LEGACY_METHODS.get(method)
    listed = f"{headers.get(EXTENSIONS_HEADER.lower(), '')},{headers.get('x-a2a-extensions', '')}"
    extensions = tuple(uri for part in listed.split(",") if (uri := part.strip()))
    params = message.params if legacy else _camel_case(message.params)
    return A2aRequest(message.id, legacy or method, params, legacy is not None, extensions)


_FREE = ("data", "metadata", "value")
"""The fields whose content is the client's own."""


def _camel_case(value: Any) -> Any:
    """Return the parameters with names in camel case; Protocol Buffers' JSON also allows those of the .proto file."""
    if isinstance(value, list):
        return [_camel_case(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {_camel(name): one if name in _FREE else _camel_case(one) for name, one in value.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest) if first else name


def parse_task_id(value: Any, name: str = "id") -> TaskId:
    """Parse a task id of a request. Errors: `RpcError`."""
    if not isinstance(value, str) or not value:
        raise RpcError(INVALID_PARAMS, f"{name} must be the id of a task, a string")
    thread_id, _, run_id = value.partition(":")
    try:
        return TaskId(canonical_id(thread_id, "thread"), canonical_id(run_id, "run"))
    except Exception:
        raise build_task_not_found(value) from None


def derive_thread_id(context_id: str, owner: str | None) -> str:
    """Return the thread id of a context. A client may use any context name; a UUID is the thread id itself.

    The same name belongs to different contexts for different owners.
    """
    try:
        return str(UUID(context_id))
    except ValueError:
        return str(uuid5(_CONTEXTS, f"{owner or ''}\0{context_id}"))


def build_task_not_found(task_id: object) -> RpcError:
    """Build the error for an unknown task."""
    return RpcError(TASK_NOT_FOUND, f"Task {str(task_id)!r:.120} not found")


def read_text(params: Mapping[str, Any], name: str) -> str | None:
    """Return a text parameter; None if it is missing or empty. Errors: `RpcError`."""
    value = params.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise RpcError(INVALID_PARAMS, f"{name} must be a string")
    return value


def read_integer(params: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    """Return an integer parameter, or None. Errors: `RpcError`."""
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RpcError(INVALID_PARAMS, f"{name} must be a whole number from {low} to {high}")
    return value


def read_object(params: Mapping[str, Any], name: str) -> JsonObject:
    """Return an object parameter; empty if it is missing. Errors: `RpcError`."""
    value = params.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RpcError(INVALID_PARAMS, f"{name} must be an object")
    return value
