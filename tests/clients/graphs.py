"""Graphs for the clients' tests: slow ones, ones that ask or fail, ones that send much or sleep."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt
from typing_extensions import TypedDict


async def echo(state: MessagesState) -> dict[str, list[BaseMessage]]:
    return {"messages": [AIMessage(f"You said {state['messages'][-1].text}")]}


async def speak(state: MessagesState) -> dict[str, list[BaseMessage]]:
    model = GenericFakeChatModel(messages=iter([AIMessage("All is well")]))
    return {"messages": [await model.ainvoke(state["messages"])]}


class Steps(TypedDict, total=False):
    total: int
    pause: float
    journal: str
    """The path of a file that gets a line whenever a step runs, even if its result is lost."""
    done: Annotated[list[int], operator.add]


async def step(state: Steps) -> Steps:
    number = len(state.get("done", []))
    if journal := state.get("journal"):
        write_line(Path(journal), str(number))
    await asyncio.sleep(state.get("pause", 0))
    return {"done": [number]}


def write_line(file: Path, line: str) -> None:
    with file.open("a") as lines:
        lines.write(f"{line}\n")


def more(state: Steps) -> str:
    return "step" if len(state["done"]) < state["total"] else END


class Answers(TypedDict, total=False):
    question: str
    answer: str


async def ask(state: Answers) -> Answers:
    return {"answer": interrupt({"question": state["question"]})}


async def boom(_: Answers) -> Answers:
    raise ValueError("boom é <1>")


class Tokens(TypedDict, total=False):
    count: int
    pause: float


async def say(state: Tokens) -> Tokens:
    write = get_stream_writer()
    for number in range(state["count"]):
        write({"token": number})
        await asyncio.sleep(state.get("pause", 0))
    return {}


async def report(state: Tokens) -> Tokens:
    write = get_stream_writer()
    for number in range(1, state["count"] + 1):
        write({"progress": number, "total": state["count"], "message": f"part {number}"})
    return {}


class Sleep(TypedDict, total=False):
    seconds: float
    slept: bool


async def sleep(state: Sleep) -> Sleep:
    await asyncio.sleep(state["seconds"])
    return {"slept": True}


@tool
async def triple(number: int) -> int:
    """Return three times the number."""
    return number * 3


class CallingModel(GenericFakeChatModel):
    """A model that streams a text and a tool call in pieces."""

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        for text in ("Let me ", "see"):
            yield ChatGenerationChunk(message=AIMessageChunk(text))
        for call in (tool_call_chunk(name="triple", args='{"num', id="call_1", index=1), _rest('ber": 2}')):
            yield ChatGenerationChunk(message=AIMessageChunk("", tool_call_chunks=[call]))


def _rest(args: str) -> Any:
    return tool_call_chunk(args=args, index=1)


async def talk(state: MessagesState) -> dict[str, list[BaseMessage]]:
    has_result = isinstance(state["messages"][-1], ToolMessage)
    model = (
        GenericFakeChatModel(messages=iter([AIMessage("It is done")]))
        if has_result
        else CallingModel(messages=iter([]))
    )
    return {"messages": [await model.ainvoke(state["messages"])]}


class Page(MessagesState, total=False):
    tools: list[dict[str, Any]]
    copilotkit: dict[str, Any]


class ThinkingModel(GenericFakeChatModel):
    """A model that streams its reasoning in pieces, then a text."""

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        for block in ({"type": "reasoning", "reasoning": "Hm"}, {"type": "reasoning", "reasoning": ", yes"}):
            yield ChatGenerationChunk(message=AIMessageChunk([{**block, "index": 0}]))
        yield ChatGenerationChunk(message=AIMessageChunk([{"type": "text", "text": "It is so", "index": 1}]))


async def use_page(state: Page) -> dict[str, list[BaseMessage]]:
    """Call the page's first tool, and answer once the page has run it."""
    last = state["messages"][-1]
    if isinstance(last, ToolMessage):
        return {"messages": [await ThinkingModel(messages=iter([])).ainvoke(state["messages"])]}
    tool, context = state["tools"][0], state["copilotkit"]["context"]
    call = {"id": "call_page", "name": tool["name"], "args": {"colour": context[0]["value"]}}
    return {"messages": [AIMessage("", tool_calls=[call])]}


calling = (
    StateGraph(MessagesState)
    .add_node("model", talk)
    .add_node("tools", ToolNode([triple]))
    .add_edge(START, "model")
    .add_conditional_edges("model", tools_condition)
    .add_edge("tools", "model")
    .compile()
)
delegating = StateGraph(MessagesState).add_node("helper", calling).add_edge(START, "helper").compile()
steps = StateGraph(Steps).add_node(step).add_edge(START, "step").add_conditional_edges("step", more).compile()
asking = StateGraph(Answers).add_node(ask).add_edge(START, "ask").compile()
failing = StateGraph(Answers).add_node(boom).add_edge(START, "boom").compile()
tokens = StateGraph(Tokens).add_node(say).add_edge(START, "say").compile()
echoing = StateGraph(MessagesState).add_node(echo).add_edge(START, "echo").compile()
talking = StateGraph(MessagesState).add_node(speak).add_edge(START, "speak").compile()
reporting = StateGraph(Tokens).add_node(report).add_edge(START, "report").compile()
sleeping = StateGraph(Sleep).add_node(sleep).add_edge(START, "sleep").compile()
paging = StateGraph(Page).add_node(use_page).add_edge(START, "use_page").compile()
nested = StateGraph(Steps).add_node("inner", steps).add_edge(START, "inner").compile()
