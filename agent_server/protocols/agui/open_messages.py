"""The messages, reasoning and tool calls that a stream has begun and not yet ended."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from agent_server.asgi.json_codec import encode
from agent_server.protocols.agui.messages import convert_to_agui_content, derive_reasoning_id, read_reasoning, read_text
from agent_server.schema import JsonObject

Event = JsonObject


class Chunk(Struct):
    """A chat message, or a piece of one, in a run's log."""

    type: str
    id: str | None = None
    content: Any = None
    additional_kwargs: JsonObject | None = None
    tool_call_chunks: list[JsonObject] | None = None
    tool_calls: list[JsonObject] | None = None
    tool_call_id: str | None = None
    chunk_position: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether no further piece of the message follows."""
        return self.chunk_position == "last" or not self.type.endswith("Chunk")


class _Open(Struct):
    """What of one message is open."""

    has_reasoning: bool = False
    has_text: bool = False
    calls: dict[Any, str] = {}
    """The ids of the open tool calls, by their index in the message."""


class OpenMessages:
    """Turns chat messages into events, so that everything which starts also ends."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._unanswered: dict[str, None] = {}

    @property
    def unanswered_calls(self) -> list[str]:
        """The ids of the tool calls without a result."""
        return list(self._unanswered)

    def convert(self, chunk: Chunk, message_id: str) -> list[Event]:
        """Return the events for a chunk; `message_id` replaces an id that it lacks."""
        message_id = chunk.id or message_id
        if chunk.type == "tool":
            return self._result(chunk, message_id)
        if chunk.type not in ("AIMessageChunk", "ai"):
            return []
        opened = self._open.setdefault(message_id, _Open())
        events = self._convert_reasoning(opened, message_id, chunk)
        if text := read_text(chunk.content):
            events += self._text(opened, message_id, text)
        for call in self._list_calls(chunk):
            events += self._call(opened, message_id, call)
        return [*events, *self._close(message_id)] if chunk.is_whole else events

    def close(self) -> list[Event]:
        """Return the events that end everything which is open."""
        return [event for message_id in list(self._open) for event in self._close(message_id)]

    def _convert_reasoning(self, opened: _Open, message_id: str, chunk: Chunk) -> list[Event]:
        text = read_reasoning({"content": chunk.content, "additional_kwargs": chunk.additional_kwargs})
        if not text:
            return []
        span = {"messageId": derive_reasoning_id(message_id)}
        events: list[Event] = []
        if not opened.has_reasoning:
            opened.has_reasoning = True
            events += [{"type": "REASONING_START", **span}]
            events += [{"type": "REASONING_MESSAGE_START", **span, "role": "reasoning"}]
        return [*events, {"type": "REASONING_MESSAGE_CONTENT", **span, "delta": text}]

    def _text(self, opened: _Open, message_id: str, text: str) -> list[Event]:
        events = _end_reasoning(opened, message_id) + _end_calls(opened)
        if not opened.has_text:
            opened.has_text = True
            events.append({"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant"})
        return [*events, {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": text}]

    def _list_calls(self, chunk: Chunk) -> list[JsonObject]:
        if chunk.type == "AIMessageChunk":
            return chunk.tool_call_chunks or []
        calls = enumerate(chunk.tool_calls or ())
        return [{**call, "index": at, "args": encode(call.get("args") or {}).decode()} for at, call in calls]

    def _call(self, opened: _Open, message_id: str, call: JsonObject) -> list[Event]:
        index, call_id = call.get("index"), call.get("id")
        events: list[Event] = []
        if call_id and opened.calls.get(index) != call_id:
            events += _end_reasoning(opened, message_id) + _end_text(opened, message_id) + _end_calls(opened)
            opened.calls = {index: str(call_id)}
            self._unanswered[str(call_id)] = None
            start = {"toolCallId": str(call_id), "toolCallName": str(call.get("name")), "parentMessageId": message_id}
            events.append({"type": "TOOL_CALL_START", **start})
        if call.get("args") and index in opened.calls:
            delta = str(call["args"])
            events.append({"type": "TOOL_CALL_ARGS", "toolCallId": opened.calls[index], "delta": delta})
        return events

    def _result(self, chunk: Chunk, message_id: str) -> list[Event]:
        call_id = str(chunk.tool_call_id or "")
        self._unanswered.pop(call_id, None)
        result = {"messageId": message_id, "toolCallId": call_id, "content": convert_to_agui_content(chunk.content)}
        return [*self.close(), {"type": "TOOL_CALL_RESULT", **result, "role": "tool"}]

    def _close(self, message_id: str) -> list[Event]:
        opened = self._open.pop(message_id, None)
        if opened is None:
            return []
        return _end_reasoning(opened, message_id) + _end_text(opened, message_id) + _end_calls(opened)


def _end_reasoning(opened: _Open, message_id: str) -> list[Event]:
    if not opened.has_reasoning:
        return []
    opened.has_reasoning = False
    span = {"messageId": derive_reasoning_id(message_id)}
    return [{"type": "REASONING_MESSAGE_END", **span}, {"type": "REASONING_END", **span}]


def _end_text(opened: _Open, message_id: str) -> list[Event]:
    if not opened.has_text:
        return []
    opened.has_text = False
    return [{"type": "TEXT_MESSAGE_END", "messageId": message_id}]


def _end_calls(opened: _Open) -> list[Event]:
    ended, opened.calls = list(opened.calls.values()), {}
    return [{"type": "TOOL_CALL_END", "toolCallId": call_id} for call_id in ended]
