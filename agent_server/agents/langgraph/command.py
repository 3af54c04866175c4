"""The SDK's `Command`, as a client sends it, for LangGraph."""

from __future__ import annotations

from typing import Any

from langgraph.types import Command, Send

from agent_server.schema import JsonObject


def command_of(command: JsonObject) -> Command[Any]:
    """LangGraph's own command. Errors: ValueError for a `goto` that names no node."""
    return Command(resume=command.get("resume"), update=command.get("update"), goto=_goto(command.get("goto") or ()))


def _goto(target: Any) -> Any:
    if isinstance(target, dict):
        if not isinstance(target.get("node"), str):
            raise ValueError('command.goto must be the name of a node, {"node": name, "input": …}, or a list of these')
        return Send(target["node"], target.get("input"))
    if isinstance(target, list):
        return [_goto(one) for one in target]
    return target
