"""The bodies and the stream of a chat completion."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from msgspec import to_builtins

from agent_server.asgi.json_codec import encode
from agent_server.protocols.openai.answers import Answer, ToolCall, Usage, read_answer, read_metadata, read_request
from agent_server.protocols.openai.errors import explain_missing_answer
from agent_server.protocols.openai.runs import StartedRun
from agent_server.protocols.openai.schema import ErrorResponse
from agent_server.runs.records import Record
from agent_server.schema import JsonObject

COMPLETION_ID = "chatcmpl-"
BETWEEN_TEXTS = "\n\n"
DONE = b"data: [DONE]\n\n"


def completion(record: Record, urls: dict[str, str] | None, token: str | None) -> JsonObject:
    """Return the completion of a run that has ended without an error."""
    answer = read_answer(record)
    message: JsonObject = {"role": "assistant", "content": _content(answer), "refusal": None}
    if answer.calls:
        message["tool_calls"] = [_tool_call(call) for call in answer.calls]
    choice = {"index": 0, "message": message, "logprobs": None, **_end(answer, urls, token)}
    return {
        **_head(record, "chat.completion"),
        "choices": [choice],
        "usage": _usage(answer.usage) if answer.usage else None,
        "metadata": read_metadata(record),
    }


class CompletionStream:
    """The events of a chat completion that is streamed."""

    def __init__(self, started: StartedRun, includes_usage: bool) -> None:
        self._started = started
        self._includes_usage = includes_usage
        self._head = _head(started.record, "chat.completion.chunk")
        self._seen: list[str] = []
        """The ids of the messages of which the client has got words, the current one last."""

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the agent's words, then the end of the run."""
        yield self._event(self._chunk({"role": "assistant", "content": ""}))
        words = self._started.words()
        async for word in words.read():
            if word.text:
                yield self._event(self._chunk({"content": self._join_text(word.message_id, word.text)}))
        record = await self._started.wait_for_end()
        if (error := explain_missing_answer(record)) is not None:
            yield self._event(to_builtins(ErrorResponse(error)))
            return
        for event in self._build_last(read_answer(record), words.urls):
            yield event
        yield DONE

    def _build_last(self, answer: Answer, urls: dict[str, str] | None) -> list[bytes]:
        unseen = [one for one in answer.texts if one.id not in self._seen]
        chunks = [self._chunk({"content": self._join_text(one.id, one.text)}) for one in unseen]
        if answer.calls:
            calls = [{"index": at, **_tool_call(call)} for at, call in enumerate(answer.calls)]
            chunks.append(self._chunk({"tool_calls": calls}))
        chunks.append(self._chunk({}, **_end(answer, urls, self._started.token)))
        if self._includes_usage and answer.usage:
            chunks.append({**self._head, "choices": [], "usage": _usage(answer.usage)})
        return [self._event(chunk) for chunk in chunks]

    def _join_text(self, message_id: str, text: str) -> str:
        """Return the text, after a blank line if another message came before."""
        is_first, is_new = not self._seen, not self._seen or self._seen[-1] != message_id
        if is_new:
            self._seen.append(message_id)
        return text if is_first or not is_new else BETWEEN_TEXTS + text

    def _chunk(self, delta: JsonObject, **end: Any) -> JsonObject:
        return {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": None, **end}]}

    def _event(self, body: JsonObject) -> bytes:
        return b"data: %b\n\n" % encode(body)


def _head(record: Record, kind: str) -> JsonObject:
    created = int(datetime.fromisoformat(record.run.created_at).timestamp())
    thread = {} if record.temporary else {"thread_id": record.run.thread_id}
    return {
        "id": f"{COMPLETION_ID}{record.run.run_id}",
        "object": kind,
        "created": created,
        "model": read_request(record).model,
        **thread,
    }


def _content(answer: Answer) -> str | None:
    if answer.calls and not answer.texts:
        return None
    return BETWEEN_TEXTS.join(one.text for one in answer.texts)


def _end(answer: Answer, urls: dict[str, str] | None, token: str | None) -> JsonObject:
    """Return the fields of a choice that come at its end."""
    end: JsonObject = {"finish_reason": _finish_reason(answer)}
    if token:
        end["feedback_token"] = token
    if urls:
        end["feedback"] = urls
    if answer.interrupts:
        end["interrupts"] = answer.interrupts
    return end


def _finish_reason(answer: Answer) -> str:
    if answer.calls:
        return "tool_calls"
    return "length" if answer.is_cut else "stop"


def _tool_call(call: ToolCall) -> JsonObject:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _usage(usage: Usage) -> JsonObject:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
