"""A run's end in WorkflowAI's shape."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from agent_server.protocols.workflowai.errors import explain_missing_output
from agent_server.protocols.workflowai.output import task_output, tool_call_requests
from agent_server.protocols.workflowai.schema import ErrorResponse, RunResponse, Version, VersionUsed
from agent_server.runs.records import Record
from agent_server.schema import JsonObject

OURS = ("graph_id", "assistant_id")
"""Metadata that the server adds to a run."""


def run_response(record: Record, asked: Version, token: str | None) -> RunResponse | ErrorResponse:
    """Return the response for an ended run: its output or its error."""
    values = msgspec.json.decode(record.output) if record.output else None
    if record.run.status != "success":
        output = task_output(values) if values else UNSET
        return ErrorResponse(explain_missing_output(record), record.run.run_id, output, token or UNSET)
    return RunResponse(
        id=record.run.run_id,
        task_output=task_output(values),
        version=VersionUsed(str(record.assistant_version), asked if isinstance(asked, dict) else {}),
        duration_seconds=_duration(record),
        conversation_id=record.run.thread_id,
        metadata=_metadata(record),
        feedback_token=token or UNSET,
        tool_call_requests=tool_call_requests(values) or UNSET,
    )


def last_chunk(response: RunResponse | ErrorResponse) -> RunResponse | ErrorResponse:
    """Return the response as the last event of a stream.

    An error has no `id` in a stream: the Python SDK reads every event with an `id` as output, and reads an error only
    from an event that is not valid output.
    """
    return ErrorResponse(response.error) if isinstance(response, ErrorResponse) else response


def _duration(record: Record) -> float:
    """Return the seconds from the request to the end. The Python SDK treats a run without them as unfinished."""
    began = datetime.fromisoformat(record.run.created_at).timestamp()
    return max(0.0, round(record.changed_at / 1_000_000 - began, 6))


def _metadata(record: Record) -> JsonObject:
    given: dict[str, Any] = msgspec.json.decode(record.run.metadata)
    return {name: value for name, value in given.items() if name not in OURS}
