"""Runs as A2A tasks: state, artifacts and history. A task is a run and the runs that resume it."""

from __future__ import annotations

from typing import Any

import msgspec

from agent_server.protocols.a2a.legacy import FINAL_STATES
from agent_server.protocols.a2a.parts import convert_role, convert_to_parts, response_parts
from agent_server.protocols.a2a.requests import FEEDBACK_URI, TaskId
from agent_server.protocols.run_errors import describe_run_error
from agent_server.runs.records import Record
from agent_server.schema import JsonObject

_STATES = {
    "pending": "TASK_STATE_SUBMITTED",
    "running": "TASK_STATE_WORKING",
    "success": "TASK_STATE_COMPLETED",
    "interrupted": "TASK_STATE_CANCELED",
    "error": "TASK_STATE_FAILED",
    "timeout": "TASK_STATE_FAILED",
}
METADATA_KEY = "a2a"


def task_metadata(task_id: TaskId, context_id: str | None = None) -> JsonObject:
    """Return the run metadata of a task, with the client's name of the context, if it has one."""
    named = {} if context_id is None else {"context_id": context_id}
    return {METADATA_KEY: {"task_id": str(task_id), **named}}


def read_context_id(record: Record) -> str:
    """Return the task's context id: the client's name of it, or the thread id."""
    own = msgspec.json.decode(record.run.metadata).get(METADATA_KEY)
    named = own.get("context_id") if isinstance(own, dict) else None
    return named if isinstance(named, str) else record.run.thread_id


def read_task_id(record: Record) -> TaskId:
    """Return a run's task id; a run started through another protocol is a task of its own."""
    own = msgspec.json.decode(record.run.metadata).get(METADATA_KEY)
    named = own.get("task_id") if isinstance(own, dict) else None
    if isinstance(named, str) and ":" in named:
        return TaskId(*named.split(":", 1))
    return TaskId(record.run.thread_id, record.run.run_id)


def read_state(record: Record) -> str:
    """Return the task's state."""
    return "TASK_STATE_INPUT_REQUIRED" if waits(record) else _STATES[record.run.status]


def is_final(record: Record) -> bool:
    """Return whether the run has stopped working on its task, which may wait for the user."""
    return read_state(record) in FINAL_STATES


def waits(record: Record) -> bool:
    """Return whether the run ended with a question of the agent."""
    return record.run.status == "success" and b'"__interrupt__"' in (record.output or b"") and bool(_interrupts(record))


def build_task(record: Record, history_length: int | None = None, feedback: JsonObject | None = None) -> JsonObject:
    """Return the task, with its last `history_length` messages (None: all) and its feedback URLs."""
    task_id = read_task_id(record)
    task: JsonObject = {"id": str(task_id), "contextId": read_context_id(record), "status": build_status(record)}
    if artifact := build_artifact(record, feedback):
        task["artifacts"] = [artifact]
    elif feedback:
        task["metadata"] = {FEEDBACK_URI: feedback}
    if history_length != 0 and (history := _history(record)):
        task["history"] = history[-history_length:] if history_length else history
    return task


def build_status(record: Record) -> JsonObject:
    """Return the task's status, with the error message if it failed."""
    status: JsonObject = {"state": read_state(record), "timestamp": _timestamp(record.run.updated_at)}
    if record.error is not None:
        status["message"] = agent_message(
            record, f"{record.run.run_id}-error", [{"text": describe_run_error(record.error)}]
        )
    return status


def build_artifact(record: Record, feedback: JsonObject | None = None) -> JsonObject | None:
    """Return the run's artifact: the agent's answer or question; None before its end."""
    if record.run.status != "success":
        return None
    if waits(record):
        artifact: JsonObject = {
            "artifactId": f"{record.run.run_id}-interrupt",
            "name": "Interrupt",
            "description": "The agent needs input to go on",
            "parts": [{"data": interrupt} for interrupt in _interrupts(record)],
        }
    else:
        values = msgspec.json.decode(record.output or b"null")
        artifact = {
            "artifactId": f"{record.run.run_id}-response",
            "name": "Assistant Response",
            "description": f"Response of the assistant {record.graph_id}",
            "parts": response_parts(values),
        }
    return artifact | ({"extensions": [FEEDBACK_URI], "metadata": {FEEDBACK_URI: feedback}} if feedback else {})


def agent_message(record: Record, message_id: str, parts: list[JsonObject]) -> JsonObject:
    """Return a message of the agent about the run's task."""
    return {"messageId": message_id, "role": "ROLE_AGENT", "parts": parts, **build_place(record)}


def build_place(record: Record) -> JsonObject:
    """Return the task and context ids as the fields of events and messages."""
    return {"taskId": str(read_task_id(record)), "contextId": read_context_id(record)}


def _interrupts(record: Record) -> list[JsonObject]:
    values = msgspec.json.decode(record.output or b"null")
    waiting = values.get("__interrupt__") if isinstance(values, dict) else None
    return [{"id": one.get("id"), "value": one.get("value")} for one in waiting or () if isinstance(one, dict)]


def _history(record: Record) -> list[JsonObject]:
    """Return the context's messages after the run; before its end, the run's input messages."""
    kept = record.output if record.output is not None else bytes(record.kwargs.input)
    values = msgspec.json.decode(kept)
    messages = values.get("messages") if isinstance(values, dict) else None
    if not isinstance(messages, list):
        return []
    shown = [_message(message, at, record) for at, message in enumerate(messages)]
    return [message for message in shown if message]


def _message(message: Any, at: int, record: Record) -> JsonObject | None:
    role = convert_role(message)
    parts = convert_to_parts(message.get("content")) if role else []
    if not role or not parts:
        return None
    message_id = str(message.get("id") or f"{record.run.run_id}-{at}")
    return {"messageId": message_id, "role": role, "parts": parts, "contextId": read_context_id(record)}


def _timestamp(text: str) -> str:
    return text.replace("+00:00", "Z")
