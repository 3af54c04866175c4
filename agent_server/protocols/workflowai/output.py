"""A run's output in WorkflowAI's stream format: each event has the whole output so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from agent_server.asgi.sse import frame_data
from agent_server.broker import Frame
from agent_server.protocols.workflowai.schema import ToolCallRequest

INTERRUPT = "__interrupt__"


class PartialOutput:
    """Assembles the output so far from the events of a run."""

    def __init__(self) -> None:
        self.output: dict[str, Any] = {}

    def add(self, frames: Sequence[Frame]) -> bool:
        """Add the events of `frames`; return whether they changed the output."""
        changes = [self._take(frame.event, frame.data) for frame in frames]
        return any(changes)

    def _take(self, event: str, data: bytes) -> bool:
        if event in ("values", "custom"):  # custom: only from plain functions
            self.output = task_output(msgspec.json.decode(frame_data(data)))
        elif event in ("messages/partial", "messages/complete"):
            self.output = add_messages(self.output, msgspec.json.decode(frame_data(data)))
        else:
            return False
        return True


def add_messages(output: dict[str, Any], news: list[dict[str, Any]]) -> dict[str, Any]:
    """Return `output` with the messages of `news`, which replace those with the same ids."""
    messages = output.get("messages")
    by_id = {one.get("id"): one for one in messages if isinstance(one, dict)} if isinstance(messages, list) else {}
    return {**output, "messages": [*(by_id | {one.get("id"): one for one in news}).values()]}


def task_output(values: Any) -> dict[str, Any]:
    """Return an agent's values as an object, the type of all WorkflowAI outputs."""
    if values is None:
        return {}
    if not isinstance(values, dict):
        return {"output": values}
    return {name: value for name, value in values.items() if name != INTERRUPT}


def tool_call_requests(values: Any) -> list[ToolCallRequest]:
    """Return a waiting run's questions as tool calls."""
    waiting = values.get(INTERRUPT) if isinstance(values, dict) else None
    return [_tool_call(one) for one in waiting or ()]


def _tool_call(interrupt: dict[str, Any]) -> ToolCallRequest:
    """Return the tool call in an interrupt's value, or a call of the tool `interrupt` with the value as input.

    A tool call has `name` and `args` (LangChain's) or `name` and `input` (WorkflowAI's).
    """
    value = interrupt["value"]
    if isinstance(value, dict) and isinstance(name := value.get("name"), str):
        for field in ("input", "args"):
            if isinstance(given := value.get(field), dict):
                return ToolCallRequest(interrupt["id"], name, given)
    return ToolCallRequest(interrupt["id"], "interrupt", value if isinstance(value, dict) else {"value": value})
