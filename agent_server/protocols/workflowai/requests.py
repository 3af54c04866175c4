"""Conversion of WorkflowAI's requests to run requests of this server."""

from __future__ import annotations

import re
from uuid import UUID, uuid5

import msgspec

from agent_server.errors import BadRequest, Conflict, Invalid, NotFound
from agent_server.protocols.workflowai.schema import ReplyRequest, RunBase, RunRequest
from agent_server.runs.records import Record
from agent_server.schema import JsonObject

CONVERSATIONS = UUID("6f9a0f5e-6f5b-4c1e-9e0e-1d1c7f0a4b52")
"""The namespace of thread ids derived from conversation names."""
ENVIRONMENTS = ("dev", "staging", "production")
OWN_TENANT = "_"
NUMBER = re.compile(r"\d{1,9}", re.ASCII)


def check_tenant(tenant: str, project: str | None) -> None:
    """Return if the path names the API key's tenant. Errors: `NotFound`."""
    if tenant not in (OWN_TENANT, project or "default"):
        raise NotFound(f"There is no tenant {tenant!r} for this API key; use `_`, which is the API key's own")


def check_supported(request: RunRequest) -> None:
    """Return if the server supports the request. Errors: `BadRequest`."""
    if request.private_fields:
        raise BadRequest(
            f"private_fields {request.private_fields!r}: this server stores the input and output of a run; leave "
            "private_fields out, or do not send what must not be stored"
        )


def derive_thread_id(conversation: str | None, owner: str) -> str | None:
    """Return the thread id of a conversation: the conversation itself if it is a UUID, or an id derived from its name.

    `owner` (the request's project and user) separates conversations with the same name.
    """
    if conversation is None:
        return None
    try:
        return str(UUID(conversation))
    except ValueError:
        return str(uuid5(CONVERSATIONS, f"{owner}\0{conversation}"))


def assistant_version(asked: RunBase) -> int | None:
    """Return the version of the assistant to run, or None for the latest. Errors: `NotFound`."""
    version = asked.version
    if isinstance(version, dict) or version in ENVIRONMENTS:
        return None
    number = int(version) if NUMBER.fullmatch(str(version)) else 0
    if number < 1:
        raise NotFound(
            f"There is no version {version!r}; send the number of a version of the assistant, or one of "
            f"{', '.join(ENVIRONMENTS)} for the latest"
        )
    return number


def run_body(asked: RunRequest, assistant_id: str, modes: list[str]) -> JsonObject:
    """Return the body of the run that `asked` describes."""
    return _body(asked, assistant_id, modes) | {"input": asked.task_input}


def reply_body(asked: ReplyRequest, assistant_id: str, modes: list[str], waiting: list[str]) -> JsonObject:
    """Return the body of the run that continues a conversation.

    If the agent waits with the interrupts `waiting`, the reply resumes them; otherwise it is a new message. Errors:
    `BadRequest` if the reply is empty, `Conflict` if nothing waits for its tool results.
    """
    body = _body(asked, assistant_id, modes)
    if asked.tool_results:
        return body | {"command": {"resume": _results(asked, waiting)}}
    if asked.user_message is None:
        raise BadRequest("The reply has neither user_message nor tool_results; send one of them")
    if waiting:
        return body | {"command": {"resume": dict.fromkeys(waiting, asked.user_message)}}
    return body | {"input": {"messages": [{"role": "user", "content": asked.user_message}]}}


def _results(asked: ReplyRequest, waiting: list[str]) -> JsonObject:
    results = asked.tool_results or []
    if unknown := [one.id for one in results if one.id not in waiting]:
        raise Conflict(f"The agent does not wait for the tool calls {', '.join(unknown)}; they have results already")
    return {one.id: one.output if one.error is None else {"error": one.error} for one in results}


def _body(asked: RunBase, assistant_id: str, modes: list[str]) -> JsonObject:
    body: JsonObject = {"assistant_id": assistant_id, "stream_mode": modes, "on_completion": "keep"}
    labels = {"labels": asked.labels} if asked.labels else {}
    if metadata := {**labels, **(asked.metadata or {})}:
        body["metadata"] = metadata
    if isinstance(asked.version, dict):
        body["config"] = {"configurable": {"version_properties": asked.version}}
    return body


def list_waiting_interrupts(record: Record) -> list[str]:
    """Return the ids of the interrupts that the run ended with."""
    values = msgspec.json.decode(record.output) if record.output else None
    waiting = values.get("__interrupt__") if isinstance(values, dict) else None
    return [one["id"] for one in waiting or ()]


def client_run_id(text: str | None) -> str | None:
    """Return the client's id for its run. Errors: `Invalid` if it is not a UUID."""
    if text is None:
        return None
    try:
        return str(UUID(text))
    except ValueError:
        raise Invalid(f"id is {text!r}; it must be a UUID (version 7), or left out") from None


def stable_number(text: str) -> int:
    """Return a positive number derived from `text`, because the clients read some ids as numbers."""
    return int.from_bytes(uuid5(CONVERSATIONS, text).bytes[:4]) >> 1
