"""A2A 1.0 and 0.3: assistants as agents of the Agent2Agent protocol, over JSON-RPC at `/a2a/{id}`."""

from agent_server.protocols.a2a.push import task_notification
from agent_server.protocols.a2a.routes import HANDLERS

__all__ = ["HANDLERS", "task_notification"]
