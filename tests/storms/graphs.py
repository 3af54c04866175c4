"""A graph whose steps write into a journal when they began and ended, and in which process."""

from __future__ import annotations

import asyncio
import json
import operator
import os
import time
from pathlib import Path
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    journal: str
    pause: float
    block: float
    total: int
    done: Annotated[list[int], operator.add]


def _note(state: State, config: RunnableConfig, what: str) -> None:
    about = {"run": config["configurable"]["run_id"], "attempt": config["metadata"]["run_attempt"]}
    entry: dict[str, Any] = {
        **about,
        "step": len(state["done"]),
        "what": what,
        "pid": os.getpid(),
        "at": time.monotonic(),
    }
    with Path(state["journal"]).open("a") as journal:
        journal.write(json.dumps(entry) + "\n")


async def step(state: State, config: RunnableConfig) -> State:
    _note(state, config, "begin")
    if state.get("block") and config["metadata"]["run_attempt"] == 1:
        time.sleep(state["block"])  # noqa: ASYNC251  the mistake that this stands for
    await asyncio.sleep(state["pause"])
    _note(state, config, "end")
    return {"done": [len(state["done"])]}


def _next(state: State) -> str:
    return "step" if len(state["done"]) < state["total"] else END


steps = StateGraph(State).add_node(step).add_edge(START, "step")
steps.add_conditional_edges("step", _next, ["step", END])
graph = steps.compile()
