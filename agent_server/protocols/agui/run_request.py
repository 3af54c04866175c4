"""The run that a `RunAgentInput` asks for, as the body of `RunCreate`."""

from __future__ import annotations

from typing import Any

import msgspec

from agent_server.errors import Conflict
from agent_server.protocols.agui.messages import chat_messages
from agent_server.protocols.agui.schema import ForwardedProps, ResumeEntry, RunAgentInput, RunIds, Tool
from agent_server.protocols.agui.state import find_changed_fields
from agent_server.protocols.agui.translation import STREAM_MODES
from agent_server.schema import JsonObject
from agent_server.threads.schema import Thread

_AS_THEY_ARE = ("feedback_keys", "config", "context", "metadata", "interrupt_before", "interrupt_after")


def run_body(
    given: RunAgentInput, ids: RunIds, assistant_id: str, schema: JsonObject | None, thread: Thread | None
) -> JsonObject:
    """Return the run's body; `schema` is the graph's input schema, `thread` the thread as it is before the run.

    Errors: `Invalid`, and `Conflict` if the client answers an interrupt that does not wait.
    """
    options = given.options
    body: JsonObject = {
        "assistant_id": assistant_id,
        "thread_id": ids.thread_id,
        "if_not_exists": "create",
        "stream_mode": STREAM_MODES,
        "stream_subgraphs": options.stream_subgraphs is not False,
        "multitask_strategy": options.multitask_strategy,
        "webhook": options.webhook,
        **{name: getattr(options, name) for name in _AS_THEY_ARE},
    }
    command = _command(given, options, thread)
    if command is not None:
        return body | {"command": command}
    values = {} if thread is None else msgspec.json.decode(thread.values)
    return body | {"input": run_input(given, schema, values)}


def _command(given: RunAgentInput, options: ForwardedProps, thread: Thread | None) -> JsonObject | None:
    """Return the command of the run: what the client answers, or what `forwardedProps` has (clients before 1.0)."""
    if given.resume:
        return {**(options.command or {}), "resume": _resume(given.resume, thread)}
    command = options.command
    if command and isinstance(command.get("resume"), str):
        return {**command, "resume": _decode(command["resume"])}
    return command or None


def _resume(entries: list[ResumeEntry], thread: Thread | None) -> JsonObject:
    """Return the user's responses by interrupt. One that the user abandoned is `{"__agui_cancelled__": true}`, as the
    adapter `@ag-ui/langgraph` has it."""
    waiting = [] if thread is None else msgspec.json.decode(thread.interrupts).values()
    known = {one["id"] for task in waiting for one in task}
    if unknown := [entry.interrupt_id for entry in entries if entry.interrupt_id not in known]:
        raise Conflict(
            f"No interrupt {', '.join(unknown)} waits on the thread; those that wait are in the outcome of its last run"
        )
    return {entry.interrupt_id: _response(entry) for entry in entries}


def _response(entry: ResumeEntry) -> Any:
    if entry.status == "resolved":
        return entry.payload
    return {"__agui_cancelled__": True, "interrupt_id": entry.interrupt_id}


def _decode(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def run_input(given: RunAgentInput, schema: JsonObject | None, values: Any) -> JsonObject:
    """Return the graph's input: the messages that its thread lacks, the changed state, the client's tools and context.

    A graph gets the fields that its schema has; an agent without a schema gets all of them.
    """
    fields = (schema or {}).get("properties")
    tools = [_tool(tool) for tool in given.tools or ()]
    context = [{"description": one.description, "value": one.value} for one in given.context or ()]
    passed = {
        "messages": _new_messages(given, values),
        "tools": tools,
        "ag-ui": {"tools": tools, "context": context, "forwarded_props": given.forwarded_props or {}},
        "copilotkit": {"actions": tools, "context": context},
    }
    whole = {**find_changed_fields(given.state, values), **passed}
    return whole if fields is None else {name: value for name, value in whole.items() if name in fields}


def _new_messages(given: RunAgentInput, values: Any) -> list[JsonObject]:
    messages = values.get("messages") if isinstance(values, dict) else None
    known = {one.get("id") for one in messages or () if isinstance(one, dict)}
    return chat_messages(message for message in given.messages if message.id not in known)


def _tool(tool: Tool) -> JsonObject:
    """Return a tool in the shape of OpenAI's, which LangChain's `bind_tools` takes."""
    parameters = {"type": "object", "properties": {}} if tool.parameters is None else tool.parameters
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "name": tool.name, "function": function}
