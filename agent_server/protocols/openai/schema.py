"""OpenAI's request and response bodies, as far as this server reads and writes them.

Sources: the Python package `openai` 3.57.0 and https://platform.openai.com/docs/api-reference. Fields that only
configure a model (`temperature`, `max_tokens`, …) have no effect, since the agent configures its model itself.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from agent_server.schema import FeedbackKeys, JsonObject

Name = Annotated[str, Meta(min_length=1, max_length=1000)]


class StreamOptions(Struct):
    """Options of a chat completion's stream."""

    include_usage: bool | None = None


class AgentRequest(Struct, kw_only=True):
    """The fields that chat completions and responses share; the last four extend OpenAI's API."""

    model: Name
    stream: bool | None = None
    store: bool | None = None
    metadata: JsonObject | None = None
    user: str | None = None
    safety_identifier: str | None = None
    tools: Annotated[list[JsonObject], Meta(max_length=1000)] | None = None
    tool_choice: Any = None
    feedback_keys: FeedbackKeys | None = None
    """The feedback keys to mint URLs for; without them, those of the assistant."""
    thread_id: Name | None = None
    """The thread to run on: its id, or any name."""
    context: JsonObject | None = None
    """The context of the run."""
    resume: Any | UnsetType = UNSET
    """The response to what the agent has asked, as any JSON."""


class ChatRequest(AgentRequest, kw_only=True):
    """The body of `POST /v1/chat/completions`."""

    messages: Annotated[list[JsonObject], Meta(max_length=10_000)]
    stream_options: StreamOptions | None = None
    n: int | None = None
    logprobs: bool | None = None
    modalities: list[str] | None = None
    response_format: JsonObject | None = None
    functions: list[JsonObject] | None = None


class ResponseRequest(AgentRequest, kw_only=True):
    """The body of `POST /v1/responses`."""

    input: str | list[JsonObject] | None = None
    instructions: str | None = None
    previous_response_id: Name | None = None
    conversation: Name | JsonObject | None = None
    background: bool | None = None
    text: JsonObject | None = None
    prompt: JsonObject | None = None


class ErrorBody(Struct):
    """An error: a message for people, and its cause for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorResponse(Struct):
    """The body of every error."""

    error: ErrorBody


class Model(Struct):
    """An assistant as a model. The last four fields extend OpenAI's API."""

    id: str
    object: str
    created: int
    owned_by: str
    name: str
    description: str | None
    assistant_id: str
    graph_id: str


class ModelList(Struct):
    """The response of `GET /v1/models`."""

    object: str
    data: list[Model]
