"""What runs: the seam (`protocol.py`), LangGraph graphs, plain async generators, and how a configuration names them."""

from agent_server.agents.asker import Asker, answer, asker
from agent_server.agents.frames import named_in
from agent_server.agents.loading import open_agents
from agent_server.agents.plain import PlainAgent
from agent_server.agents.protocol import (
    Agent,
    AgentRun,
    HistoryQuery,
    Outcome,
    StatefulAgent,
    is_stateful,
)
from agent_server.agents.stores import open_store

__all__ = [
    "Agent",
    "AgentRun",
    "Asker",
    "HistoryQuery",
    "Outcome",
    "PlainAgent",
    "StatefulAgent",
    "answer",
    "asker",
    "is_stateful",
    "named_in",
    "open_agents",
    "open_store",
]
