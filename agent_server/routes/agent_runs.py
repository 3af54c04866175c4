"""Runs in the shape of LangChain's Agent Protocol, for requests that name their assistant as `agent_id`.

Source: https://github.com/langchain-ai/agent-protocol, `openapi.json` 0.1.6.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

import msgspec
from litestar.types import ASGIApp
from msgspec import Raw, Struct

from agent_server.asgi.json_codec import encode
from agent_server.routes.run_responses import respond_at_end, respond_or_not_found
from agent_server.runs.queue import Runs
from agent_server.runs.records import Record
from agent_server.schema import JsonObject, Run, StreamMode
from agent_server.streams.run_streams import RunStreams

Status = Literal["pending", "error", "success", "timeout", "interrupted"]
_MODES: tuple[StreamMode, ...] = ("values", "messages", "updates", "custom")


class AgentRun(Struct):
    """A run in the protocol's shape."""

    run_id: str
    thread_id: str
    agent_id: str
    created_at: str
    updated_at: str
    status: Status
    metadata: Raw
    input: Raw
    stream_mode: list[StreamMode]


class AgentRunEnd(Struct, omit_defaults=True):
    """A run at its end. `error` and `feedback` (a presigned URL for each key) extend the protocol."""

    run: AgentRun
    values: JsonObject | None = None
    messages: list[Any] | None = None
    error: Raw | None = None
    feedback: dict[str, str] | None = None


def build_run(record: Record) -> AgentRun:
    """Return a run in the protocol's shape."""
    run = record.run
    return AgentRun(
        run.run_id,
        run.thread_id,
        run.assistant_id,
        run.created_at,
        run.updated_at,
        "pending" if run.status == "running" else run.status,
        run.metadata,
        record.kwargs.input,
        [mode for mode in record.kwargs.stream_mode if mode in _MODES],
    )


def build_run_end(record: Record, urls: dict[str, str] | None) -> AgentRunEnd:
    """Return a run at its end, with its messages apart from its other values."""
    values = msgspec.json.decode(record.output or b"null")
    if values is not None and not isinstance(values, dict):
        values = {"output": values}
    messages = values.pop("messages", None) if values else None
    shown = [_message(one) for one in messages if isinstance(one, dict)] if isinstance(messages, list) else None
    return AgentRunEnd(build_run(record), values, shown, Raw(record.error) if record.error else None, urls)


_ROLES = {"human": "user", "ai": "assistant"}


def _message(message: JsonObject) -> JsonObject:
    """Return a chat message in the protocol's shape, which has a role in place of LangChain's type."""
    kind = str(message.get("type") or message.get("role"))
    return {"role": _ROLES.get(kind, kind), **{name: value for name, value in message.items() if value is not None}}


def run_end(
    run: Run, runs: Runs, streams: RunStreams, headers: Mapping[str, str], cancel_on_disconnect: bool = False
) -> ASGIApp:
    """Return a response of the run at its end: itself, its values, its messages; 404 if it is deleted meanwhile."""

    async def answer() -> AsyncIterator[bytes]:
        yield encode(build_run_end(*await streams.outcome(run.run_id, must_exist=True)))

    return respond_or_not_found(
        answer(), lambda chunks: respond_at_end(chunks, headers, runs, run, cancel_on_disconnect)
    )
