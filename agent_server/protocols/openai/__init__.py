"""OpenAI's API: assistants as models of chat completions and responses, at `/v1`."""

from agent_server.protocols.openai.errors import error_response
from agent_server.protocols.openai.response_routes import HANDLERS as RESPONSES
from agent_server.protocols.openai.routes import HANDLERS as CHAT

HANDLERS = [*CHAT, *RESPONSES]

__all__ = ["HANDLERS", "error_response"]
