"""A run's log as AG-UI events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from agent_server.asgi.sse import frame_data
from agent_server.broker import Frame
from agent_server.protocols.agui.open_messages import Chunk, Event, OpenMessages
from agent_server.protocols.agui.state import json_patch, select_shared_state
from agent_server.schema import JsonObject

STREAM_MODES = ["values", "messages-tuple", "tasks", "custom"]
_chunk_decoder = msgspec.json.Decoder(tuple[Chunk, Raw])


class _Task(Struct):
    """The start or the end of a graph's task; only a start has triggers."""

    name: str
    triggers: list[Any] | None = None


_task_decoder = msgspec.json.Decoder(_Task)


class Translation:
    """Turns the frames of one run into events. The same frames give the same events, so that streams can resume."""

    def __init__(self) -> None:
        self._messages = OpenMessages()
        self._steps: dict[str, int] = {}
        """How many tasks of each name are at work: the start and the end of a step are those of all of them."""
        self._state: Any | UnsetType = UNSET
        self.feedback_urls: dict[str, str] | None = None

    @property
    def unanswered_calls(self) -> list[str]:
        """The ids of the tool calls to which the run gave no result."""
        return self._messages.unanswered_calls

    def translate(self, frame: Frame) -> list[Event]:
        """Return the events for a frame."""
        name, _, namespace = frame.event.partition("|")
        translate = _TRANSLATIONS.get(name)
        if translate is None or (namespace and name in _OF_THE_GRAPH_ITSELF):
            return []
        return translate(self, frame)

    def close(self) -> list[Event]:
        """Return the events that end all messages and steps."""
        events = self._messages.close()
        events += [{"type": "STEP_FINISHED", "stepName": name} for name in self._steps]
        self._steps.clear()
        return events

    def state_events(self, values: Any) -> list[Event]:
        """Return the change of the shared state to that in a graph's values: at first the whole state.

        Where a graph shares no state, the client keeps its own.
        """
        old, self._state = self._state, select_shared_state(values)
        if old is UNSET or old == {}:
            return [] if self._state == {} else [{"type": "STATE_SNAPSHOT", "snapshot": self._state}]
        patch = json_patch(old, self._state)
        return [{"type": "STATE_DELTA", "delta": patch}] if patch else []

    def _metadata(self, _: Frame) -> list[Event]:
        return self.close()  # a later attempt begins anew what an earlier one left unfinished

    def _message(self, frame: Frame) -> list[Event]:
        chunk, _ = _chunk_decoder.decode(frame_data(frame.data))
        return self._messages.convert(chunk, f"message-{frame.id}")

    def _values(self, frame: Frame) -> list[Event]:
        return [*self._messages.close(), *self.state_events(_data(frame))]

    def _task(self, frame: Frame) -> list[Event]:
        task = _task_decoder.decode(frame_data(frame.data))
        at_work = self._steps.get(task.name, 0)
        if task.triggers is not None:
            self._steps[task.name] = at_work + 1
            return [] if at_work else [{"type": "STEP_STARTED", "stepName": task.name}]
        if at_work > 1:
            self._steps[task.name] = at_work - 1
            return []
        ended = self._steps.pop(task.name, None)
        return [] if ended is None else [{"type": "STEP_FINISHED", "stepName": task.name}]

    def _custom(self, frame: Frame) -> list[Event]:
        data = _data(frame)
        if isinstance(data, dict) and data.keys() == {"feedback"}:
            return []  # the URLs, which also arrive as an event of their own
        return [_custom_event(data)]

    def _feedback(self, frame: Frame) -> list[Event]:
        self.feedback_urls = _data(frame)
        return [{"type": "CUSTOM", "name": "feedback", "value": self.feedback_urls}]

    def _gap(self, frame: Frame) -> list[Event]:
        events = self.close()
        self._state = UNSET
        return [*events, {"type": "CUSTOM", "name": "gap", "value": _data(frame)}]


_TRANSLATIONS: dict[str, Callable[[Translation, Frame], list[Event]]] = {
    "metadata": Translation._metadata,
    "messages": Translation._message,
    "values": Translation._values,
    "tasks": Translation._task,
    "custom": Translation._custom,
    "feedback": Translation._feedback,
    "gap": Translation._gap,
}
_OF_THE_GRAPH_ITSELF = ("values", "tasks")
"""Events that count for the graph itself, and not for its subgraphs."""


def _custom_event(data: Any) -> JsonObject:
    """Return the event for what a graph wrote to its stream; `{"name": …, "value": …}` names the event."""
    if isinstance(data, dict) and data.keys() == {"name", "value"} and isinstance(data["name"], str):
        return {"type": "CUSTOM", **data}
    return {"type": "CUSTOM", "name": "custom", "value": data}


def _data(frame: Frame) -> Any:
    return msgspec.json.decode(frame_data(frame.data))
