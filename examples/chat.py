"""A chat agent with message history that tells jokes about databases.

It needs no API key and no network: without `AGENT_MODEL` in the environment a canned model answers. A real model
answers with, for example, `AGENT_MODEL=openai:gpt-4o-mini`, `pip install langchain langchain-openai` and an API key.
`AGENT_TOKEN_SECONDS` is the canned model's pause before each token.
"""

import asyncio
import itertools
import os
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langgraph.graph import START, MessagesState, StateGraph

JOKES = (
    "A SQL query walks into a bar, goes up to two tables and asks: may I join you?",
    "Why did the foreign key feel lonely? Nobody kept the reference.",
    "I would tell you a joke about NoSQL, but I have no tables to put it on.",
    "There are two hard things in databases: naming, cache invalidation and off-by-one rows.",
    "Why do indexes never get lost? They always know which page they are on.",
    "An eventually consistent database walks out of a bar. Then it walks in.",
    "How many transactions does it take to change a light bulb? Either one, or it was never dark.",
)

COMMON = {"tell", "joke", "about", "databases", "database", "there", "they", "never", "many", "what"}


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{4,}", text.lower()))


class CannedJokes(GenericFakeChatModel):
    """A model that streams a joke with a word of the question in it, or else the next joke."""

    messages: Iterator[AIMessage | str] = itertools.cycle(JOKES)
    token_seconds: float = 0.06

    async def _astream(
        self, messages: list[BaseMessage], *_more: Any, **_options: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        fitting = [joke for joke in JOKES if words(joke) & words(str(messages[-1].content)) - COMMON]
        tokens = re.findall(r"\s*\S+", fitting[0] if fitting else str(next(self.messages)))
        for token in tokens[:-1]:
            await asyncio.sleep(self.token_seconds)
            yield ChatGenerationChunk(message=AIMessageChunk(content=token))
        yield ChatGenerationChunk(message=AIMessageChunk(content=tokens[-1], chunk_position="last"))


def chat_model() -> BaseChatModel:
    """Return the model that `AGENT_MODEL` names, or the canned one."""
    name = os.environ.get("AGENT_MODEL")
    if not name:
        return CannedJokes(token_seconds=float(os.environ.get("AGENT_TOKEN_SECONDS", "0.06")))
    try:
        from langchain.chat_models import init_chat_model
    except ModuleNotFoundError:
        raise RuntimeError(
            f"AGENT_MODEL is {name!r}, which needs LangChain: pip install langchain, and the package of the model's "
            "provider (such as langchain-openai); or unset AGENT_MODEL to use the canned model"
        ) from None
    model: BaseChatModel = init_chat_model(name)
    return model


model = chat_model()


async def answer(state: MessagesState) -> dict[str, list[BaseMessage]]:
    """Return the model's answer to the whole conversation; LangGraph adds it to the history."""
    return {"messages": [await model.ainvoke(state["messages"])]}


graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").compile()
