"""Conversion between AG-UI's messages and graphs' chat messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from agent_server.asgi.json_codec import encode
from agent_server.protocols.agui.schema import (
    AnyMessage,
    AssistantMessage,
    BinaryPart,
    DeveloperMessage,
    DocumentPart,
    Part,
    SystemMessage,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from agent_server.schema import JsonObject

_MEDIA = {"image": "image", "audio": "audio", "video": "video", "file": "document"}
"""AG-UI's part for each content block of LangChain."""
_SOURCES = {"data": "base64", "url": "url", "file": "file_id"}


def chat_messages(messages: Iterable[AnyMessage]) -> list[JsonObject]:
    """Return the messages for a graph, without those that only the client shows."""
    return [shown for message in messages if (shown := _chat_message(message)) is not None]


def _chat_message(message: AnyMessage) -> JsonObject | None:
    if isinstance(message, DeveloperMessage | SystemMessage):
        return {"role": "system", "id": message.id, "content": message.content}
    if isinstance(message, UserMessage):
        return {"role": "user", "id": message.id, "content": _chat_content(message.content)}
    if isinstance(message, AssistantMessage):
        calls = [_chat_call(call) for call in message.tool_calls or ()]
        return {"role": "assistant", "id": message.id, "content": message.content or "", "tool_calls": calls}
    if isinstance(message, ToolMessage):
        return {
            "role": "tool",
            "id": message.id,
            "content": _chat_content(message.content),
            "tool_call_id": message.tool_call_id,
            "status": "error" if message.error else "success",
        }
    return None


def _chat_call(call: ToolCall) -> JsonObject:
    return {"id": call.id, "name": call.function.name, "args": _arguments(call.function.arguments), "type": "tool_call"}


def _arguments(text: str) -> JsonObject:
    """Return the arguments as an object; a model may have written text that is none."""
    try:
        given = msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        given = text
    return given if isinstance(given, dict) else {"input": given}


def _chat_content(content: str | list[Part]) -> Any:
    return content if isinstance(content, str) else [_block(part) for part in content]


def _block(part: Part) -> JsonObject:
    """Return a part as LangChain's content block. This server passes on URLs and never fetches them."""
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, BinaryPart):
        kind = part.mime_type.split("/")[0].lower()
        block: JsonObject = {"type": kind if kind in _MEDIA else "file", "mime_type": part.mime_type}
        return block | ({"url": part.url} if part.url else {"base64": part.data or ""})
    kind = "file" if isinstance(part, DocumentPart) else str(part.__struct_config__.tag)
    block = {"type": kind, _SOURCES[part.source.type]: part.source.value}
    return block | ({"mime_type": part.source.mime_type} if part.source.mime_type else {})


def convert_to_agui_messages(messages: Any) -> list[JsonObject] | None:
    """Return a graph's chat messages as AG-UI's; None if these are not a list of messages."""
    if not isinstance(messages, list):
        return None
    return [
        shown
        for at, message in enumerate(messages)
        if isinstance(message, dict)
        for shown in _convert_to_agui_message(message, at)
    ]


def _convert_to_agui_message(message: JsonObject, at: int) -> Iterator[JsonObject]:
    kind = str(message.get("type") or message.get("role")).removesuffix("MessageChunk").lower()
    message_id = str(message.get("id") or f"message-{at}")
    content = message.get("content")
    if kind in ("human", "user"):
        yield {"id": message_id, "role": "user", "content": convert_to_agui_content(content)}
    elif kind in ("ai", "assistant", "generic"):
        if reasoning := read_reasoning(message):
            yield {"id": derive_reasoning_id(message_id), "role": "reasoning", "content": reasoning}
        calls = [_convert_to_agui_call(call) for call in message.get("tool_calls") or ()]
        shown: JsonObject = {"id": message_id, "role": "assistant", "content": read_text(content)}
        yield shown | ({"toolCalls": calls} if calls else {})
    elif kind == "system":
        yield {"id": message_id, "role": "system", "content": read_text(content)}
    elif kind == "tool":
        call_id = str(message.get("tool_call_id") or "")
        shown = {"id": message_id, "role": "tool", "content": convert_to_agui_content(content), "toolCallId": call_id}
        yield shown | ({"error": read_text(content) or "error"} if message.get("status") == "error" else {})


def _convert_to_agui_call(call: JsonObject) -> JsonObject:
    arguments = encode(call.get("args") or {}).decode()
    function = {"name": str(call.get("name")), "arguments": arguments}
    return {"id": str(call.get("id")), "type": "function", "function": function}


def convert_to_agui_content(content: Any) -> str | list[JsonObject]:
    """Return the content of a user's or a tool's message: a text, or parts if it has media."""
    if isinstance(content, list) and any(isinstance(one, dict) and one.get("type") in _MEDIA for one in content):
        return [part for block in content if (part := _convert_to_agui_part(block)) is not None]
    return read_text(content)


def _convert_to_agui_part(block: Any) -> JsonObject | None:
    if isinstance(block, str):
        return {"type": "text", "text": block}
    if not isinstance(block, dict):
        return None
    if isinstance(block.get("text"), str):
        return {"type": "text", "text": block["text"]}
    source = next((kind for kind, name in _SOURCES.items() if isinstance(block.get(name), str)), None)
    if block.get("type") not in _MEDIA or source is None:
        return None
    mime_type = block.get("mime_type") or ("application/octet-stream" if source == "data" else None)
    shown = {"type": source, "value": block[_SOURCES[source]], **({"mimeType": mime_type} if mime_type else {})}
    return {"type": _MEDIA[block["type"]], "source": shown}


def read_text(content: Any) -> str:
    """Return the text in the content of a chat message."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else encode(content).decode()
    return "".join(one if isinstance(one, str) else _block_text(one, "text") for one in content)


def read_reasoning(message: JsonObject) -> str:
    """Return the reasoning in a message of the agent, in the shapes that LangChain's models write."""
    content = message.get("content")
    blocks = content if isinstance(content, list) else ()
    if text := "".join(_read_block_reasoning(block) for block in blocks if isinstance(block, dict)):
        return text
    extra = message.get("additional_kwargs")
    reasoning = extra.get("reasoning_content") if isinstance(extra, dict) else None
    return reasoning if isinstance(reasoning, str) else ""


def _read_block_reasoning(block: JsonObject) -> str:
    if block.get("type") == "thinking":
        return _block_text(block, "thinking")
    if block.get("type") != "reasoning":
        return ""
    summary = block.get("summary")
    if isinstance(summary, list):
        return "\n".join(str(one.get("text") or "") for one in summary if isinstance(one, dict))
    return str(block.get("reasoning") or block.get("text") or "")


def _block_text(block: Any, kind: str) -> str:
    is_it = isinstance(block, dict) and block.get("type") == kind
    return str(block.get(kind) or "") if is_it else ""


def derive_reasoning_id(message_id: str) -> str:
    """Return the id of the reasoning message that precedes a message of the agent."""
    return f"{message_id}-reasoning"
