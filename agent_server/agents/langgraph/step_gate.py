"""Delay each node until the stored checkpoints are not far behind and its attempt's lease is confirmed."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler

from agent_server.agents.lease import Lease


class StepGate(AsyncCallbackHandler):
    """A LangChain callback, because LangGraph awaits callbacks before each node, in every subgraph and stream mode."""

    run_inline = True
    raise_error = True  # so that `LeaseLost` ends the attempt
    ignore_llm = ignore_chat_model = ignore_agent = ignore_retriever = ignore_retry = ignore_custom_event = True

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    async def on_chain_start(self, *_args: Any, metadata: dict[str, Any] | None = None, **_kwargs: Any) -> None:
        if metadata and (step := metadata.get("langgraph_step")) is not None:
            graph, _, _ = str(metadata.get("langgraph_checkpoint_ns", "")).rpartition("|")
            await self._lease.steps.wait(graph, step)
            await self._lease.confirm()  # last: the process may have been frozen while it waited
