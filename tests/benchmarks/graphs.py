"""The two measured graphs: served over HTTP, and run in the process for their lower bound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langgraph.graph import START, MessagesState, StateGraph
from typing_extensions import TypedDict

TOKENS = 1000
TINY_INPUT = {"x": 1}
CHAT_INPUT = {"messages": [{"role": "user", "content": "Go on."}]}


class Number(TypedDict):
    x: int


async def _add_one(state: Number) -> Number:
    return {"x": state["x"] + 1}


class ThousandTokens(GenericFakeChatModel):
    """Answers with `TOKENS` tokens as fast as they are read."""

    messages: Any = iter(())

    async def _astream(self, *_question: Any, **_options: Any) -> AsyncIterator[ChatGenerationChunk]:
        for _ in range(TOKENS - 1):
            yield ChatGenerationChunk(message=AIMessageChunk("word "))
        yield ChatGenerationChunk(message=AIMessageChunk("end.", chunk_position="last"))


_model = ThousandTokens()


async def _talk(state: MessagesState) -> dict[str, list[BaseMessage]]:
    return {"messages": [await _model.ainvoke(state["messages"])]}


tiny = StateGraph(Number).add_node("add_one", _add_one).add_edge(START, "add_one")
"""One node and one number, so that only the cost of running a graph is left."""
chat = StateGraph(MessagesState).add_node("talk", _talk).add_edge(START, "talk")
