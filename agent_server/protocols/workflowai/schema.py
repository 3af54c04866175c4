"""WorkflowAI's request and response bodies.

Looked up in the Python SDK (`workflowai` 0.6.10) and the JavaScript SDK (`@workflowai/workflowai` 1.6.8). Their
responses leave fields out instead of sending null.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from agent_server.schema import JsonObject

Version = int | str | JsonObject
"""An assistant's version, an environment such as `production`, or properties such as a model and instructions."""


class AgentCreate(Struct):
    """The body that registers an agent: the SDK names the agent and the schemas of its input and output."""

    id: Annotated[str, Meta(min_length=1, max_length=1000)]
    input_schema: JsonObject = {}
    output_schema: JsonObject = {}


class RegisteredAgent(Struct):
    """An agent that this server has. Its schema number is always 1, because assistants have one input."""

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
    """The result of one tool call that the agent asked for."""

    id: str
    output: Any = None
    error: str | None = None


class ReplyRequest(RunBase):
    """The body that continues the conversation of a run: a message, or results of the tool calls it asked for."""

    user_message: str | None = None
    tool_results: Annotated[list[ToolResult], Meta(max_length=1000)] | None = None


class VersionUsed(Struct):
    """The assistant's version that ran, and the properties that the request asked for."""

    id: str
    properties: JsonObject


class ToolCallRequest(Struct):
    """A question of the agent (LangGraph's `interrupt`) as a tool call that the client answers with a reply."""

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
    """What went wrong: a code for programs, a message for people, and the HTTP status again."""

    code: str
    message: str
    status_code: int
    details: JsonObject | UnsetType = UNSET


class ErrorResponse(Struct, omit_defaults=True):
    """The only shape in which WorkflowAI's clients read an error. A failed run has its id, output and token, too."""

    error: Problem
    id: str | UnsetType = UNSET
    task_output: JsonObject | UnsetType = UNSET
    feedback_token: str | UnsetType = UNSET
