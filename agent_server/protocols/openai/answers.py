"""What a run has answered: the agent's texts, tool calls for the client, questions, and token usage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from agent_server.asgi.json_codec import encode
from agent_server.errors import Invalid
from agent_server.protocols.openai.content import read_text
from agent_server.runs.records import Record
from agent_server.schema import JsonObject, canonical_id

METADATA_KEY = "openai"
"""The member of a run's metadata that has its `Request`."""
_OURS = (METADATA_KEY, "graph_id", "assistant_id", "traceparent")
_AGENTS, _USERS = ("ai", "AIMessageChunk", "assistant"), ("human", "user")
_CUT = ("length", "max_tokens", "MAX_TOKENS")
_CALL = "call_"
_HEX = 32
QUESTION = "interrupt"
"""The name of the client's function for questions that are no calls of a function."""


class Request(Struct, omit_defaults=True):
    """What is stored of a request in its run's metadata, to show the run again."""

    model: str
    functions: list[str] = []
    """The names of the functions that the client executes."""
    after: str | None = None
    """The id of the last message that the thread had before the run."""
    previous_response_id: str | None = None
    conversation: str | None = None
    background: bool = False
    user: str | None = None


class ToolCall(Struct):
    """A call of a function, for the client to execute."""

    id: str
    name: str
    arguments: str


class Text(Struct):
    """One text of the agent, with the id of its message."""

    id: str
    text: str


class Usage(Struct):
    """The tokens that the agent's models have used."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """The tokens of input and output together."""
        return self.input + self.output


class Answer(Struct):
    """The answer of an ended run."""

    texts: list[Text]
    calls: list[ToolCall]
    interrupts: list[JsonObject]
    """What the agent asks, each with its id."""
    usage: Usage | None
    is_cut: bool
    """Whether the model reached its limit of tokens."""


def read_request(record: Record) -> Request:
    """Return what is stored of the run's request; of a run of another protocol, its assistant as the model."""
    own = msgspec.json.decode(record.run.metadata).get(METADATA_KEY)
    try:
        return msgspec.convert(own, Request)
    except msgspec.ValidationError:
        return Request(record.graph_id)


def read_metadata(record: Record) -> JsonObject:
    """Return the metadata that the client has given its run."""
    given: JsonObject = msgspec.json.decode(record.run.metadata)
    return {name: value for name, value in given.items() if name not in _OURS}


def read_answer(record: Record) -> Answer:
    """Return the answer of a run that has ended without an error."""
    values = msgspec.json.decode(record.output or b"null")
    messages = values.get("messages") if isinstance(values, dict) else None
    new = _new_messages(messages, record) if isinstance(messages, list) else []
    interrupts = list_waiting_interrupts(record)
    texts = [Text(str(one.get("id")), text) for one in new if (text := read_text(one.get("content")))]
    if not isinstance(messages, list) and not interrupts:
        texts = [Text(f"run-{record.run.run_id}", values if isinstance(values, str) else encode(values).decode())]
    calls = _list_pending_calls(messages, new) if isinstance(messages, list) else []
    functions = [] if record.temporary else read_request(record).functions
    for interrupt in interrupts:
        if (call := _convert_to_call(interrupt, functions, record)) is not None:
            calls.append(call)
        else:
            texts.append(Text(f"interrupt-{interrupt['id']}", _question(interrupt["value"])))
    return Answer(texts, calls, interrupts, _usage(new), bool(new) and _is_cut(new[-1]))


def list_waiting_interrupts(record: Record) -> list[JsonObject]:
    """Return what the agent asks at the run's end: `{"id", "value"}` each."""
    if record.run.status != "success" or b'"__interrupt__"' not in (record.output or b""):
        return []
    values = msgspec.json.decode(record.output or b"null")
    waiting = values.get("__interrupt__") if isinstance(values, dict) else None
    return [{"id": one["id"], "value": one.get("value")} for one in waiting or () if isinstance(one, dict)]


def last_message_id(record: Record) -> str | None:
    """Return the id of the last message that the run has left on its thread."""
    values = msgspec.json.decode(record.output or b"null")
    messages = values.get("messages") if isinstance(values, dict) else None
    last = messages[-1] if isinstance(messages, list) and messages else None
    return last.get("id") if isinstance(last, dict) else None


def _new_messages(messages: list[Any], record: Record) -> list[JsonObject]:
    """Return the agent's messages of this run: those after the run's input, or after the last message before it."""
    given: Any = msgspec.json.decode(bytes(record.kwargs.input))
    sent = given.get("messages") if isinstance(given, dict) else None
    known = {one.get("id") for one in (sent if isinstance(sent, list) else ()) if isinstance(one, dict)}
    known = (known | {read_request(record).after}) - {None}
    marks = [at for at, one in enumerate(messages) if _kind(one) in _USERS or _id(one) in known]
    return [one for one in messages[max(marks, default=-1) + 1 :] if _kind(one) in _AGENTS]


def _kind(message: Any) -> str:
    return str(message.get("type") or message.get("role")) if isinstance(message, dict) else ""


def _id(message: Any) -> Any:
    return message.get("id") if isinstance(message, dict) else None


def _list_pending_calls(messages: list[Any], new: list[JsonObject]) -> list[ToolCall]:
    """Return the tool calls of the agent's last message that have no result: the client has to execute them."""
    if not new or messages[-1] is not new[-1]:
        return []
    calls = new[-1].get("tool_calls")
    return [
        ToolCall(str(call.get("id")), str(call.get("name")), encode(call.get("args") or {}).decode())
        for call in (calls if isinstance(calls, list) else ())
        if isinstance(call, dict)
    ]


def _convert_to_call(interrupt: JsonObject, functions: Sequence[str], record: Record) -> ToolCall | None:
    """Return an interrupt as a call of one of the client's functions; None if it has none for it.

    The call is the interrupt's value, `{"name", "args"}` (LangChain's) or `{"name", "input"}`, or the function
    `interrupt` with the value.
    """
    value = interrupt["value"]
    call_id = f"{_CALL}{record.run.run_id.replace('-', '')}_{interrupt['id']}"
    if isinstance(value, dict) and value.get("name") in functions:
        given: JsonObject = next((value[name] for name in ("args", "input") if isinstance(value.get(name), dict)), {})
        return ToolCall(call_id, value["name"], encode(given).decode())
    if QUESTION in functions:
        return ToolCall(call_id, QUESTION, encode({"value": value}).decode())
    return None


def parse_call_id(call_id: str) -> tuple[str, str] | None:
    """Return the ids of the run and of its interrupt in the id of a call that `read_answer` made; None in others."""
    run_id, mark, interrupt_id = call_id.removeprefix(_CALL).partition("_")
    if not call_id.startswith(_CALL) or not mark or len(run_id) != _HEX:
        return None
    try:
        return canonical_id(run_id, "run"), interrupt_id
    except Invalid:
        return None


def _question(value: Any) -> str:
    if isinstance(value, dict):
        for name in ("message", "question", "prompt", "description"):
            if isinstance(value.get(name), str):
                return str(value[name])
    return value if isinstance(value, str) else encode(value).decode()


def _usage(messages: Sequence[JsonObject]) -> Usage | None:
    """Return the sum of the messages' usage; None where no message has any."""
    found = [used for one in messages if isinstance(used := one.get("usage_metadata"), dict)]
    if not found:
        return None
    return Usage(
        input=sum(_number(used, "input_tokens") for used in found),
        output=sum(_number(used, "output_tokens") for used in found),
        cached=sum(_number(used.get("input_token_details"), "cache_read") for used in found),
        reasoning=sum(_number(used.get("output_token_details"), "reasoning") for used in found),
    )


def _number(given: Any, name: str) -> int:
    value = given.get(name) if isinstance(given, dict) else None
    return value if isinstance(value, int) else 0


def _is_cut(message: JsonObject) -> bool:
    metadata = message.get("response_metadata")
    if not isinstance(metadata, dict):
        return False
    return (metadata.get("finish_reason") or metadata.get("stop_reason")) in _CUT
