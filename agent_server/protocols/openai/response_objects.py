"""Runs as OpenAI's responses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from agent_server.protocols.openai.answers import Answer, ToolCall, Usage, read_answer, read_metadata, read_request
from agent_server.protocols.openai.errors import explain_missing_answer
from agent_server.protocols.openai.runs import CONVERSATION_ID
from agent_server.runs.records import Record
from agent_server.schema import JsonObject

RESPONSE_ID = "resp_"
_STATUSES = {
    "pending": "queued",
    "running": "in_progress",
    "success": "completed",
    "interrupted": "cancelled",
    "error": "failed",
    "timeout": "failed",
}


def response(record: Record, urls: dict[str, str] | None, token: str | None) -> JsonObject:
    """Return a run as a response: its output, its error, or neither before its end."""
    shown = response_head(record, token)
    if urls:
        shown["feedback"] = urls
    if (error := explain_missing_answer(record)) is not None and record.run.status in ("error", "timeout"):
        shown["error"] = {"code": "server_error", "message": error.message}
    if record.run.status == "success":
        shown |= response_end(record, read_answer(record))
    return shown


def response_head(record: Record, token: str | None) -> JsonObject:
    """Return the fields of a response that do not depend on the run's result."""
    stored, created = read_request(record), datetime.fromisoformat(record.run.created_at)
    head: JsonObject = {
        "id": f"{RESPONSE_ID}{record.run.run_id}",
        "object": "response",
        "created_at": int(created.timestamp()),
        "status": _STATUSES[record.run.status],
        "background": stored.background,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": read_metadata(record),
        "model": stored.model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": stored.previous_response_id,
        "store": not record.temporary,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
        "user": stored.user,
    }
    if stored.conversation:
        head["conversation"] = {"id": f"{CONVERSATION_ID}{record.run.thread_id}"}
    if not record.temporary:
        head["thread_id"] = record.run.thread_id
    if token:
        head["feedback_token"] = token
    return head


def response_end(record: Record, answer: Answer, output: Sequence[JsonObject] | None = None) -> JsonObject:
    """Return the fields of a completed response; `output` has the items that a stream has sent already."""
    end: JsonObject = {
        "status": "incomplete" if answer.is_cut else "completed",
        "completed_at": record.changed_at // 1_000_000,
        "output": list(output) if output is not None else build_output(record, answer),
        "usage": _usage(answer.usage) if answer.usage else None,
    }
    if answer.is_cut:
        end["incomplete_details"] = {"reason": "max_output_tokens"}
    if answer.interrupts:
        end["interrupts"] = answer.interrupts
    return end


def build_output(record: Record, answer: Answer) -> list[JsonObject]:
    """Return the output items of an answer."""
    items = [message_item(item_id(record, at), one.text) for at, one in enumerate(answer.texts)]
    return items + [call_item(item_id(record, len(items) + at), call) for at, call in enumerate(answer.calls)]


def item_id(record: Record, at: int) -> str:
    """Return the id of an output item, by its place in the output."""
    return f"item_{record.run.run_id.replace('-', '')}_{at}"


def message_item(own_id: str, text: str | None) -> JsonObject:
    """Return a message of the agent as an output item; without a text, one that has just begun."""
    parts = [] if text is None else [text_part(text)]
    status = "in_progress" if text is None else "completed"
    return {"id": own_id, "type": "message", "role": "assistant", "status": status, "content": parts}


def text_part(text: str) -> JsonObject:
    """Return a text as the content of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def call_item(own_id: str, call: ToolCall, has_begun_only: bool = False) -> JsonObject:
    """Return a call of the client's function as an output item."""
    return {
        "id": own_id,
        "type": "function_call",
        "call_id": call.id,
        "name": call.name,
        "arguments": "" if has_begun_only else call.arguments,
        "status": "in_progress" if has_begun_only else "completed",
    }


def _usage(usage: Usage) -> JsonObject:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }
