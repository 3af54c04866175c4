"""Holds the nodes of a run back until the checkpoint before the last is stored."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler

from agent_server.agents.stored_steps import StoredSteps


class StepGate(AsyncCallbackHandler):
    """A LangChain callback, because LangGraph awaits those before each node, in every subgraph and stream mode."""

    run_inline = True
    ignore_llm = ignore_chat_model = ignore_agent = ignore_retriever = ignore_retry = ignore_custom_event = True

    def __init__(self, steps: StoredSteps) -> None:
        self._steps = steps

    async def on_chain_start(self, *_args: Any, metadata: dict[str, Any] | None = None, **_kwargs: Any) -> None:
        if metadata and (step := metadata.get("langgraph_step")) is not None:
            graph, _, _ = str(metadata.get("langgraph_checkpoint_ns", "")).rpartition("|")
            await self._steps.wait(graph, step)
