"""Lookup of the agents that requests of other protocols name: assistants by id, graph name or slug."""

from __future__ import annotations

from typing import Any

from litestar import Request

from agent_server.access.ownership import Condition
from agent_server.assistants.assistants import AssistantRef, Assistants
from agent_server.assistants.graphs import AssistantGraphs
from agent_server.assistants.slugs import AssistantSlugs, parse_uuid
from agent_server.errors import NotFound
from agent_server.routes.authentication import RequestAuthenticator
from agent_server.routes.authorization import get_ownership


class AgentFinder:
    """Finds agents and their stream modes."""

    def __init__(
        self,
        authenticator: RequestAuthenticator,
        assistants: Assistants,
        slugs: AssistantSlugs,
        graphs: AssistantGraphs,
    ) -> None:
        self._authenticator = authenticator
        self._assistants = assistants
        self._slugs = slugs
        self._graphs = graphs

    async def find(self, request: Request[Any, Any, Any], name: str) -> AssistantRef:
        """Return the agent with this name, if the request's caller may see it. Errors: `NotFound`, `Conflict`."""
        if self._slugs.find_graph(name) is not None:  # every caller may run a graph
            return await self._find_by_name(name, None)
        if parse_uuid(name) is None:
            await self._authenticator.authorize_as(request, "search_assistants", {}, {})
        agent = await self._find_by_name(name, get_ownership(request, "assistants"))
        try:
            await self._authenticator.authorize_as(request, "get_assistant", {}, {"assistant_id": agent.assistant_id})
        except NotFound:  # the same error as for an unknown agent
            raise NotFound(
                f"Assistant with ID {agent.assistant_id} not found; POST /assistants/search lists those there are"
            ) from None
        return agent

    async def _find_by_name(self, name: str, owned: Condition | None) -> AssistantRef:
        named = self._slugs.find_graph(name) or await self._slugs.find_assistant(name, owned)
        return await self._assistants.ref(named)

    def stream_modes(self, graph_id: str, stream: bool) -> list[str]:
        """Return the stream modes that the graph's output is assembled from."""
        if not stream:
            return ["values"]
        return ["values", "messages", *([] if self._graphs.is_stateful(graph_id) else ["custom"])]
