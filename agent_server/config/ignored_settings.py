"""What a `langgraph.json` of the official server says, and this server does not do."""

from __future__ import annotations

from typing import Any

_HTTP = {
    "app", "cors", "mount_prefix", "enable_custom_route_auth", "configurable_headers", "disable_assistants",
    "disable_threads", "disable_runs", "disable_store", "disable_meta", "disable_webhooks", "disable_mcp",
    "disable_a2a", "disable_ui", "disable_workflowai",
}  # fmt: skip
"""What is heeded; there is no MCP, A2A or Studio page that could be there in spite of being disabled."""
_REASONS = {
    "http.logging_headers": "no header is logged here",
    "http.middleware_order": "the app's middleware sees a request before anybody asks who sends it",
    "checkpointer.serde": "checkpoints are read and written as LangGraph does by default",
    "priority": "runs start in the order in which they came",
    "ui": "no components are served",
}


def unheeded(document: dict[str, Any]) -> tuple[str, ...]:
    """A sentence for each setting that is there and makes no difference."""
    http = document.get("http") or {}
    heeded = {"http.middleware_order"} if http.get("middleware_order") == "middleware_first" else set()
    known = [name for name in _REASONS if _has(document, name) and name not in heeded]
    unknown = [f"http.{name}" for name in http if name not in _HTTP and f"http.{name}" not in _REASONS]
    return tuple(
        f"{name} has no effect: {_REASONS.get(name, 'this server does not know it')}" for name in known + unknown
    )


def _has(document: dict[str, Any], name: str) -> bool:
    value: Any = document
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return bool(value)
