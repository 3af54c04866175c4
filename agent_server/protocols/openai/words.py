"""The agent's texts in a run's log, while it runs, and its feedback URLs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import Struct

from agent_server.asgi.sse import frame_data
from agent_server.broker import START, Frame
from agent_server.protocols.openai.content import read_text
from agent_server.runs.records import Record
from agent_server.streams.run_streams import RunStreams


class Word(Struct):
    """A piece of a text, with the id of its message."""

    message_id: str
    text: str
    is_last: bool
    """Whether the message is complete."""


class Words:
    """Reads a run's log. Afterwards, `urls` has the run's feedback URLs."""

    def __init__(self, streams: RunStreams, record: Record, speaks: bool) -> None:
        """Without `speaks`, the agent's answer is its final state, and no words come before it."""
        self._streams = streams
        self._record = record
        self._speaks = speaks
        self.urls: dict[str, str] | None = None

    async def read(self) -> AsyncIterator[Word]:
        """Yield the agent's words to the run's end. Errors: as `RunStreams.follow`."""
        async for frames in self._streams.frames(self._record, START):
            for one in frames:
                if one.event == "feedback":
                    self.urls = msgspec.json.decode(frame_data(one.data), type=dict[str, str])
                elif one.event == "messages" and self._speaks and (word := _word(one)) is not None:
                    yield word


def _word(frame: Frame) -> Word | None:
    data: Any = msgspec.json.decode(frame_data(frame.data))
    chunk = data[0] if isinstance(data, list) and data else None
    if not isinstance(chunk, dict) or chunk.get("type") not in ("AIMessageChunk", "ai"):
        return None
    text = read_text(chunk.get("content"))
    is_last = chunk["type"] == "ai" or chunk.get("chunk_position") == "last"
    return Word(str(chunk.get("id")), text, is_last) if text or is_last else None
