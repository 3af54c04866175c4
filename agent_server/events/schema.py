"""What clients send: which events they want, and how the answer to a command looks.

Source: `langchain_protocol` 0.0.20, and the official server at work (langgraph-api 0.16.7).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

MAX_SEQ = 2**53 - 1
Channel = Annotated[
    str,
    Meta(
        pattern="^(values|updates|checkpoints|messages|tools|custom|custom:.+|lifecycle|input|tasks)$",
        description="values, updates, checkpoints, messages, tools, custom, custom:<name>, lifecycle, input or tasks",
    ),
]
Namespace = Annotated[list[str], Meta(max_length=100)]
ErrorCode = Literal[
    "invalid_argument",
    "unknown_command",
    "no_such_run",
    "no_such_interrupt",
    "no_such_subscription",
    "permission_denied",
    "not_supported",
]


class EventStreamRequest(Struct):
    """Which events of a thread a client wants."""

    channels: Annotated[list[Channel], Meta(min_length=1, max_length=100)]
    namespaces: Annotated[list[Namespace], Meta(max_length=100)] | None = None
    """Only of subgraphs below these paths. A segment without `:` stands for all tasks of the node."""
    depth: Annotated[int, Meta(ge=0, le=1000)] | None = None
    """How far below."""
    since: Annotated[int, Meta(ge=0, le=MAX_SEQ)] | None = None
    """The number of the last event that was received; without it, all that is kept."""

    def wants(self, channel: str, namespace: Sequence[str]) -> bool:
        """Whether an event of this channel and namespace is asked for."""
        named = channel in self.channels or (channel.startswith("custom:") and "custom" in self.channels)
        return named and (not self.namespaces or any(self._reaches(prefix, namespace) for prefix in self.namespaces))

    def _reaches(self, prefix: Sequence[str], namespace: Sequence[str]) -> bool:
        if len(prefix) > len(namespace) or (self.depth is not None and len(namespace) - len(prefix) > self.depth):
            return False
        return all(
            asked in (segment, segment.partition(":")[0]) for asked, segment in zip(prefix, namespace, strict=False)
        )


class Meant(Struct):
    """How far the thread had come when the command was taken: what comes after is news to who sent it."""

    applied_through_seq: int


class CommandDone(Struct, tag_field="type", tag="success"):
    """The answer to a command that was carried out."""

    id: int
    result: dict[str, Any]
    meta: Meant


class CommandRefused(Struct, tag_field="type", tag="error", omit_defaults=True):
    """The answer to a command that was not."""

    id: int | None
    error: ErrorCode
    message: str
    detail: str = ""
    """The message again, where the answer's status is an error: as all errors of this server have it."""


class InputResponse(Struct):
    """An answer to one interrupt."""

    interrupt_id: str
    response: Any = None
    namespace: list[str] = []


class InputRespond(Struct):
    """The parameters of `input.respond`: one answer, or several at once."""

    interrupt_id: str | None = None
    response: Any = None
    namespace: list[str] = []
    responses: list[InputResponse] | None = None
    update: Any = None
    goto: Any = None
    config: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    feedback_keys: list[str] | None = None

    def answers(self) -> dict[str, Any]:
        """The answers by the ids of their interrupts."""
        if self.responses is not None:
            return {one.interrupt_id: one.response for one in self.responses}
        return {self.interrupt_id: self.response} if self.interrupt_id is not None else {}
