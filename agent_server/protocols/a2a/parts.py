"""Conversion between A2A message parts and graphs' chat messages: text, files by content or URL, data."""

from __future__ import annotations

from typing import Any

from agent_server.asgi.json_codec import encode
from agent_server.errors import Invalid
from agent_server.schema import JsonObject

_CONTENT = ("text", "raw", "url", "data")
_MEDIA = ("image", "audio", "video")
_USERS, _AGENTS = ("human", "user"), ("ai", "assistant", "agent")


def check_parts(parts: Any) -> list[JsonObject]:
    """Return the validated parts of a message. Errors: `Invalid`."""
    if not isinstance(parts, list) or not parts:
        raise Invalid("The message must have parts, a list of at least one")
    for part in parts:
        if not isinstance(part, dict) or sum(name in part for name in _CONTENT) != 1:
            raise Invalid("Each part of the message must have exactly one of text, raw, url and data")
        if "data" not in part and not isinstance(next(part[name] for name in _CONTENT if name in part), str):
            raise Invalid("The text, raw or url of a part must be a string")
    return parts


def run_input(parts: list[JsonObject], message_id: str) -> JsonObject:
    """Return a run's input for a user's parts: chat messages for texts and files, and fields for data.

    Errors: `Invalid` if data is not an object.
    """
    given: JsonObject = {}
    spoken = [part for part in parts if "data" not in part]
    if spoken:
        given["messages"] = [{"role": "user", "content": _content(spoken), "id": message_id}]
    for part in parts:
        if "data" in part:
            if not isinstance(part["data"], dict):
                raise Invalid("The data of a part must be an object: its members are fields of the agent's input")
            given |= part["data"]
    return given


def resume_value(parts: list[JsonObject]) -> Any:
    """Return the user's reply to a waiting agent: the `resume` of data, other data, or the text."""
    for part in parts:
        if isinstance(part.get("data"), dict) and "resume" in part["data"]:
            return part["data"]["resume"]
    data = [part["data"] for part in parts if "data" in part]
    return data[0] if data else "\n".join(part["text"] for part in parts if "text" in part)


def _content(parts: list[JsonObject]) -> Any:
    if all("text" in part for part in parts):
        return "\n".join(part["text"] for part in parts)
    return [_block(part) for part in parts]


def _block(part: JsonObject) -> JsonObject:
    """Return a part as LangChain's content block. This server passes on URLs and never fetches them."""
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    media_type = part.get("mediaType") or ""
    kind = media_type.split("/")[0].lower()
    block = {"type": kind if kind in _MEDIA else "file"}
    block |= {"base64": part["raw"]} if "raw" in part else {"url": part["url"]}
    if media_type:
        block["mime_type"] = media_type
    if part.get("filename"):
        block["extras"] = {"filename": part["filename"]}
    return block


def convert_role(message: Any) -> str | None:
    """Return the A2A role of a chat message; None if it is neither the user's nor the agent's."""
    kind = str(message.get("type") or message.get("role")).removesuffix("MessageChunk").lower() if isinstance(
        message, dict
    ) else ""  # fmt: skip
    if kind in _USERS:
        return "ROLE_USER"
    return "ROLE_AGENT" if kind in _AGENTS else None


def convert_to_parts(content: Any) -> list[JsonObject]:
    """Return the content of a chat message as parts."""
    if isinstance(content, str):
        return [{"text": content}] if content else []
    if not isinstance(content, list):
        return []
    parts: list[JsonObject] = []
    for block in content:
        part = _part(block)
        if part is None:
            continue
        if "text" in part and parts and "text" in parts[-1]:
            parts[-1] = {"text": parts[-1]["text"] + part["text"]}
        else:
            parts.append(part)
    return parts


def _part(block: Any) -> JsonObject | None:
    if isinstance(block, str):
        return {"text": block}
    if not isinstance(block, dict):
        return None
    if block.get("type") == "text" and isinstance(block.get("text"), str):
        return {"text": block["text"]}
    if block.get("type") not in (*_MEDIA, "file"):
        return None
    part: JsonObject = {}
    if isinstance(block.get("base64"), str):
        part["raw"] = block["base64"]
    elif isinstance(block.get("url"), str):
        part["url"] = block["url"]
    else:
        return None
    if isinstance(block.get("mime_type"), str):
        part["mediaType"] = block["mime_type"]
    extras = block.get("extras")
    if isinstance(extras, dict) and isinstance(extras.get("filename"), str):
        part["filename"] = extras["filename"]
    return part


def response_parts(values: Any) -> list[JsonObject]:
    """Return the agent's answer from its final values: its last message, or else all values as data."""
    messages = values.get("messages") if isinstance(values, dict) else None
    if isinstance(messages, list):
        for message in reversed(messages):
            role = convert_role(message)
            if role == "ROLE_USER":
                break
            if role == "ROLE_AGENT" and (parts := convert_to_parts(message.get("content"))):
                return parts
    if isinstance(values, dict):
        return [{"data": values}]
    return [{"text": values if isinstance(values, str) else encode(values).decode()}]
