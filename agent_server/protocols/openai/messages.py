"""OpenAI's messages and input items as the chat messages of a graph's input."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec

from agent_server.protocols.openai.content import convert_content
from agent_server.protocols.openai.errors import BadParameter
from agent_server.schema import JsonObject

_SYSTEM = UUID("5b0e7f0a-7f4e-4f55-9c0e-0a4d9d4f2a11")
"""The namespace of the ids of system messages: a thread keeps each of them once."""
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}


def chat_messages(given: list[JsonObject]) -> list[JsonObject]:
    """Return the messages of a chat completion. Errors: `BadParameter`."""
    return [_message(one, f"messages[{at}]") for at, one in enumerate(given)]


def input_messages(given: str | list[JsonObject] | None, instructions: str | None) -> list[JsonObject]:
    """Return the messages of a response's input, after its instructions. Errors: `BadParameter`."""
    messages = (
        []
        if instructions is None
        else [_build_chat_message("system", instructions, str(uuid5(_SYSTEM, "instructions")))]
    )
    if isinstance(given, str):
        return [*messages, _build_chat_message("user", given)]
    for at, item in enumerate(given or ()):
        for message in _item(item, f"input[{at}]"):
            if "tool_calls" in message and messages and "tool_calls" in messages[-1]:
                messages[-1]["tool_calls"] += message["tool_calls"]  # parallel calls are one message
            else:
                messages.append(message)
    return messages


def _message(one: JsonObject, where: str) -> JsonObject:
    role = one.get("role")
    if role not in _ROLES:
        raise BadParameter(f"{where}.role", f"role is {role!r}; it may be {', '.join(_ROLES)}")
    message = _build_chat_message(_ROLES[role], convert_content(one.get("content"), f"{where}.content"))
    if isinstance(one.get("name"), str):
        message["name"] = one["name"]
    if role == "tool":
        message["tool_call_id"] = _string(one, "tool_call_id", where)
    if role == "assistant" and (calls := one.get("tool_calls")):
        message["tool_calls"] = _tool_calls(calls, f"{where}.tool_calls")
    return message


def _build_chat_message(role: str, content: Any, message_id: str | None = None) -> JsonObject:
    own_id = str(uuid5(_SYSTEM, content)) if role == "system" and isinstance(content, str) else str(uuid4())
    return {"role": role, "content": content, "id": message_id or own_id}


def _tool_calls(calls: Any, where: str) -> list[JsonObject]:
    if not isinstance(calls, list):
        raise BadParameter(where, "tool_calls must be a list")
    return [_tool_call(call, f"{where}[{at}]") for at, call in enumerate(calls)]


def _tool_call(call: Any, where: str) -> JsonObject:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise BadParameter(where, "The tool call must have function, an object with name and arguments")
    return _call(_string(call, "id", where), function, f"{where}.function")


def _call(call_id: str, function: JsonObject, where: str) -> JsonObject:
    name, arguments = _string(function, "name", where), function.get("arguments") or "{}"
    return {"name": name, "args": _object(arguments, f"{where}.arguments"), "id": call_id, "type": "tool_call"}


def _object(text: Any, where: str) -> JsonObject:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, TypeError):
        raise BadParameter(where, "arguments must be a JSON object, as a string") from None


def _item(item: JsonObject, where: str) -> list[JsonObject]:
    """Return the message for an input item; nothing for items that only concern a model."""
    kind = item.get("type") or "message"
    if kind == "message":
        return [_message(item, where)]
    if kind == "function_call":
        call = _call(_string(item, "call_id", where), item, where)
        return [{**_build_chat_message("assistant", ""), "tool_calls": [call]}]
    if kind == "function_call_output":
        content = convert_content(item.get("output"), f"{where}.output")
        return [{**_build_chat_message("tool", content), "tool_call_id": _string(item, "call_id", where)}]
    if kind == "reasoning":
        return []
    raise BadParameter(
        f"{where}.type",
        f"The item has the type {kind!r}; it may be message, function_call, function_call_output, reasoning",
    )


def _string(given: JsonObject, name: str, where: str) -> str:
    if not isinstance(value := given.get(name), str) or not value:
        raise BadParameter(f"{where}.{name}", f"{name} must be a string")
    return value


def select_new_messages(messages: list[JsonObject]) -> list[JsonObject]:
    """Return what a conversation that the thread has so far lacks: what follows the agent's last message.

    System messages are kept: their ids make the thread replace those that it has.
    """
    last = max((at for at, one in enumerate(messages) if one["role"] == "assistant"), default=-1)
    return [one for at, one in enumerate(messages) if at > last or one["role"] == "system"]
