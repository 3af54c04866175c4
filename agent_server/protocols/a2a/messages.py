"""The message of `SendMessage` and `SendStreamingMessage`, and its response options."""

from __future__ import annotations

from msgspec import Struct

from agent_server.protocols.a2a.parts import check_parts
from agent_server.protocols.a2a.push import PushConfig, push_config
from agent_server.protocols.a2a.requests import A2aRequest, read_integer, read_object, read_text
from agent_server.protocols.jsonrpc import INVALID_PARAMS, RpcError
from agent_server.schema import JsonObject

MOST_MESSAGES = 10_000


class SentMessage(Struct, rename="camel"):
    """A user's message and its response options."""

    message_id: str
    parts: list[JsonObject]
    context_id: str | None
    task_id: str | None
    history_length: int | None
    is_waited_for: bool
    push: PushConfig | None


def parse_message(request: A2aRequest) -> SentMessage:
    """Return the message in a request. Errors: `RpcError`, `Invalid`."""
    message, configuration = read_object(request.params, "message"), read_object(request.params, "configuration")
    if not message:
        raise RpcError(INVALID_PARAMS, "params.message must be a message, an object")
    if message.get("role") not in ("ROLE_USER", "user"):
        raise RpcError(INVALID_PARAMS, "message.role must be ROLE_USER")
    if (message_id := read_text(message, "messageId")) is None:
        raise RpcError(INVALID_PARAMS, "message.messageId must be a string, the client's own id of the message")
    context_id = read_text(message, "contextId")
    push = configuration.get("taskPushNotificationConfig")
    return SentMessage(
        message_id=message_id,
        parts=check_parts(message.get("parts")),
        context_id=context_id,
        task_id=read_text(message, "taskId"),
        history_length=read_integer(configuration, "historyLength", 0, MOST_MESSAGES),
        is_waited_for=configuration.get("returnImmediately") is not True,
        push=None if push is None else push_config(push, "taskPushNotificationConfig"),
    )
