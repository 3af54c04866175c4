"""Lookup of the agents in WorkflowAI's requests: assistants by id, graph name or slug."""

from __future__ import annotations

from agent_server.access.ownership import Condition
from agent_server.assistants.assistants import AssistantRef, Assistants
from agent_server.assistants.graphs import AssistantGraphs
from agent_server.assistants.slugs import AssistantSlugs, uuid_of


class AgentFinder:
    """Finds agents and their stream modes."""

    def __init__(self, assistants: Assistants, slugs: AssistantSlugs, graphs: AssistantGraphs) -> None:
        self._assistants = assistants
        self._slugs = slugs
        self._graphs = graphs

    def is_graph(self, name: str) -> bool:
        """Return whether `name` is a graph, which every caller may run."""
        return self._slugs.of_graph(name) is not None

    def is_id(self, name: str) -> bool:
        """Return whether `name` is an id, which needs no search of assistants."""
        return uuid_of(name) is not None

    async def find(self, name: str, owned: Condition | None) -> AssistantRef:
        """Return the agent with this name among the `owned` assistants. Errors: `NotFound`, `Conflict`."""
        named = self._slugs.of_graph(name) or await self._slugs.of_assistant(name, owned)
        return await self._assistants.ref(named)

    def stream_modes(self, graph_id: str, stream: bool) -> list[str]:
        """Return the stream modes that the graph's output is assembled from."""
        if not stream:
            return ["values"]
        return ["values", "messages", *([] if self._graphs.is_stateful(graph_id) else ["custom"])]
