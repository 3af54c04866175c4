"""Agents: the interface (`protocol.py`), LangGraph graphs, plain async generators, and loading from a configuration."""

from agent_server.agents.commands import check_command, is_void
from agent_server.agents.deferred_writes import LastWrites
from agent_server.agents.lease import Lease, boot_seconds, set_lease, write_under
from agent_server.agents.loading import open_agents
from agent_server.agents.plain import PlainAgent
from agent_server.agents.protocol import (
    Agent,
    AgentRun,
    GraphSetup,
    HistoryQuery,
    Outcome,
    StatefulAgent,
    is_stateful,
)
from agent_server.agents.request_context import RequestContext, request_context, set_request_context
from agent_server.agents.running_node import find_running_node
from agent_server.agents.stores.opening import open_store

__all__ = [
    "Agent",
    "AgentRun",
    "GraphSetup",
    "HistoryQuery",
    "LastWrites",
    "Lease",
    "Outcome",
    "PlainAgent",
    "RequestContext",
    "StatefulAgent",
    "boot_seconds",
    "check_command",
    "find_running_node",
    "is_stateful",
    "is_void",
    "open_agents",
    "open_store",
    "request_context",
    "set_lease",
    "set_request_context",
    "write_under",
]
