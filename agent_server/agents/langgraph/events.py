"""A LangGraph graph's event stream for the protocol of version 2.

LangGraph calls it version 3 of streaming. With it, models write content blocks, LangGraph reports the start and end of
subgraphs, and the stream transformers that the graph was compiled with run.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Mapping
from typing import Any, ClassVar, TypeAlias, cast

from langchain_core._api import LangChainBetaWarning
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.stream import StreamChannel, StreamTransformer
from langgraph.stream.run_stream import AsyncGraphRunStream

INTERRUPT = "__interrupt__"
_TASKS = "agent_server_tasks"

Chunk: TypeAlias = tuple[tuple[str, ...], str, Any]
"""A chunk of a graph's stream: the namespace of its subgraph (empty: the graph itself), its mode, its data."""


class _AllOfIt(StreamTransformer):
    """Requests all modes that the protocol has channels for, and forwards the tasks.

    LangGraph otherwise consumes the tasks, to derive the starts and ends of subgraphs.
    """

    required_stream_modes: ClassVar[tuple[str, ...]] = (
        *("values", "updates", "messages", "tools", "custom", "tasks", "checkpoints"),
    )

    def init(self) -> dict[str, Any]:
        self._tasks: StreamChannel[Any] = StreamChannel(_TASKS)
        return {_TASKS: self._tasks}

    def process(self, event: Any) -> bool:
        if event["method"] == "tasks":
            self._tasks.push((event["params"]["namespace"], event["params"]["data"]))
        return True


async def event_chunks(
    graph: Any, given: Any, config: RunnableConfig, options: Mapping[str, Any]
) -> AsyncGenerator[Chunk, None]:
    """Yield the graph's stream as namespace, mode and data; messages as content-block events."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangChainBetaWarning)
        made = graph.astream_events(given, config, version="v3", transformers=[_AllOfIt], **options)
        stream = cast(AsyncGraphRunStream, await made)
    async with stream:
        async for event in stream:
            for chunk in _convert_event(event["method"], event["params"]):
                yield chunk


def _convert_event(method: str, params: Mapping[str, Any]) -> list[Chunk]:
    namespace, data = tuple(params["namespace"]), params["data"]
    if method == f"custom:{_TASKS}":
        task = {name: value for name, value in data[1].items() if name != "input"}  # values contain the input
        return [(tuple(data[0]), "tasks", task)]
    if method == "checkpoints":
        return [(namespace, method, _checkpoint(data))]
    if method == "lifecycle":
        lifecycle = {name: value for name, value in data.items() if name != "namespace"}
        status = (
            "interrupted" if lifecycle["event"] == "drained" else lifecycle["event"]
        )  # the protocol has no "drained"
        return [(tuple(data["namespace"]), "lifecycle", {**lifecycle, "event": status})]
    if method == "messages":
        # Messages that a node returned without streaming arrive whole: only the values contain them.
        return [] if isinstance(data[0], BaseMessage) else [(namespace, method, list(data))]
    if method == "values":
        waits = params.get("interrupts")
        values = data if isinstance(data, dict) or not waits else {}
        return [(namespace, method, {**values, INTERRUPT: waits} if waits else values)]
    return [(namespace, method, data)]


def _checkpoint(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the protocol's `Checkpoint`, from which a run can resume, without values: these are a mode of their
    own."""
    configs = {"id": data["config"], "parent_id": data["parent_config"]}
    ids = {name: config["configurable"]["checkpoint_id"] for name, config in configs.items() if config}
    return {**ids, "step": data["metadata"].get("step"), "source": data["metadata"].get("source")}


def shorten_messages(data: Any, depth: int = 4) -> Any:
    """Return the data with its messages shortened: without empty fields, as on the official server."""
    if isinstance(data, BaseMessage):
        return {name: value for name, value in data.model_dump().items() if value or name not in _MAY_BE_MISSING}
    if depth and isinstance(data, dict):
        return {key: shorten_messages(value, depth - 1) for key, value in data.items()}
    if depth and isinstance(data, list):
        return [shorten_messages(one, depth - 1) for one in data]
    return data


_MAY_BE_MISSING = frozenset(
    {"additional_kwargs", "response_metadata", "name", "id", "tool_calls", "invalid_tool_calls", "usage_metadata"}
)
