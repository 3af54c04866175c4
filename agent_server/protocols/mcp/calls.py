"""`tools/call`: the conversion of a call to a run, and of the run's end to a tool result."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from agent_server.asgi.json_codec import encode
from agent_server.errors import Invalid
from agent_server.protocols.mcp.feedback import read_wanted_keys
from agent_server.protocols.mcp.requests import RESUME_KEY, RUN_KEY, THREAD_KEY, McpRequest
from agent_server.protocols.run_errors import describe_run_error
from agent_server.runs.records import Record
from agent_server.schema import JsonObject

REPORTING: list[str] = ["values", "updates", "custom"]
"""The stream modes of a run whose client wants progress."""


class Declined(Exception):
    """The user declined the agent's question."""


class Call(Struct):
    """One call of an assistant's tool."""

    body: JsonObject
    """The run's request, in the shape of `RunCreate`."""
    thread_id: str | None
    """The thread to run on; None for a stateless run."""


class _Thread(Struct):
    """The `thread` of a request's `_meta`; without an id it requests a new thread."""

    thread_id: str | None = None


class _State(Struct, forbid_unknown_fields=True):
    """The content of `requestState`, which the client returns with the user's input."""

    thread_id: str
    interrupts: list[str]


def parse_call(request: McpRequest, assistant_id: str, arguments: JsonObject) -> Call:
    """Return the request's call. Errors: `Invalid`, `Declined`."""
    context = {} if request.params.get("context") is None else {"context": request.params["context"]}
    body: JsonObject = {
        "assistant_id": assistant_id,
        "input": arguments,
        "feedback_keys": read_wanted_keys(request),
        "metadata": {"mcp": {"request_id": request.id, "session_id": request.session_id}},
        **context,
    }
    if request.progress_token is not None:
        body["stream_mode"] = REPORTING
        body["metadata"]["mcp"]["progress_token"] = request.progress_token
    thread_id, on_new_thread = _read_thread(request)
    if (answer := _read_reply(request)) is not None:
        thread_id, resume = answer
        body |= {"input": None, "command": {"resume": resume}}
    elif RESUME_KEY in request.meta:
        if thread_id is None:
            raise Invalid(f'_meta["{RESUME_KEY}"] needs the thread that waits, as _meta["{THREAD_KEY}"]')
        body |= {"input": None, "command": {"resume": request.meta[RESUME_KEY]}}
    elif thread_id is not None:
        body["if_not_exists"] = "create"
    if thread_id is None and (on_new_thread or request.can_be_asked):
        body["on_completion"] = "keep"
    return Call(body, thread_id)


def _read_thread(request: McpRequest) -> tuple[str | None, bool]:
    """Return the request's thread id, and whether it requests a new thread."""
    given = request.meta.get(THREAD_KEY)
    if given is None:
        return None, False
    try:
        thread_id = given if isinstance(given, str) else msgspec.convert(given, _Thread).thread_id
    except msgspec.ValidationError as error:
        raise Invalid(
            f'_meta["{THREAD_KEY}"]: {error}; send {{"thread_id": "<uuid>"}}, or {{}} for a new one'
        ) from None
    return thread_id, thread_id is None


def _read_reply(request: McpRequest) -> tuple[str, Any] | None:
    """Return the waiting thread and its user's reply, if the request has one (2026-07-28)."""
    given = request.params.get("requestState")
    if not request.is_modern or given is None:
        return None
    try:
        state = msgspec.json.decode(base64.urlsafe_b64decode(str(given)), type=_State)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise Invalid("requestState is not one of this server's; send it back as it came") from None
    responses = request.params.get("inputResponses")
    if not isinstance(responses, dict):
        raise Invalid("inputResponses must be an object with a response for each of inputRequests")
    answers = {name: _content(name, responses.get(name)) for name in state.interrupts}
    return state.thread_id, answers[state.interrupts[0]] if len(answers) == 1 else answers


def _content(name: str, response: Any) -> Any:
    """Return the user's input in a form. Errors: `Declined`, `Invalid`."""
    if not isinstance(response, dict) or response.get("action") not in ("accept", "decline", "cancel"):
        raise Invalid(f"inputResponses[{name!r}] must be an object with an action: accept, decline or cancel")
    if response["action"] != "accept":
        raise Declined("The user gave no answer, so the agent still waits for one")
    content = response.get("content")
    return content["answer"] if isinstance(content, dict) and content.keys() == {"answer"} else content


def tool_result(record: Record) -> JsonObject:
    """Return the tool result of an ended run, without `_meta`."""
    if record.error is not None:
        return error_result(describe_run_error(record.error))
    if record.run.status == "interrupted":
        return error_result("The run was cancelled before it came to an end")
    if record.run.status != "success":
        return error_result(f"The run has not ended; its status is {record.run.status}")
    values = msgspec.json.decode(record.output or b"null")
    structured = values if isinstance(values, dict) else {"result": values}
    return {"content": [_text(encode(values).decode())], "structuredContent": structured, "isError": False}


def place_meta(record: Record) -> JsonObject:
    """Return the `_meta` entries for the run, and for its thread if it persists."""
    run = {"run_id": record.run.run_id, "status": record.run.status}
    if record.temporary:
        return {RUN_KEY: run}
    return {RUN_KEY: run, THREAD_KEY: {"thread_id": record.run.thread_id}}


def list_interrupts(record: Record) -> list[JsonObject]:
    """Return the interrupts that the run waits for; an empty list if it is over."""
    if record.run.status != "success" or b'"__interrupt__"' not in (record.output or b""):
        return []
    values = msgspec.json.decode(record.output or b"null")
    waiting = values.get("__interrupt__") if isinstance(values, dict) else None
    return [one for one in waiting or () if isinstance(one, dict) and isinstance(one.get("id"), str)]


def build_input_required(record: Record, interrupts: list[JsonObject]) -> JsonObject:
    """Return the result of a run that waits for its user, with a form for each interrupt (2026-07-28)."""
    state = _State(record.run.thread_id, [one["id"] for one in interrupts])
    return {
        "resultType": "input_required",
        "inputRequests": {one["id"]: _elicitation(one.get("value")) for one in interrupts},
        "requestState": base64.urlsafe_b64encode(msgspec.json.encode(state)).decode(),
    }


_ANSWER: JsonObject = {
    "type": "object",
    "properties": {"answer": {"type": "string", "title": "Answer"}},
    "required": ["answer"],
}


def _elicitation(value: Any) -> JsonObject:
    """Return the form for an agent's question: with the question's `schema`, or one text field."""
    schema = value.get("schema") if isinstance(value, Mapping) else None
    is_form = isinstance(schema, dict) and schema.get("type") == "object" and isinstance(schema.get("properties"), dict)
    params = {"mode": "form", "message": _question(value), "requestedSchema": schema if is_form else _ANSWER}
    return {"method": "elicitation/create", "params": params}


def _question(value: Any) -> str:
    if isinstance(value, Mapping):
        for name in ("message", "question", "prompt", "description"):
            if isinstance(value.get(name), str):
                return str(value[name])
    return value if isinstance(value, str) else encode(value).decode()


def error_result(text: str) -> JsonObject:
    """Return a tool's error result, which a model can read and correct."""
    return {"content": [_text(text)], "isError": True}


def _text(text: str) -> JsonObject:
    return {"type": "text", "text": text}
