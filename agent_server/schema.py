"""The API's structs, with the official SDK's own names, and their JSON conversion.

JSON that is only passed on stays `msgspec.Raw` until it is needed.
Source: `langgraph_sdk.schema` 0.4.14 and the OpenAPI document of the official server (0.16.7).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Raw, Struct

from agent_server.errors import Invalid

StreamMode = Literal[
    "values",
    "messages",
    "messages-tuple",
    "updates",
    "events",
    "tasks",
    "checkpoints",
    "debug",
    "custom",
    "tools",
    "lifecycle",
]
"""The SDK's modes. `lifecycle` is accepted without effect: LangGraph itself streams no such events."""
RunStatus = Literal["pending", "running", "success", "error", "timeout", "interrupted"]
ThreadStatus = Literal["idle", "busy", "interrupted", "error"]
MultitaskStrategy = Literal["reject", "enqueue", "interrupt", "rollback"]
Durability = Literal["sync", "async", "exit"]
CancelAction = Literal["interrupt", "rollback"]
JsonObject = dict[str, Any]

NULL = Raw(b"null")
EMPTY = Raw(b"{}")

Limit = Annotated[int, Meta(ge=1, le=1000)]
Offset = Annotated[int, Meta(ge=0, le=2**31 - 1)]

RunField = Literal[
    "run_id",
    "thread_id",
    "assistant_id",
    "created_at",
    "updated_at",
    "status",
    "metadata",
    "kwargs",
    "multitask_strategy",
]

WebhookUrl = Annotated[str, Meta(min_length=1, max_length=65536)]
FeedbackKey = Annotated[str, Meta(min_length=1, max_length=180)]
FeedbackKeys = Annotated[list[FeedbackKey], Meta(max_length=100)]


class RunCreate(Struct):
    """The body of every request that starts a run.

    Omitted fields have their defaults; unknown properties are ignored, as by the official server.
    """

    assistant_id: str
    input: Any = None
    command: JsonObject | None = None
    config: JsonObject | None = None
    context: JsonObject | None = None
    metadata: JsonObject | None = None
    stream_mode: StreamMode | list[StreamMode] | None = None
    stream_subgraphs: bool = False
    stream_resumable: bool = False
    feedback_keys: FeedbackKeys | None = None
    interrupt_before: Literal["*"] | list[str] | None = None
    interrupt_after: Literal["*"] | list[str] | None = None
    multitask_strategy: MultitaskStrategy | None = None
    on_disconnect: Literal["cancel", "continue"] | None = None
    on_completion: Literal["delete", "keep"] | None = None
    if_not_exists: Literal["create", "reject"] | None = None
    after_seconds: Annotated[float, Meta(ge=0, le=366 * 86400)] | None = None
    checkpoint: JsonObject | None = None
    checkpoint_id: str | None = None
    durability: Durability | None = None
    checkpoint_during: bool | None = None
    webhook: WebhookUrl | None = None
    thread_id: str | None = None
    """The thread, for requests whose path names none (Agent Protocol)."""
    agent_id: str | None = None
    """The Agent Protocol's name of `assistant_id`; responses to requests with it have the protocol's shape."""


class EventRunCreate(RunCreate):
    """A run streamed by the protocol of version 2: its log has the protocol's events."""


EVENT_MODES: tuple[StreamMode, ...] = (
    "values",
    "updates",
    "messages-tuple",
    "tools",
    "custom",
    "tasks",
    "checkpoints",
    "lifecycle",
)
"""The stream modes of such a run: all for which the protocol has channels."""


class RunsCancel(Struct):
    """The body of `POST /runs/cancel`: runs of one thread, or all with a status."""

    status: Literal["pending", "running", "all"] | None = None
    thread_id: str | None = None
    run_ids: Annotated[list[str], Meta(max_length=1000)] | None = None


class RunKwargs(Struct):
    """The options of a run, as stored in its row and shown in the SDK's `Run["kwargs"]`."""

    input: Raw
    command: JsonObject | None
    config: JsonObject
    context: JsonObject | None
    stream_mode: list[StreamMode]
    interrupt_before: Literal["*"] | list[str] | None
    interrupt_after: Literal["*"] | list[str] | None
    feedback_keys: list[str] | None
    temporary: bool
    subgraphs: bool
    resumable: bool
    checkpoint: JsonObject | None
    durability: Durability
    webhook: str | None = None
    event_streaming: bool = False
    """Whether the run's log has the events of the protocol of version 2, instead of stream parts."""


class Run(Struct):
    """One execution of an assistant, as the SDK shows it."""

    run_id: str
    thread_id: str
    assistant_id: str
    created_at: str
    updated_at: str
    status: RunStatus
    metadata: Raw
    kwargs: Raw
    multitask_strategy: MultitaskStrategy


class StateUpdate(Struct):
    """One change of a thread's state, as if by a node."""

    values: JsonObject | list[Any] | None = None
    command: JsonObject | None = None
    """The SDK's `Command`, in place of values."""
    as_node: str | None = None
    """The node; without it, LangGraph infers it from the thread's history."""


class StreamPart(Struct, frozen=True, gc=False):
    """One event of a run: its name in the API, and its data, anything that `encode` takes."""

    event: str
    data: Any


def canonical_id(text: str, noun: str) -> str:
    """Return the UUID that `text` spells, in lower case with hyphens. Errors: `Invalid` if it is none."""
    try:
        return str(UUID(text))
    except ValueError:
        raise Invalid(f"Invalid {noun} ID: must be a UUID, such as 0199f5a0-5d1c-7cc1-8d1c-2f3a4b5c6d7e") from None


def timestamp(micros: int) -> str:
    """Return microseconds since 1970 in the SDK's format: `2026-11-22T01:16:09.109934+00:00`."""
    return (
        datetime.fromtimestamp(micros // 1_000_000, UTC)
        .replace(microsecond=micros % 1_000_000)
        .isoformat(timespec="microseconds")
    )
