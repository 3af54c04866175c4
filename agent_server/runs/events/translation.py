"""Translate the parts of a run's stream into protocol events.

Clients rely on the order at the end: all output of the run, including `feedback`, then its interrupts
(`input.requested`), then its ending (`lifecycle`). The last two are sent only once the ending is durable, so that a
client may respond to an interrupt at once.
"""

from __future__ import annotations

from typing import Any, Literal

from agent_server.runs.events.event import Event
from agent_server.runs.events.messages import MessageEvents
from agent_server.schema import StreamPart

End = Literal["completed", "interrupted", "failed"]
INTERRUPT = "__interrupt__"
_AS_THEY_ARE = ("updates", "custom", "checkpoints", "tasks", "tools", "lifecycle")
CANCELLED, ROLLED_BACK = "The run was cancelled", "The run was cancelled and rolled back"


class Translation:
    """Translates one attempt at a run."""

    def __init__(self, graph_id: str) -> None:
        self._graph_id = graph_id
        self._messages = MessageEvents()
        self._requests: dict[str, Event] = {}
        """The run's interrupts by id; a subgraph reports its own before its parents do."""
        self._graphs: dict[tuple[str, ...], str] = {}

    def translate(self, part: StreamPart) -> list[Event]:
        """Return the events of one part; none where the protocol has no equivalent."""
        mode, *namespace = part.event.split("|")
        if mode == "metadata":
            return [self._lifecycle("running")]
        if mode == "feedback":
            return [Event("custom", (), {"name": "feedback", "payload": part.data})]
        if mode == "values":
            return [Event("values", namespace, self._without_requests(namespace, part.data))]
        if mode == "messages":
            message, metadata = part.data
            return [Event("messages", namespace, data) for data in self._messages.convert(namespace, message, metadata)]
        if mode == "lifecycle":
            return [Event("lifecycle", namespace, self._name_subgraph(tuple(namespace), part.data))]
        if mode.startswith("custom:"):
            return [Event("custom", namespace, {"name": mode.partition(":")[2], "payload": part.data})]
        return [Event(mode, namespace, part.data)] if mode in _AS_THEY_ARE else []

    def translate_end(self, end: End, error: str | None = None) -> list[Event]:
        """Return the events of the run's ending."""
        requests = [*self._requests.values()] if end == "interrupted" else []
        return [*requests, self._lifecycle(end, error)]

    def _lifecycle(self, status: str, error: str | None = None) -> Event:
        failure = {"error": error} if error is not None else {}
        return Event("lifecycle", (), {"event": status, "graph_name": self._graph_id, **failure})

    def _name_subgraph(self, namespace: tuple[str, ...], data: dict[str, Any]) -> dict[str, Any]:
        """Return the data of a subgraph's event; its end gets the name from its start."""
        if "graph_name" in data:
            self._graphs[namespace] = data["graph_name"]
        name = self._graphs.get(namespace)
        return {**data, "graph_name": name} if name else data

    def _without_requests(self, namespace: list[str], values: Any) -> Any:
        if not isinstance(values, dict) or INTERRUPT not in values:
            return values
        for pending in values[INTERRUPT]:
            named = pending if isinstance(pending, dict) else {"id": pending.id, "value": pending.value}
            # The official server sends `payload`, but its Python client reads `value`, which is missing there.
            data = {"interrupt_id": named["id"], "payload": named["value"], "value": named["value"]}
            self._requests.setdefault(named["id"], Event("input.requested", namespace, data))
        return {key: value for key, value in values.items() if key != INTERRUPT}
