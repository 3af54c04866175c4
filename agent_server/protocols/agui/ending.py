"""The last events of a run: its messages, and how it ended."""

from __future__ import annotations

from typing import Any

import msgspec

from agent_server.protocols.agui.messages import convert_to_agui_messages
from agent_server.protocols.agui.open_messages import Event
from agent_server.protocols.agui.schema import RunIds
from agent_server.protocols.agui.translation import Translation
from agent_server.runs.records import Record
from agent_server.schema import JsonObject

_OWN_FIELDS = {
    "message": ("message",),
    "toolCallId": ("toolCallId", "tool_call_id"),
    "responseSchema": ("responseSchema", "response_schema"),
    "expiresAt": ("expiresAt", "expires_at"),
}
"""The fields of an interrupt's value that AG-UI has, too, by AG-UI's name."""


def last_events(record: Record, ids: RunIds, translation: Translation, speaks_1_0: bool) -> list[Event]:
    """Return the events after those of the run's log.

    Clients before version 1.0 know neither a cancelled run nor, in CopilotKit's hooks, interrupts in the outcome: they
    also get the former as an error, and the latter as `CUSTOM on_interrupt`.
    """
    events = translation.close()
    if record.error is not None:
        return [*events, _add_feedback(_run_error(record.error), translation)]
    finished: Event = {"type": "RUN_FINISHED", "threadId": ids.shown_thread_id, "runId": ids.shown_run_id}
    if record.run.status != "success":
        cancelled: Event = {"type": "RUN_ERROR", "message": "The run was cancelled", "code": "cancelled"}
        return [*events, {**finished, "outcome": {"type": "cancelled"}} if speaks_1_0 else cancelled]
    values = msgspec.json.decode(record.output or b"null")
    events += translation.state_events(values)
    if (messages := convert_to_agui_messages(values.get("messages") if isinstance(values, dict) else None)) is not None:
        events.append({"type": "MESSAGES_SNAPSHOT", "messages": messages})
    interrupts = _interrupts(values)
    if interrupts and not speaks_1_0:
        events += [_legacy_interrupt(one["metadata"]["langgraph"]["raw"]) for one in interrupts]
    result = {} if isinstance(values, dict) or values is None else {"result": values}
    finished |= {**result, "outcome": _outcome(interrupts, translation.unanswered_calls)}
    return [*events, _add_feedback(finished, translation)]


def _outcome(interrupts: list[JsonObject], unanswered: list[str]) -> JsonObject:
    if interrupts:
        return {"type": "interrupt", "interrupts": interrupts}
    return {"type": "success", **({"pendingToolCallIds": unanswered} if unanswered else {})}


def _add_feedback(event: Event, translation: Translation) -> Event:
    urls = translation.feedback_urls
    return {**event, "metadata": {"feedback": urls}} if urls else event


def _run_error(error: bytes) -> Event:
    failure = msgspec.json.decode(error)
    if not isinstance(failure, dict):
        return {"type": "RUN_ERROR", "message": str(failure)}
    code = {"code": str(failure["error"])} if failure.get("error") else {}
    return {
        "type": "RUN_ERROR",
        "message": str(failure.get("message") or failure.get("error") or "The run failed"),
        **code,
    }


def _interrupts(values: Any) -> list[JsonObject]:
    waiting = values.get("__interrupt__") if isinstance(values, dict) else None
    return [_interrupt(one) for one in waiting or () if isinstance(one, dict)]


def _interrupt(one: JsonObject) -> JsonObject:
    """Return a graph's interrupt in AG-UI's shape, built like that of `@ag-ui/langgraph` 0.0.43."""
    raw = one.get("value")
    given = raw if isinstance(raw, dict) else {}
    shown: JsonObject = {"id": str(one.get("id")), "reason": str(given.get("reason") or "langgraph:interrupt")}
    for name, spellings in _OWN_FIELDS.items():
        value = next((given[spelling] for spelling in spellings if spelling in given), None)
        if isinstance(value, dict if name == "responseSchema" else str):
            shown[name] = value
    if isinstance(raw, str):
        shown["message"] = raw
    return {**shown, "metadata": {"langgraph": {"raw": raw}}}


def _legacy_interrupt(raw: Any) -> Event:
    value = raw if isinstance(raw, str) else msgspec.json.encode(raw).decode()
    return {"type": "CUSTOM", "name": "on_interrupt", "value": value}
