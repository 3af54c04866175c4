"""JSON schemas of tools, derived from graphs': short enough for a model, loose enough for graphs' results."""

from __future__ import annotations

from typing import Any

from agent_server.schema import JsonObject

_MESSAGES = (
    *("AIMessage", "HumanMessage", "ChatMessage", "SystemMessage", "FunctionMessage", "ToolMessage"),
    *("AIMessageChunk", "HumanMessageChunk", "ChatMessageChunk", "SystemMessageChunk"),
    *("FunctionMessageChunk", "ToolMessageChunk"),
)
_PARTS_OF_MESSAGES = (
    *("ToolCall", "ToolCallChunk", "InvalidToolCall", "UsageMetadata", "InputTokenDetails", "OutputTokenDetails"),
)
_REF = "#/$defs/"
_ANYTHING: JsonObject = {"type": "object"}


def input_schema(schema: JsonObject | None) -> JsonObject:
    """Return the schema of a tool's arguments; one text (the user's message) replaces a list of chat messages."""
    if not schema:
        return _ANYTHING
    fields = {name: _input_field(name, field) for name, field in _fields(schema).items()}
    return _tool_schema(schema, fields, set(message_fields(schema)))


def output_schema(schema: JsonObject | None) -> JsonObject | None:
    """Return the schema of a tool's result; None if the graph has none.

    Graphs' results are not validated, but clients reject a result that violates its schema. So no field is required,
    and each may deviate from its schema (`anyOf` with `{}`).
    """
    if not schema or schema.get("type") != "object":
        return None
    fields = {name: _output_field(field) for name, field in _fields(schema).items()}
    return {name: part for name, part in _tool_schema(schema, fields, set(message_fields(schema))).items()
            if name not in ("required", "additionalProperties")}  # fmt: skip


def message_fields(schema: JsonObject | None) -> list[str]:
    """Return the names of the fields with a list of chat messages."""
    return [name for name, field in _fields(schema or {}).items() if _holds_messages(field)]


def _fields(schema: JsonObject) -> JsonObject:
    fields = schema.get("properties")
    return fields if isinstance(fields, dict) else {}


def _holds_messages(field: Any) -> bool:
    if not isinstance(field, dict):
        return False
    if field.get("type") != "array":
        return any(_holds_messages(one) for one in field.get("anyOf") or ())
    items = field.get("items") or {}
    refs = [one.get("$ref", "") for one in (*(items.get("oneOf") or ()), *(items.get("anyOf") or ()), items)]
    return any(ref.removeprefix(_REF) in _MESSAGES for ref in refs)


def _input_field(name: str, field: Any) -> Any:
    if not _holds_messages(field):
        return field
    title = field.get("title", name)
    return {"type": "string", "title": title, "description": "The user message to send to the agent."}


def _output_field(field: Any) -> Any:
    shown = {name: field[name] for name in ("title", "description") if isinstance(field, dict) and name in field}
    described = {"type": "array", "items": {"type": "object"}} if _holds_messages(field) else field
    return {**shown, "anyOf": [described, {}]}


def _tool_schema(schema: JsonObject, fields: JsonObject, of_messages: set[str]) -> JsonObject:
    """Return the schema with these fields and only the definitions that they need."""
    made = {**schema, "type": "object", "properties": fields}
    if "$defs" in made and of_messages:
        unneeded = (*_MESSAGES, *_PARTS_OF_MESSAGES)
        made["$defs"] = {name: one for name, one in made["$defs"].items() if name not in unneeded}
    if not made.get("$defs"):
        made.pop("$defs", None)
    return made
