"""Chat completions: the conversion of a request to a run, and the response to it."""

from __future__ import annotations

from litestar.types import ASGIApp

from agent_server.protocols.openai.answers import Request
from agent_server.protocols.openai.completions import CompletionStream, completion
from agent_server.protocols.openai.ending import respond_at_end, respond_with_events
from agent_server.protocols.openai.errors import BadParameter
from agent_server.protocols.openai.messages import chat_messages
from agent_server.protocols.openai.runs import OpenAIRuns, Turn, list_functions
from agent_server.protocols.openai.schema import ChatRequest
from agent_server.protocols.services import RequestServices

THREAD_HEADER = "x-thread-id"
_JSON_FORMATS = ("json_object", "json_schema")


async def complete_chat(services: RequestServices, asked: ChatRequest) -> ASGIApp:
    """Run the agent that the request names; return its completion, or the stream of it."""
    _check_supported(asked)
    runs = OpenAIRuns(services)
    named = asked.thread_id or _read_thread(services, asked)
    turn = Turn(
        asked=asked,
        messages=chat_messages(asked.messages),
        stored=Request(asked.model, list_functions(asked)),
        thread_id=runs.derive_thread_id(named) if named else None,
        keeps_thread=bool(asked.store),
        sends_all=True,
        json_parameter="response_format" if (asked.response_format or {}).get("type") in _JSON_FORMATS else None,
    )
    started = await runs.start(turn)
    if not asked.stream:
        return respond_at_end(started, completion)
    includes_usage = bool(asked.stream_options and asked.stream_options.include_usage)
    return respond_with_events(started, CompletionStream(started, includes_usage).events())


def _read_thread(services: RequestServices, asked: ChatRequest) -> str | None:
    """Return the thread in the metadata or the header, for clients that cannot add a field to the body."""
    named = (asked.metadata or {}).get("thread_id") or services.http.headers.get(THREAD_HEADER)
    if named is not None and not isinstance(named, str):
        raise BadParameter("metadata.thread_id", "thread_id must be a string")
    return named[:1000] if named else None


def _check_supported(asked: ChatRequest) -> None:
    """Return if the server supports the request. Errors: `BadParameter`."""
    for name, is_unsupported, message in (
        ("n", asked.n not in (None, 1), "A run has one answer: leave n out, or send 1"),
        ("logprobs", bool(asked.logprobs), "Agents have no log probabilities: leave logprobs out"),
        ("modalities", bool(set(asked.modalities or ()) - {"text"}), "Answers are texts: leave modalities out"),
        ("functions", bool(asked.functions), "functions is deprecated: send tools"),
    ):
        if is_unsupported:
            raise BadParameter(name, message, "unsupported")
