"""Convert message chunks of the stream mode `messages` into content-block events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

JsonObject = dict[str, Any]
_TYPES = ("AIMessageChunk", "ai")


class MessageEvents:
    """Converts the messages of one run. A model's own events pass; chunks of text are wrapped into events."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, ...], dict[str, str]] = {}
        """By namespace, the ids of the messages in progress, by the model's run (or by themselves)."""
        self._texts: dict[str, str] = {}
        """The text so far of each message that arrives in chunks."""
        self._whole: set[str] = set()

    def convert(self, namespace: Sequence[str], message: Any, metadata: JsonObject) -> list[JsonObject]:
        """Return the events of one part of the stream."""
        if not isinstance(message, dict):
            return []
        if "event" in message:
            return [self._make_event(tuple(namespace), message, metadata)]
        if message.get("type") not in _TYPES or not isinstance(message.get("id"), str):
            return []
        events = self._convert_chunk(message)
        return [self._make_event(tuple(namespace), event, {**metadata, "run_id": message["id"]}) for event in events]

    def _make_event(self, namespace: tuple[str, ...], event: JsonObject, metadata: JsonObject) -> JsonObject:
        """Return the event; while several messages are in progress, with its message's id."""
        written = self._open.setdefault(namespace, {})
        key = str(metadata.get("run_id", ""))
        if event["event"] == "message-start":
            written[key] = str(event.get("id") or event.get("message_id") or key)
            return _add_node(event, metadata)
        if len(written) > 1 and key in written:
            event = {**event, "id": written[key]}
        if event["event"] in ("message-finish", "error"):
            written.pop(key, None)
        return event

    def _convert_chunk(self, message: JsonObject) -> list[JsonObject]:
        """Return the events of a chunk, or of the message that its chunks form.

        A message that no model streamed has no events: as on the official server, only the values contain it. Events
        carry only a message's text; the values contain the rest.
        """
        message_id, text = message["id"], message.get("content")
        is_chunk = message["type"] == "AIMessageChunk"
        if not isinstance(text, str) or message_id in self._whole or not (is_chunk or message_id in self._texts):
            return []
        events = []
        if message_id not in self._texts:
            self._texts[message_id] = ""
            events = [
                {"event": "message-start", "role": "ai", "id": message_id},
                {"event": "content-block-start", "index": 0, "content": {"type": "text", "text": ""}},
            ]
        if not is_chunk:
            text = text.removeprefix(self._texts[message_id])
        if text:
            self._texts[message_id] += text
            events.append({"event": "content-block-delta", "index": 0, "delta": {"type": "text-delta", "text": text}})
        is_last = not is_chunk or message.get("chunk_position") == "last"
        return [*events, *self._end(message_id)] if is_last else events

    def _end(self, message_id: str) -> list[JsonObject]:
        self._whole.add(message_id)
        whole = {"type": "text", "text": self._texts.pop(message_id)}
        return [{"event": "content-block-finish", "index": 0, "content": whole}, {"event": "message-finish"}]


def _add_node(event: JsonObject, metadata: JsonObject) -> JsonObject:
    """Return the start of a message with its node, which the Python client displays."""
    node = metadata.get("langgraph_node")
    return {**event, "metadata": {**(event.get("metadata") or {}), "langgraph_node": node}} if node else event
