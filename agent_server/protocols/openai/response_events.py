"""The events of a response that is streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from agent_server.asgi.json_codec import encode
from agent_server.protocols.openai.answers import ToolCall, read_answer
from agent_server.protocols.openai.errors import explain_missing_answer
from agent_server.protocols.openai.response_objects import (
    call_item,
    item_id,
    message_item,
    response,
    response_end,
    response_head,
    text_part,
)
from agent_server.protocols.openai.runs import StartedRun
from agent_server.schema import JsonObject


class _Message:
    """A message of the output, while its words come."""

    def __init__(self, own_id: str, index: int) -> None:
        self.id = own_id
        self.index = index
        self.text = ""
        self.is_done = False


class ResponseStream:
    """Makes the events of one run; the same ones each time, so that a client can go on after any of them."""

    def __init__(self, started: StartedRun, after: int = -1) -> None:
        """`after` is the number of the last event that the client has."""
        self._started = started
        self._after = after
        self._number = 0
        self._messages: dict[str, _Message] = {}
        self._output: dict[int, JsonObject] = {}
        self._items = 0

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the events of the run, to its end."""
        async for event in self._events():
            event["sequence_number"] = self._number
            if self._number > self._after:
                yield b"event: %b\ndata: %b\n\n" % (event["type"].encode(), encode(event))
            self._number += 1

    async def _events(self) -> AsyncIterator[JsonObject]:
        started = self._started
        head = {**response_head(started.record, started.token), "status": "in_progress"}
        yield {"type": "response.created", "response": head}
        yield {"type": "response.in_progress", "response": head}
        words = started.words()
        async for word in words.read():
            for event in self._words(word.message_id, word.text, word.is_last):
                yield event
        for event in await self._build_last(words.urls):
            yield event

    async def _build_last(self, urls: dict[str, str] | None) -> list[JsonObject]:
        record, token = await self._started.wait_for_end(), self._started.token
        if explain_missing_answer(record) is not None:
            kind = "failed" if record.error is not None else "incomplete"
            events = [event for one in self._messages.values() for event in self._build_done_events(one)]
            shown = {**response(record, urls, token), "output": list(self._output.values())}
            return [*events, {"type": f"response.{kind}", "response": shown}]
        answer = read_answer(record)
        events = []
        for text in answer.texts:
            if text.id not in self._messages:
                events += self._words(text.id, text.text, True)
        events += [event for one in self._messages.values() for event in self._build_done_events(one)]
        for call in answer.calls:
            events += self._call(call)
        end = response_end(record, answer, [self._output[index] for index in sorted(self._output)])
        kind = "incomplete" if answer.is_cut else "completed"
        shown = {**response_head(record, token), **({"feedback": urls} if urls else {}), **end}
        return [*events, {"type": f"response.{kind}", "response": shown}]

    def _words(self, message_id: str, text: str, is_last: bool) -> Iterator[JsonObject]:
        message = self._messages.get(message_id)
        if message is None and text:
            message = self._messages[message_id] = _Message(item_id(self._started.record, self._items), self._items)
            self._items += 1
            item = message_item(message.id, None)
            yield {"type": "response.output_item.added", "output_index": message.index, "item": item}
            yield {"type": "response.content_part.added", **_place(message), "part": text_part("")}
        if message is None or message.is_done:
            return
        if text:
            message.text += text
            yield {"type": "response.output_text.delta", **_place(message), "delta": text, "logprobs": []}
        if is_last:
            yield from self._build_done_events(message)

    def _build_done_events(self, message: _Message) -> Iterator[JsonObject]:
        if message.is_done:
            return
        message.is_done = True
        item = self._output[message.index] = message_item(message.id, message.text)
        yield {"type": "response.output_text.done", **_place(message), "text": message.text, "logprobs": []}
        yield {"type": "response.content_part.done", **_place(message), "part": text_part(message.text)}
        yield {"type": "response.output_item.done", "output_index": message.index, "item": item}

    def _call(self, call: ToolCall) -> Iterator[JsonObject]:
        index, own_id = self._items, item_id(self._started.record, self._items)
        self._items += 1
        place = {"item_id": own_id, "output_index": index}
        item = self._output[index] = call_item(own_id, call)
        begun = call_item(own_id, call, has_begun_only=True)
        yield {"type": "response.output_item.added", "output_index": index, "item": begun}
        yield {"type": "response.function_call_arguments.delta", **place, "delta": call.arguments}
        yield {
            "type": "response.function_call_arguments.done",
            **place,
            "name": call.name,
            "arguments": call.arguments,
        }
        yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _place(message: _Message) -> JsonObject:
    return {"item_id": message.id, "output_index": message.index, "content_index": 0}
