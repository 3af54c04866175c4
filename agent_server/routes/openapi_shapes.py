"""Additions to the OpenAPI document that the Python types do not express: shapes of passed-through JSON, and defaults.

The structs keep such JSON unchanged, so that newer clients may send more; the document describes its known members.
Source: `langgraph_sdk.schema` 0.4.14.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

ANY: Schema = {}
TEXT: Schema = {"type": "string"}
OBJECT: Schema = {"type": "object", "additionalProperties": {}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _allow_null(schema: Schema) -> Schema:
    return {"oneOf": [schema, {"type": "null"}]}


def _object(title: str, description: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "title": title,
        "description": description,
        "properties": properties,
        "additionalProperties": {},
    }


EXAMPLES: Mapping[str, Any] = {
    "RunCreate": {"assistant_id": "agent", "input": {"messages": [{"role": "user", "content": "Hello"}]}},
    "AssistantCreate": {"graph_id": "agent", "name": "My assistant"},
    "ItemPut": {"namespace": ["memories"], "key": "colour", "value": {"favourite": "blue"}},
    "FeedbackCreate": {"key": "user_score", "score": 1, "comment": "Made me laugh."},
}
"""Request bodies by schema, for viewers of the document."""

SUMMARIES: Mapping[str, str] = {
    "GetMcp": "Resume the events of an MCP call",
    "PostMcp": "Send an MCP message",
    "DeleteMcp": "End an MCP session",
    "PostA2A": "Send an A2A request",
    "RegisterWorkflowaiAgent": "Look up an agent",
    "RunWorkflowaiAgent": "Run an agent",
    "ReplyToWorkflowaiRun": "Reply to a run",
    "Get agui": "Get the AG-UI capabilities of an assistant",
    "Post agui": "Run an assistant for an AG-UI client",
    "Assistant card": "Get the A2A card of an assistant",
    "Root card": "Get the A2A card of the server",
    "ListOpenaiModels": "List models",
    "GetOpenaiModel": "Get a model",
    "Wait run": "Run and wait",
    "Wait stateless run": "Run and wait without a thread",
    "Get state at": "Get state at a checkpoint",
    "Post state at": "Get state at a checkpoint by its configuration",
    "Post a2a": "Send an A2A request",
    "Run feedback of": "Get a stateless run's feedback",
    "Run feedback on thread": "Get a run's feedback",
    "Thread command": "Send a command",
}
"""One-line summaries in place of those that Litestar derives from the names of handlers."""

SHAPES: Mapping[str, Schema] = {
    "ErrorDetail": {
        "type": "object",
        "title": "ErrorDetail",
        "description": "What was wrong, and what would be right.",
        "properties": {"detail": TEXT},
        "required": ["detail"],
    },
    "Command": _object(
        "Command",
        "What a run begins with in place of an input: responses to interrupts, an update of the state, the next nodes.",
        resume=ANY,
        update={"oneOf": [OBJECT, _list_of(ANY), {"type": "null"}]},
        goto={"oneOf": [TEXT, _ref("Send"), _list_of({"oneOf": [TEXT, _ref("Send")]}), {"type": "null"}]},
    ),
    "Send": {
        "type": "object",
        "title": "Send",
        "description": "A node, and the input that it is sent.",
        "properties": {"node": TEXT, "input": ANY},
        "required": ["node"],
    },
    "RunConfig": _object(
        "RunConfig",
        "The configuration of a graph's run.",
        tags=_list_of(TEXT),
        recursion_limit={"type": "integer", "minimum": 1},
        configurable=OBJECT,
    ),
    "CheckpointName": _object(
        "CheckpointName",
        "The name of a state of a thread, or of a subgraph in it; without an id, of the latest.",
        thread_id=TEXT,
        checkpoint_ns=TEXT,
        checkpoint_id=TEXT,
        checkpoint_map=_allow_null(OBJECT),
    ),
    "Interrupt": _object("Interrupt", "What an agent waits with, and the id to respond to it by.", id=TEXT, value=ANY),
    "ThreadTask": _object(
        "ThreadTask",
        "A node that runs next, or has failed or stopped to wait.",
        id=TEXT,
        name=TEXT,
        error=ANY,
        interrupts=_list_of(_ref("Interrupt")),
        checkpoint=_allow_null(_ref("CheckpointName")),
        state=ANY,
        result=ANY,
    ),
}
"""Component schemas beside those of the structs."""

CONFIG = _allow_null(_ref("RunConfig"))
FIELDS: Mapping[tuple[str, str], Schema] = {
    ("RunCreate", "command"): _allow_null(_ref("Command")),
    ("RunCreate", "config"): CONFIG,
    ("RunCreate", "checkpoint"): _allow_null(_ref("CheckpointName")),
    ("StateUpdate", "command"): _allow_null(_ref("Command")),
    ("ThreadStateUpdate", "command"): _allow_null(_ref("Command")),
    **{(name, "config"): CONFIG for name in ("AssistantCreate", "AssistantPatch", "CronCreate", "CronPatch")},
    ("Run", "metadata"): OBJECT,
    ("Run", "kwargs"): OBJECT,
    ("Thread", "metadata"): OBJECT,
    ("Thread", "config"): OBJECT,
    ("Thread", "interrupts"): {"type": "object", "additionalProperties": _list_of(_ref("Interrupt"))},
    ("ThreadState", "tasks"): _list_of(_ref("ThreadTask")),
    ("ThreadState", "interrupts"): _list_of(_ref("Interrupt")),
}
"""The shapes of fields, by struct and field."""

DEFAULTS: Mapping[tuple[str, str], Any] = {
    ("RunCreate", "stream_mode"): "values",
    ("RunCreate", "multitask_strategy"): "enqueue",
    ("RunCreate", "on_disconnect"): "continue",
    ("RunCreate", "on_completion"): "delete",
    ("RunCreate", "if_not_exists"): "reject",
    ("RunCreate", "durability"): "async",
    ("AssistantCreate", "if_exists"): "raise",
    ("ThreadCreate", "if_exists"): "raise",
    ("AssistantSearch", "sort_by"): "created_at",
    ("AssistantSearch", "sort_order"): "desc",
    ("ThreadSearch", "sort_by"): "created_at",
    ("ThreadSearch", "sort_order"): "desc",
    ("CronSearch", "sort_by"): "created_at",
    ("CronSearch", "sort_order"): "desc",
}
"""The meaning of an omitted field, if the struct has None for it."""
