"""Agents for WorkflowAI's clients: graphs and plain functions, with answers of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class Greeting(TypedDict, total=False):
    name: str
    greeting: str
    tokens: int


async def greet(state: Greeting) -> Greeting:
    return {"greeting": f"Hello {state['name']} \u2028 é\n<1>"}


async def count(state: Greeting) -> Greeting:
    return {"tokens": len(state["greeting"])}


my_agent = (
    StateGraph(Greeting)
    .add_node(greet)
    .add_node(count)
    .add_edge(START, "greet")
    .add_edge("greet", "count")
    .compile(name="my agent")
)


async def growing(given: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    """Yield results that grow word by word."""
    words: list[str] = []
    for word in given["text"].split():
        words.append(word)
        yield {"text": " ".join(words)}
        await asyncio.sleep(0.01)


async def talk(state: MessagesState) -> dict[str, Any]:
    text = f"You said: {state['messages'][-1].content}, after {len(state['messages']) - 1}"
    return {"messages": [await GenericFakeChatModel(messages=iter([AIMessage(text)])).ainvoke(state["messages"])]}


talking = StateGraph(MessagesState).add_node(talk).add_edge(START, "talk").compile()


async def broken(given: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    yield {"text": "so far"}
    raise ValueError(f"no {given['text']} é")


class Sum(TypedDict, total=False):
    numbers: list[int]
    total: Any


async def add(state: Sum) -> Sum:
    return {"total": interrupt({"name": "add", "args": {"numbers": state["numbers"]}})}


calling = StateGraph(Sum).add_node(add).add_edge(START, "add").compile()


async def slow(given: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    """Yield a text, then nothing for a while."""
    yield {"text": "wait"}
    await asyncio.sleep(given["seconds"])
    yield {"text": "done"}
