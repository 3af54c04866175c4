"""The shapes of the Agent Protocol, 0.1.6, that differ from those of LangGraph's API.

Source: https://github.com/langchain-ai/agent-protocol, `openapi.json`.
"""

from __future__ import annotations

from msgspec import Raw, Struct

from agent_server.assistants.schema import Assistant
from agent_server.schema import JsonObject, Limit, Offset, RunStatus


class AgentSearch(Struct):
    """The body of `POST /agents/search`."""

    name: str | None = None
    metadata: JsonObject | None = None
    limit: Limit = 10
    offset: Offset = 0


class AgentRunSearch(Struct):
    """The body of `POST /runs/search`."""

    metadata: JsonObject | None = None
    status: RunStatus | None = None
    """`pending` includes runs at work, which the protocol has no other status for."""
    thread_id: str | None = None
    agent_id: str | None = None
    limit: Limit = 10
    offset: Offset = 0


class Agent(Struct):
    """An assistant as an agent."""

    agent_id: str
    name: str
    description: str
    metadata: Raw
    capabilities: dict[str, bool]


class AgentSchemas(Struct):
    """The JSON schemas of an agent; empty where it has none."""

    agent_id: str
    input_schema: JsonObject
    output_schema: JsonObject
    state_schema: JsonObject
    config_schema: JsonObject


def build_agent(assistant: Assistant, schemas: JsonObject) -> Agent:
    """Return an assistant as an agent."""
    fields = (schemas.get("input_schema") or {}).get("properties") or {}
    return Agent(
        assistant.assistant_id,
        assistant.name,
        assistant.description or "",
        assistant.metadata,
        {"ap.io.messages": "messages" in fields, "ap.io.streaming": True},
    )
