"""Small LangGraph graphs: one for each feature of a graph."""

from __future__ import annotations

import operator
from typing import Annotated, Any

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import tool
from langgraph.config import get_config, get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    x: int
    log: Annotated[list[Any], operator.add]


class Context(TypedDict, total=False):
    who: str


async def chat_node(state: MessagesState) -> dict[str, list[BaseMessage]]:
    model = GenericFakeChatModel(messages=iter([AIMessage("Why not")]))
    return {"messages": [await model.ainvoke(state["messages"])]}


async def canned_node(state: MessagesState) -> dict[str, list[BaseMessage]]:
    return {"messages": [AIMessage("hello", id=f"m{len(state['messages'])}")]}


async def double(state: State) -> State:
    return {"x": state["x"] * 2, "log": ["double"]}


async def ask(state: State) -> State:
    return {"x": state["x"] + interrupt({"question": "how many?"}), "log": ["ask"]}


async def boom(state: State) -> State:
    raise ValueError(f"boom é <{len(state['log'])}>")


async def write(state: State) -> State:
    writer = get_stream_writer()
    writer({"step": 1})
    writer("bare")
    return {"x": state["x"] + 1}


@tool
async def triple(number: int) -> int:
    """Return three times the number."""
    return number * 3


async def use_tool(state: State) -> State:
    return {"x": await triple.ainvoke({"number": state["x"]})}


async def show(state: State, runtime: Runtime[Context]) -> State:
    config = get_config()
    shown = {name: value for name, value in config["configurable"].items() if not name.startswith("__pregel_")}
    return {"x": state["x"], "log": [shown, config["metadata"], config.get("tags"), runtime.context]}


chat = StateGraph(MessagesState).add_node("chat", chat_node).add_edge(START, "chat").compile()
canned = StateGraph(MessagesState).add_node("canned", canned_node).add_edge(START, "canned").compile()
doubling = StateGraph(State).add_node(double).add_edge(START, "double").compile()
asking = StateGraph(State).add_node(ask).add_node(double).add_edge(START, "ask").add_edge("ask", "double").compile()
failing = (
    StateGraph(State).add_node(double).add_node(boom).add_edge(START, "double").add_edge("double", "boom").compile()
)
writing = StateGraph(State).add_node(write).add_edge(START, "write").compile()
showing = StateGraph(State, context_schema=Context).add_node(show).add_edge(START, "show").compile()
tooled = StateGraph(State).add_node(use_tool).add_edge(START, "use_tool").compile()
nested = StateGraph(State).add_node("sub", doubling).add_edge(START, "sub").compile()
nested_chat = StateGraph(MessagesState).add_node("sub", chat).add_edge(START, "sub").compile()
nested_asking = StateGraph(State).add_node("sub", asking).add_edge(START, "sub").compile()

GRAPHS = {
    "chat": chat,
    "canned": canned,
    "doubling": doubling,
    "asking": asking,
    "failing": failing,
    "writing": writing,
    "showing": showing,
    "tooled": tooled,
    "nested": nested,
    "nested_chat": nested_chat,
    "nested_asking": nested_asking,
}
