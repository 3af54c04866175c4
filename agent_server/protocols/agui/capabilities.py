"""An agent's capabilities, in the shape of AG-UI's `AgentCapabilities`."""

from __future__ import annotations

from agent_server.assistants.schema import Assistant
from agent_server.schema import JsonObject

_TOOL_FIELDS = ("tools", "ag-ui", "copilotkit")


def capabilities(
    assistant: Assistant, schema: JsonObject | None, is_stateful: bool, feedback: JsonObject | None
) -> JsonObject:
    """Return the capabilities; `feedback` has the configurations of the assistant's own feedback keys, or is None
    where the server takes no feedback. What this server cannot know of an agent is left out."""
    identity = {"name": assistant.name, "version": str(assistant.version)}
    if assistant.description:
        identity["description"] = assistant.description
    takes_feedback = feedback is not None
    fields = (schema or {}).get("properties")
    return {
        "identity": identity,
        "transport": {"streaming": True, "resumable": True, "websocket": False, "httpBinary": False},
        "tools": {"clientProvided": fields is None or any(name in fields for name in _TOOL_FIELDS)},
        "state": {"snapshots": True, "deltas": True, "persistentState": is_stateful},
        "humanInTheLoop": {
            "supported": is_stateful or takes_feedback,
            "interrupts": is_stateful,
            "feedback": takes_feedback,
        },
        "custom": {"feedback": {"keys": feedback}} if takes_feedback else {},
    }
