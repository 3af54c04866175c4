"""The agents that WorkflowAI's clients name: assistants, by id, by the name of their graph, or by slug."""

from __future__ import annotations

from agent_server.access.ownership import Condition
from agent_server.assistants.assistants import AssistantRef, Assistants
from agent_server.assistants.graphs import AssistantGraphs
from agent_server.assistants.slugs import AssistantSlugs, uuid_of


class AgentFinder:
    """Finds agents, and knows how they run."""

    def __init__(self, assistants: Assistants, slugs: AssistantSlugs, graphs: AssistantGraphs) -> None:
        self._assistants = assistants
        self._slugs = slugs
        self._graphs = graphs

    def is_graph(self, name: str) -> bool:
        """Return whether `name` is a graph, which every caller may run."""
        return self._slugs.of_graph(name) is not None

    def is_id(self, name: str) -> bool:
        """Return whether `name` is an id, so that no assistants need to be searched."""
        return uuid_of(name) is not None

    async def find(self, name: str, owned: Condition | None) -> AssistantRef:
        """Return the agent of this name, among the assistants that are `owned`. Errors: `NotFound`, `Conflict`."""
        named = self._slugs.of_graph(name) or await self._slugs.of_assistant(name, owned)
        return await self._assistants.ref(named)

    def stream_modes(self, graph_id: str, stream: bool) -> list[str]:
        """Return the stream modes from which the output of the graph is assembled."""
        if not stream:
            return ["values"]
        return ["values", "messages", *([] if self._graphs.is_stateful(graph_id) else ["custom"])]
