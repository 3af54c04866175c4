"""Plain agents: async generator functions, which need only this package."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, TypeAlias
from uuid import uuid4

import msgspec

from agent_server.agents.protocol import AgentRun, Outcome
from agent_server.schema import StreamPart

Item: TypeAlias = str | dict[str, Any] | StreamPart
Function: TypeAlias = Callable[..., AsyncGenerator[Item, None]]

MESSAGE_TYPES = {"user": "human", "assistant": "ai"}


class PlainAgent:
    """Serves `async def agent(input)` or `async def agent(input, run)`, which yields:

    * a string: the next token of the answer. Streamed as `messages` (mode `messages-tuple`), or as `messages/partial`
      with the whole text so far (mode `messages`).
    * a dict: a result. Streamed at once as `custom`; the last one is the run's final values.
    * a `StreamPart`: a custom event, streamed unchanged in all modes.

    If there were tokens, the final values also have `messages`: those of the input, then the answer. At the end come
    `updates` (`{graph_id: what this run produced}`) and `values` (the final values). It keeps no state between runs; a
    run interrupted by a crash restarts from its input.
    """

    def __init__(self, function: Function) -> None:
        parameters = inspect.signature(function).parameters
        if len(parameters) not in (1, 2):
            raise TypeError(
                f"{getattr(function, '__name__', function)} takes {len(parameters)} parameters; "
                "an agent takes (input) or (input, run)"
            )
        self.function = function
        self._takes_run = len(parameters) == 2

    async def stream(self, run: AgentRun) -> AsyncGenerator[StreamPart | Outcome, None]:
        given = msgspec.json.decode(run.kwargs.input)
        answer = _Answer(run)
        result: dict[str, Any] = {}
        async with aclosing(self.function(given, run) if self._takes_run else self.function(given)) as items:
            async for item in items:
                if isinstance(item, str):
                    for part in answer.token(item):
                        yield part
                elif isinstance(item, StreamPart):
                    yield item
                elif isinstance(item, dict):
                    result = item
                    if "custom" in run.kwargs.stream_mode:
                        yield StreamPart("custom", item)
                else:
                    raise TypeError(f"an agent yields strings, dicts and StreamParts, not {type(item).__name__}")
        for last in answer.end():
            yield last
        made = {"messages": [answer.message()], **result} if answer.text else result
        values = {"messages": [*_messages(given), answer.message()], **result} if answer.text else result
        if "updates" in run.kwargs.stream_mode:
            yield StreamPart("updates", {run.graph_id: made})
        if "values" in run.kwargs.stream_mode:
            yield StreamPart("values", values)
        yield Outcome(values)


class _Answer:
    """The text of a run, in the format of LangChain's message events."""

    def __init__(self, run: AgentRun) -> None:
        self.text = ""
        self._id = f"run-{run.run_id}"
        self._modes = frozenset(run.kwargs.stream_mode)
        self._metadata = {
            "graph_id": run.graph_id,
            "assistant_id": run.assistant_id,
            "run_attempt": run.attempt,
            "run_id": run.run_id,
            "thread_id": run.thread_id,
        }

    def token(self, text: str) -> list[StreamPart]:
        parts = []
        if "messages-tuple" in self._modes:
            parts.append(self._chunk(text, None))
        if "messages" in self._modes:
            if not self.text:
                parts.append(StreamPart("messages/metadata", {self._id: {"metadata": self._metadata}}))
            parts.append(StreamPart("messages/partial", [{**self.message(), "content": self.text + text}]))
        self.text += text
        return parts

    def end(self) -> list[StreamPart]:
        """Return the empty chunk that marks the message as complete."""
        return [self._chunk("", "last")] if self.text and "messages-tuple" in self._modes else []

    def message(self) -> dict[str, Any]:
        return _ai_message(self.text, "ai", self._id)

    def _chunk(self, text: str, position: str | None) -> StreamPart:
        chunk = _ai_message(text, "AIMessageChunk", self._id) | {"tool_call_chunks": [], "chunk_position": position}
        return StreamPart("messages", [chunk, self._metadata])


def _ai_message(text: str, kind: str, message_id: str) -> dict[str, Any]:
    return {
        **_message(text, kind, message_id),
        "tool_calls": [],
        "invalid_tool_calls": [],
        "usage_metadata": None,
    }


def _message(content: Any, kind: str, message_id: str) -> dict[str, Any]:
    return {
        "content": content,
        "additional_kwargs": {},
        "response_metadata": {},
        "type": kind,
        "name": None,
        "id": message_id,
    }


def _messages(given: Any) -> list[Any]:
    """Return the input's messages with `type` in place of `role`, and an id each."""
    messages = given.get("messages") if isinstance(given, dict) else None
    return [_as_message(message) for message in messages] if isinstance(messages, list) else []


def _as_message(message: Any) -> Any:
    if not isinstance(message, dict):
        return _message(message, "human", str(uuid4()))
    role = str(message.get("role", "user"))
    kind = str(message.get("type") or MESSAGE_TYPES.get(role, role))
    known = _message(message.get("content", ""), kind, message.get("id") or str(uuid4()))
    return known | {key: value for key, value in message.items() if key not in (*known, "role")}
