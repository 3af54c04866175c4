"""Parts of a run's stream, as events of the protocol.

The order at the end is what clients rely on: all that the run made, `feedback` among it, then what it waits for
(`input.requested`), then how it ended (`lifecycle`). The last two are told only once that is durable, so that who hears
of an interrupt may answer it.
"""

from __future__ import annotations

from typing import Any, Literal

from agent_server.events.event import Event
from agent_server.events.messages import MessageEvents
from agent_server.schema import StreamPart

End = Literal["completed", "interrupted", "failed"]
INTERRUPT = "__interrupt__"
_AS_THEY_ARE = ("updates", "custom", "checkpoints", "tasks", "tools", "lifecycle")
CANCELLED, ROLLED_BACK = "The run was cancelled", "The run was cancelled and rolled back"


class Translation:
    """Of one attempt at a run."""

    def __init__(self, graph_id: str) -> None:
        self._graph_id = graph_id
        self._messages = MessageEvents()
        self._requests: dict[str, Event] = {}
        """What the run waits for, by the ids of its interrupts; of a subgraph's, the subgraph says so first."""
        self._graphs: dict[tuple[str, ...], str] = {}

    def of(self, part: StreamPart) -> list[Event]:
        """The events of one part; none where the protocol has no such thing."""
        mode, *namespace = part.event.split("|")
        if mode == "metadata":
            return [self._lifecycle("running")]
        if mode == "feedback":
            return [Event("custom", (), {"name": "feedback", "payload": part.data})]
        if mode == "values":
            return [Event("values", namespace, self._without_requests(namespace, part.data))]
        if mode == "messages":
            message, metadata = part.data
            return [Event("messages", namespace, data) for data in self._messages.of(namespace, message, metadata)]
        if mode == "lifecycle":
            return [Event("lifecycle", namespace, self._named(tuple(namespace), part.data))]
        if mode.startswith("custom:"):
            return [Event("custom", namespace, {"name": mode.partition(":")[2], "payload": part.data})]
        return [Event(mode, namespace, part.data)] if mode in _AS_THEY_ARE else []

    def ended(self, end: End, error: str | None = None) -> list[Event]:
        """The events of the end."""
        requests = [*self._requests.values()] if end == "interrupted" else []
        return [*requests, self._lifecycle(end, error)]

    def _lifecycle(self, status: str, error: str | None = None) -> Event:
        told = {"error": error} if error is not None else {}
        return Event("lifecycle", (), {"event": status, "graph_name": self._graph_id, **told})

    def _named(self, namespace: tuple[str, ...], data: dict[str, Any]) -> dict[str, Any]:
        """What is said of a subgraph; its end names it as its beginning did."""
        if "graph_name" in data:
            self._graphs[namespace] = data["graph_name"]
        name = self._graphs.get(namespace)
        return {**data, "graph_name": name} if name else data

    def _without_requests(self, namespace: list[str], values: Any) -> Any:
        if not isinstance(values, dict) or INTERRUPT not in values:
            return values
        for pending in values[INTERRUPT]:
            named = pending if isinstance(pending, dict) else {"id": pending.id, "value": pending.value}
            # The official server says `payload`; of its clients, Python's looks for `value` and finds none there.
            data = {"interrupt_id": named["id"], "payload": named["value"], "value": named["value"]}
            self._requests.setdefault(named["id"], Event("input.requested", namespace, data))
        return {key: value for key, value in values.items() if key != INTERRUPT}
