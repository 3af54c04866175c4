"""Graphs to try clients with: slow ones, ones that ask, fail, say much, or sleep."""

from __future__ import annotations

import asyncio
import operator
from pathlib import Path
from typing import Annotated

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class Steps(TypedDict, total=False):
    total: int
    pause: float
    journal: str
    """The path of a file that gets a line whenever a step is run, whether it is kept or not."""
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


class Sleep(TypedDict, total=False):
    seconds: float
    slept: bool


async def sleep(state: Sleep) -> Sleep:
    await asyncio.sleep(state["seconds"])
    return {"slept": True}


steps = StateGraph(Steps).add_node(step).add_edge(START, "step").add_conditional_edges("step", more).compile()
asking = StateGraph(Answers).add_node(ask).add_edge(START, "ask").compile()
failing = StateGraph(Answers).add_node(boom).add_edge(START, "boom").compile()
tokens = StateGraph(Tokens).add_node(say).add_edge(START, "say").compile()
sleeping = StateGraph(Sleep).add_node(sleep).add_edge(START, "sleep").compile()
nested = StateGraph(Steps).add_node("inner", steps).add_edge(START, "inner").compile()
