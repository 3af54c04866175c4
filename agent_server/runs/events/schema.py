"""Wire types of event streaming: subscriptions, commands and their responses.

Source: `langchain_protocol` 0.0.20, and the behaviour of the official server (langgraph-api 0.16.7).
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
    """A client's subscription to events of a thread."""

    channels: Annotated[list[Channel], Meta(min_length=1, max_length=100)]
    namespaces: Annotated[list[Namespace], Meta(max_length=100)] | None = None
    """Only events of subgraphs below these paths. A segment without `:` matches all tasks of the node."""
    depth: Annotated[int, Meta(ge=0, le=1000)] | None = None
    """The greatest depth below these paths."""
    since: Annotated[int, Meta(ge=0, le=MAX_SEQ)] | None = None
    """The number of the last event that the client received; without it, all stored events are sent."""

    def wants(self, channel: str, namespace: Sequence[str]) -> bool:
        """Return whether the subscription includes events of this channel and namespace."""
        named = channel in self.channels or (channel.startswith("custom:") and "custom" in self.channels)
        return named and (not self.namespaces or any(self._reaches(prefix, namespace) for prefix in self.namespaces))

    def _reaches(self, prefix: Sequence[str], namespace: Sequence[str]) -> bool:
        if len(prefix) > len(namespace) or (self.depth is not None and len(namespace) - len(prefix) > self.depth):
            return False
        return all(
            requested in (segment, segment.partition(":")[0])
            for requested, segment in zip(prefix, namespace, strict=False)
        )


class Meant(Struct):
    """The thread's position when the command was accepted: later events are new to its sender."""

    applied_through_seq: int


class CommandDone(Struct, tag_field="type", tag="success"):
    """The response to a command that succeeded."""

    id: int
    result: dict[str, Any]
    meta: Meant


class CommandRefused(Struct, tag_field="type", tag="error", omit_defaults=True):
    """The response to a command that failed."""

    id: int | None
    error: ErrorCode
    message: str
    detail: str = ""
    """The message again, where the response has an error status: all errors of this server have it."""


class InputResponse(Struct):
    """A response to one interrupt."""

    interrupt_id: str
    response: Any = None
    namespace: list[str] = []


class InputRespond(Struct):
    """The parameters of `input.respond`: one or several responses."""

    interrupt_id: str | None = None
    response: Any = None
    namespace: list[str] = []
    responses: list[InputResponse] | None = None
    update: Any = None
    goto: Any = None
    config: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    feedback_keys: list[str] | None = None

    def list_responses(self) -> dict[str, Any]:
        """Return the responses by interrupt id."""
        if self.responses is not None:
            return {one.interrupt_id: one.response for one in self.responses}
        return {self.interrupt_id: self.response} if self.interrupt_id is not None else {}
