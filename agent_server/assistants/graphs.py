"""The structure of an assistant's graph: nodes and edges, schemas, subgraphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_server.agents import Agent, is_stateful
from agent_server.assistants.assistants import AssistantRef, Assistants
from agent_server.assistants.configurations import replace_configurable
from agent_server.errors import NotFound
from agent_server.schema import JsonObject

_MOST_KNOWN = 1000


class AssistantGraphs:
    """The graphs of assistants, by assistant id or graph name.

    An agent that is not a graph is drawn as one node, and has no schemas.
    """

    def __init__(self, assistants: Assistants, agents: Mapping[str, Agent]) -> None:
        self._assistants = assistants
        self._agents = agents
        self._known: dict[tuple[str, int], dict[str, Any]] = {}

    async def graph(self, assistant_id: str, xray: int | bool) -> dict[str, Any]:
        """Return the nodes and edges; `xray` includes subgraphs down to that depth."""
        assistant, agent = await self._find(assistant_id)
        if not is_stateful(agent):
            return _one_node(assistant.graph_id)
        return await agent.graph(_config(assistant), xray)

    async def schemas(self, assistant_id: str) -> dict[str, Any]:
        """Return the SDK's `GraphSchema`."""
        assistant, agent = await self._find(assistant_id)
        schemas = await agent.schemas(_config(assistant)) if is_stateful(agent) else {}
        return {"graph_id": assistant.graph_id, **schemas}

    async def get_known_schemas(self, assistant_id: str, version: int) -> dict[str, Any]:
        """Return what `schemas` returns, cached by version: schemas of chat messages take a tenth of a second to
        build."""
        key = assistant_id, version
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = await self.schemas(assistant_id)
        return self._known[key]

    async def subgraphs(self, assistant_id: str, namespace: str | None, recurse: bool) -> dict[str, Any]:
        """Return the schemas of the subgraphs by namespace; with `namespace`, only those of that subgraph, if it
        exists."""
        assistant, agent = await self._find(assistant_id)
        return await agent.subgraphs(_config(assistant), namespace, recurse) if is_stateful(agent) else {}

    def is_stateful(self, graph_id: str) -> bool:
        """Return whether the graph keeps the state of threads, as LangGraph's graphs do and plain functions do not."""
        agent = self._agents.get(graph_id)
        return agent is not None and is_stateful(agent)

    async def _find(self, assistant_id: str) -> tuple[AssistantRef, Agent]:
        assistant = await self._assistants.ref(assistant_id)
        agent = self._agents.get(assistant.graph_id)
        if agent is None:
            raise NotFound(f"This server has no graph {assistant.graph_id!r} any more")
        return assistant, agent


def _config(assistant: AssistantRef) -> JsonObject:
    """Return the config of a run of the assistant, without the ids of run and thread."""
    ids = {"graph_id": assistant.graph_id, "assistant_id": assistant.assistant_id}
    configurable = {**assistant.context, **(assistant.config.get("configurable") or {}), **ids}
    return replace_configurable(assistant.config, configurable)


def _one_node(graph_id: str) -> dict[str, Any]:
    names = ["__start__", graph_id]
    nodes: list[dict[str, Any]] = [{"id": name, "type": "runnable", "data": {"name": name}} for name in names]
    edges = [{"source": "__start__", "target": graph_id}, {"source": graph_id, "target": "__end__"}]
    return {"nodes": [*nodes, {"id": "__end__"}], "edges": edges}
