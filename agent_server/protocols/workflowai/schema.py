"""WorkflowAI's request and response bodies.

Sources: the Python SDK (`workflowai` 0.6.10) and the JavaScript SDK (`@workflowai/workflowai` 1.6.8). Responses omit
fields instead of sending null.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from agent_server.schema import JsonObject

Version = int | str | JsonObject
"""A version number, an environment such as `production`, or properties such as a model and instructions."""


class AgentCreate(Struct):
    """The body that registers an agent: the SDK names the agent and the schemas of its input and output."""

    id: Annotated[str, Meta(min_length=1, max_length=1000)]
    input_schema: JsonObject = {}
    output_schema: JsonObject = {}


class RegisteredAgent(Struct):
    """An agent of this server. Its schema number is always 1, because assistants have one input."""

    id: str
    schema_id: int
    uid: int
    tenant_uid: int


class RunBase(Struct):
    """The options that every request shares. `use_cache` and `use_fallback` have no effect: nothing is cached here."""

    version: Version = "production"
    stream: bool | None = None
    use_cache: Literal["auto", "always", "never", "when_available", "only"] | None = None
    use_fallback: Literal["auto", "never"] | list[str] | None = None
    metadata: JsonObject | None = None
    labels: list[str] | None = None


class RunRequest(RunBase, kw_only=True):
    """The body that runs an agent."""

    task_input: JsonObject
    id: str | None = None
    conversation_id: Annotated[str, Meta(min_length=1, max_length=1000)] | None = None
    private_fields: list[str] | None = None


class ToolResult(Struct):
    """The result of one tool call of the agent."""

    id: str
    output: Any = None
    error: str | None = None


class ReplyRequest(RunBase):
    """The body that continues the conversation of a run: a message, or results of its tool calls."""

    user_message: str | None = None
    tool_results: Annotated[list[ToolResult], Meta(max_length=1000)] | None = None


class VersionUsed(Struct):
    """The version of the assistant that ran, and the requested properties."""

    id: str
    properties: JsonObject


class ToolCallRequest(Struct):
    """A question of the agent (LangGraph's `interrupt`) as a tool call; the client sends its result in a reply."""

    id: str
    name: str
    input: JsonObject


class RunResponse(Struct, omit_defaults=True):
    """A finished run."""

    id: str
    task_output: JsonObject
    version: VersionUsed
    duration_seconds: float
    conversation_id: str
    metadata: JsonObject
    feedback_token: str | UnsetType = UNSET
    tool_call_requests: list[ToolCallRequest] | UnsetType = UNSET


class RunChunk(Struct):
    """One event of a stream: the whole output so far."""

    id: str
    task_output: JsonObject


class Problem(Struct, omit_defaults=True):
    """An error: a code for programs, a message for people, and the HTTP status again."""

    code: str
    message: str
    status_code: int
    details: JsonObject | UnsetType = UNSET


class ErrorResponse(Struct, omit_defaults=True):
    """WorkflowAI's error body. A failed run also has its id, output and token."""

    error: Problem
    id: str | UnsetType = UNSET
    task_output: JsonObject | UnsetType = UNSET
    feedback_token: str | UnsetType = UNSET
