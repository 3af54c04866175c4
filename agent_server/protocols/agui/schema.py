"""Wire types of AG-UI's `RunAgentInput`.

Source: https://ag-ui.com/spec/1.0/schema.json, as in npm `@ag-ui/core` 1.0.0. Unknown fields are ignored; where clients
before version 1.0 send null for an absent field, null is accepted.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from agent_server.errors import Invalid
from agent_server.schema import FeedbackKeys, JsonObject, MultitaskStrategy

PROTOCOL_VERSION = "1.0"
_IDS = UUID("6f6f3b1a-0f0d-4c4a-9d61-6a1f7f0f5a5e")


class Source(Struct, rename="camel"):
    """The source of a media part: inline bytes, a URL, or a provider's handle."""

    type: Literal["data", "url", "file"]
    value: str
    mime_type: str | None = None


class TextPart(Struct, tag="text"):
    """A text in a message."""

    text: str


class _Media(Struct):
    source: Source


class ImagePart(_Media, tag="image"):
    """An image in a message."""


class AudioPart(_Media, tag="audio"):
    """A recording in a message."""


class VideoPart(_Media, tag="video"):
    """A video in a message."""


class DocumentPart(_Media, tag="document"):
    """A document in a message."""


class BinaryPart(Struct, tag="binary", rename="camel"):
    """Any media, as clients before version 1.0 send them."""

    mime_type: str
    url: str | None = None
    data: str | None = None
    filename: str | None = None


Part = TextPart | ImagePart | AudioPart | VideoPart | DocumentPart | BinaryPart


class Function(Struct):
    """The name and the arguments of a tool call; the arguments are JSON text."""

    name: str
    arguments: str


class ToolCall(Struct):
    """A tool call of the agent."""

    id: str
    function: Function


class Message(Struct, tag_field="role"):
    """A message of the conversation."""

    id: str


class DeveloperMessage(Message, tag="developer"):
    """Instructions of the application's developer."""

    content: str


class SystemMessage(Message, tag="system"):
    """Instructions of the system."""

    content: str


class UserMessage(Message, tag="user"):
    """A message of the user."""

    content: str | list[Part]


class AssistantMessage(Message, tag="assistant", rename="camel"):
    """A message of the agent."""

    content: str | None = None
    tool_calls: list[ToolCall] | None = None


class ToolMessage(Message, tag="tool", rename="camel"):
    """The result of a tool call."""

    content: str | list[Part]
    tool_call_id: str
    error: str | None = None


class ActivityMessage(Message, tag="activity"):
    """Progress that the client shows; agents do not get it."""


class ReasoningMessage(Message, tag="reasoning"):
    """Reasoning that the client shows; agents keep their own."""


AnyMessage = (
    DeveloperMessage | SystemMessage | UserMessage | AssistantMessage | ToolMessage | ActivityMessage | ReasoningMessage
)


class Tool(Struct):
    """A tool that runs in the client."""

    name: str
    description: str = ""
    parameters: Any = None


class Context(Struct):
    """A piece of information for the agent, outside the conversation."""

    description: str
    value: str


class ResumeEntry(Struct, rename="camel"):
    """The user's response to an interrupt."""

    interrupt_id: str
    status: Literal["resolved", "cancelled"]
    payload: Any = None


class ForwardedProps(Struct, rename="camel"):
    """The options of a run in `forwardedProps`, in the names of the JavaScript SDK of LangGraph."""

    feedback_keys: FeedbackKeys | None = None
    config: JsonObject | None = None
    context: JsonObject | None = None
    metadata: JsonObject | None = None
    command: JsonObject | None = None
    interrupt_before: Literal["*"] | list[str] | None = None
    interrupt_after: Literal["*"] | list[str] | None = None
    multitask_strategy: MultitaskStrategy | None = None
    stream_subgraphs: bool | None = None
    on_disconnect: Literal["cancel", "continue"] | None = None
    webhook: str | None = None


class RunAgentInput(Struct, rename="camel"):
    """The body of `POST /agui/{assistant_id}`."""

    thread_id: str
    run_id: str
    messages: list[AnyMessage]
    protocol_version: str | None = None
    state: Any = None
    tools: list[Tool] | None = None
    context: list[Context] | None = None
    forwarded_props: Any = None
    resume: list[ResumeEntry] | None = None

    @property
    def options(self) -> ForwardedProps:
        """Return the options of the run. Errors: `Invalid`."""
        given = self.forwarded_props
        try:
            return msgspec.convert(given if isinstance(given, dict) else {}, ForwardedProps)
        except msgspec.ValidationError as error:
            raise Invalid(f"forwardedProps: {error}") from None


def run_agent_input(body: Any) -> RunAgentInput:
    """Return the input in a request's body. Errors: `Invalid`."""
    try:
        given = msgspec.convert(body, RunAgentInput)
    except msgspec.ValidationError as error:
        raise Invalid(f"The body must be a RunAgentInput of AG-UI: {error}") from None
    for name, value in (("threadId", given.thread_id), ("runId", given.run_id)):
        if not value:
            raise Invalid(f"{name} must not be empty; send a UUID, or any other text")
    return given


class RunIds(Struct, frozen=True):
    """The ids of a run and its thread: the client's, and this server's."""

    shown_thread_id: str
    shown_run_id: str
    thread_id: str
    run_id: str


def run_ids(given: RunAgentInput, owner: str | None) -> RunIds:
    """Return the ids of the input's run. A UUID stays as it is; other texts stand for UUIDs of their own.

    The same text stands for different threads for different owners, and for different runs on different threads.
    """
    thread_id = _derive_id(given.thread_id, owner or "")
    return RunIds(given.thread_id, given.run_id, thread_id, _derive_id(given.run_id, thread_id))


def _derive_id(text: str, scope: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return str(uuid5(_IDS, f"{scope}\0{text}"))
