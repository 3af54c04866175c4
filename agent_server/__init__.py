"""Runs AI agents over HTTP; the official LangGraph clients work against it unchanged."""

from agent_server.agents import Agent, AgentRun, Outcome, StatefulAgent
from agent_server.app import AgentServerPlugin, create_app
from agent_server.config import Config
from agent_server.errors import AgentServerError, Conflict, Invalid, NotFound, ThreadBusy, Unavailable
from agent_server.schema import StreamPart

__all__ = [
    "Agent",
    "AgentRun",
    "AgentServerError",
    "AgentServerPlugin",
    "Config",
    "Conflict",
    "Invalid",
    "NotFound",
    "Outcome",
    "StatefulAgent",
    "StreamPart",
    "ThreadBusy",
    "Unavailable",
    "create_app",
]
