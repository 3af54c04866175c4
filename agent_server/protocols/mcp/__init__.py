"""MCP: assistants as tools of the Model Context Protocol, over streamable HTTP at `/mcp`."""

from agent_server.protocols.mcp.routes import HANDLERS

__all__ = ["HANDLERS"]
