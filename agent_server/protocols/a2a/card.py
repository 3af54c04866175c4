"""Agent cards: an assistant's identity, URL and capabilities. One card serves both versions of A2A."""

from __future__ import annotations

from typing import Any

from agent_server.assistants.schema import Assistant
from agent_server.protocols.a2a.feedback import extension
from agent_server.schema import JsonObject

_TEXT_AND_DATA = ["text/plain", "application/json"]
_SCHEMES: JsonObject = {
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "apiKeySecurityScheme": {"location": "header", "name": "x-api-key"},
    },
    "bearer": {"type": "http", "scheme": "bearer", "httpAuthSecurityScheme": {"scheme": "Bearer"}},
}
"""Each scheme in the shapes of both versions, which have no member in common."""


def agent_card(
    assistant: Assistant,
    input_schema: JsonObject | None,
    base: str,
    needs_key: bool,
    feedback: Any | None,
    has_webhooks: bool = True,
) -> JsonObject:
    """Return the card; `feedback` has the configurations of the assistant's own feedback keys, if any."""
    url = f"{base}/a2a/{assistant.assistant_id}"
    description = assistant.description or f"{assistant.name} assistant"
    skill = {
        "id": f"{assistant.assistant_id}-main",
        "name": f"{assistant.name} Capabilities",
        "description": description,
        "tags": ["assistant", "langgraph"],
        "examples": [],
        "inputModes": _TEXT_AND_DATA,
        "outputModes": _TEXT_AND_DATA,
        "metadata": {"inputSchema": _describe_schema(input_schema)},
    }
    card: JsonObject = {
        "name": assistant.name,
        "description": description,
        "version": str(assistant.version),
        "url": url,
        "protocolVersion": "0.3.0",
        "preferredTransport": "JSONRPC",
        "supportsAuthenticatedExtendedCard": True,
        "supportedInterfaces": [
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
        ],
        "capabilities": {
            "streaming": True,
            "pushNotifications": has_webhooks,
            "stateTransitionHistory": False,
            "extendedAgentCard": True,
            "extensions": [] if feedback is None else [extension(feedback)],
        },
        "defaultInputModes": _TEXT_AND_DATA,
        "defaultOutputModes": _TEXT_AND_DATA,
        "skills": [skill],
    }
    if needs_key:
        card["securitySchemes"] = _SCHEMES
        card["security"] = [{"apiKey": []}, {"bearer": []}]
        card["securityRequirements"] = [{"schemes": {name: {"list": []}}} for name in _SCHEMES]
    return card


def _describe_schema(schema: JsonObject | None) -> JsonObject:
    fields = (schema or {}).get("properties") or {}
    required = (schema or {}).get("required") or []
    return {"required": required, "properties": sorted(fields), "supportsA2A": "messages" in fields}
