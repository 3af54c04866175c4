"""LangChain's Agent Protocol: the operations that LangGraph's API does not have, `/agents` and runs by their own id."""

from agent_server.protocols.agent_protocol.agents import HANDLERS as AGENTS
from agent_server.protocols.agent_protocol.runs import HANDLERS as RUNS
from agent_server.protocols.agent_protocol.streams import HANDLERS as STREAMS

HANDLERS = [*AGENTS, *RUNS, *STREAMS]

__all__ = ["HANDLERS"]
