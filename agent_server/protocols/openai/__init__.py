"""OpenAI's API: assistants as models of chat completions and responses, at `/v1`."""

from agent_server.protocols.openai.errors import error_response
from agent_server.protocols.openai.routes import HANDLERS

__all__ = ["HANDLERS", "error_response"]
