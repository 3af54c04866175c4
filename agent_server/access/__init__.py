"""Authentication and authorization: API keys and the application's `Auth` object."""

from agent_server.access.key_auth import ApiKeyAuth

__all__ = ["ApiKeyAuth"]
