"""Runs AI agents over HTTP; the official LangGraph clients work against it unchanged."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent_server.agents import Agent, AgentRun, Outcome, StatefulAgent
    from agent_server.app import AgentServerPlugin, create_app
    from agent_server.config import Config
    from agent_server.errors import AgentServerError, Conflict, Invalid, NotFound, ThreadBusy, Unavailable
    from agent_server.schema import StreamPart

_MODULES = {
    **dict.fromkeys(("Agent", "AgentRun", "Outcome", "StatefulAgent"), "agent_server.agents"),
    **dict.fromkeys(("AgentServerPlugin", "create_app"), "agent_server.app"),
    **dict.fromkeys(
        ("AgentServerError", "Conflict", "Invalid", "NotFound", "ThreadBusy", "Unavailable"), "agent_server.errors"
    ),
    "Config": "agent_server.config",
    "StreamPart": "agent_server.schema",
}
"""The module of each name, imported at its first use: a command that needs no server imports none."""

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


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value
