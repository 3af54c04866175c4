"""MCP tools: one for each assistant, with a valid and unique tool name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agent_server.access.ownership import Condition
from agent_server.assistants.assistants import Assistants
from agent_server.assistants.default_keys import default_keys
from agent_server.assistants.graphs import AssistantGraphs
from agent_server.assistants.schema import Assistant, AssistantSearch
from agent_server.errors import AgentServerError
from agent_server.protocols.jsonrpc import INVALID_PARAMS
from agent_server.protocols.mcp.feedback import APP_URI, SUBMIT_FEEDBACK, SUBMIT_TOOL
from agent_server.protocols.mcp.requests import McpRequest
from agent_server.protocols.mcp.schemas import input_schema, message_fields, output_schema
from agent_server.schema import JsonObject

PAGE_SIZE = 100
_MOST_ASSISTANTS = 100_000
_MOST_CHARACTERS = 128
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_\-.]")


class Tools:
    """The tools of one caller."""

    def __init__(
        self, assistants: Assistants, graphs: AssistantGraphs, owned: Condition | None, has_feedback: bool
    ) -> None:
        self._assistants = assistants
        self._graphs = graphs
        self._owned = owned
        self._has_feedback = has_feedback

    async def page(self, request: McpRequest) -> tuple[list[JsonObject], str | None]:
        """Return the tools from the request's cursor, and the next page's cursor, if there is one."""
        start = _start(request)
        named = list((await self._list_by_name()).items())
        tools = [await self._tool(name, assistant) for name, assistant in named[start : start + PAGE_SIZE]]
        end = start + PAGE_SIZE
        if end < len(named):
            return tools, str(end)
        return ([*tools, SUBMIT_TOOL] if self._has_feedback else tools), None

    async def find(self, name: str) -> Assistant | None:
        """Return the assistant with this tool name, if there is one."""
        return (await self._list_by_name()).get(name)

    async def arguments(self, assistant: Assistant, given: JsonObject) -> JsonObject:
        """Return the run's input for a tool's arguments: a text replaces chat messages and is the user's message."""
        texts = [name for name, value in given.items() if isinstance(value, str)]
        if not texts:
            return given
        schema = (await self._graphs.get_known_schemas(assistant.assistant_id, assistant.version)).get("input_schema")
        chats = [name for name in message_fields(schema) if name in texts]
        return given | {name: [{"role": "user", "content": given[name]}] for name in chats}

    async def _list_by_name(self) -> dict[str, Assistant]:
        query = AssistantSearch(limit=_MOST_ASSISTANTS, sort_by="created_at", sort_order="asc")
        found = await self._assistants.search(query, self._owned)
        return _unique_names(found.items, {SUBMIT_FEEDBACK} if self._has_feedback else set())

    async def _tool(self, name: str, assistant: Assistant) -> JsonObject:
        schemas = await self._schemas(assistant)
        result = output_schema(schemas.get("output_schema"))
        rates = self._has_feedback and default_keys(bytes(assistant.metadata).decode())
        return {
            "name": name,
            "title": assistant.name,
            "description": assistant.description or f"Tool based on the {assistant.name} assistant",
            "inputSchema": input_schema(schemas.get("input_schema")),
            **({"outputSchema": result} if result else {}),
            "annotations": {
                "readOnlyHint": False,
                "destructiveHint": False,
                "idempotentHint": False,
                "openWorldHint": True,
            },
            **({"_meta": {"ui": {"resourceUri": APP_URI}}} if rates else {}),
        }

    async def _schemas(self, assistant: Assistant) -> dict[str, Any]:
        try:
            return await self._graphs.get_known_schemas(assistant.assistant_id, assistant.version)
        except AgentServerError:  # the graph no longer exists: a call returns an error that states this
            return {}


def _start(request: McpRequest) -> int:
    cursor = request.params.get("cursor")
    if cursor is None:
        return 0
    if isinstance(cursor, str) and cursor.isascii() and cursor.isdigit() and len(cursor) < 10:
        return int(cursor)
    raise request.error(INVALID_PARAMS, "cursor is not one of this server's; leave it out for the first page")


def _unique_names(assistants: Sequence[Assistant], taken: set[str]) -> dict[str, Assistant]:
    """Return the assistants by tool name; on a conflict, all but the oldest get a suffix."""
    named: dict[str, Assistant] = {}
    for assistant in assistants:
        name, key = tool_name(assistant.name), assistant.assistant_id
        for candidate in (name, f"{name[: _MOST_CHARACTERS - 9]}-{key[:8]}", f"{name[: _MOST_CHARACTERS - 37]}-{key}"):
            if candidate not in named and candidate not in taken:
                named[candidate] = assistant
                break
    return named


def tool_name(name: str) -> str:
    """Return the tool name of an assistant, built like the official server's (langgraph-api 0.16.7)."""
    plain = _NOT_IN_A_NAME.sub("", re.sub(r"\s+", "_", name.strip()))
    return plain[:_MOST_CHARACTERS] or "assistant"
