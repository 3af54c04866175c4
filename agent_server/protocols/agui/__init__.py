"""AG-UI 1.0: assistants as agents of the Agent-User Interaction protocol, at `/agui/{id}`."""

from agent_server.protocols.agui.routes import HANDLERS

__all__ = ["HANDLERS"]
