"""Assistants: graphs with a configuration, in versions."""

from agent_server.assistants.assistants import Assistants

__all__ = ["Assistants"]
