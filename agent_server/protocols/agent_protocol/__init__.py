"""LangChain's Agent Protocol: the operations that LangGraph's API does not have, `/agents` and runs by their own id."""

from litestar.types import ControllerRouterHandler

from agent_server.config import RouteGroup
from agent_server.protocols.agent_protocol.agents import HANDLERS as AGENTS
from agent_server.protocols.agent_protocol.runs import HANDLERS as RUNS
from agent_server.protocols.agent_protocol.streams import HANDLERS as STREAMS

HANDLERS: dict[RouteGroup, list[ControllerRouterHandler]] = {"assistants": [*AGENTS], "runs": [*RUNS, *STREAMS]}
"""The handlers, by the group of the agent server's own routes whose work they do."""

__all__ = ["HANDLERS"]
