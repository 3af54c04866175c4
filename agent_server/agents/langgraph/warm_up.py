"""Run a graph at start-up, because LangGraph imports some of its modules on first use."""

from __future__ import annotations

from langgraph.graph import START, MessagesState, StateGraph
from langsmith import tracing_context


async def warm_up() -> None:
    """Run a graph without effects, untraced, so that no user's run waits for imports on the event loop."""
    graph = StateGraph(MessagesState).add_node("nothing", _add_nothing).add_edge(START, "nothing").compile()
    with tracing_context(enabled=False):
        async for _ in graph.astream({"messages": []}, stream_mode=["messages", "values"]):
            pass


async def _add_nothing(state: MessagesState) -> dict[str, list[str]]:  # noqa: ARG001  # langgraph wants the name
    return {"messages": []}
