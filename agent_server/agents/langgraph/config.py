"""A run's request as LangGraph takes it: its config, and its input."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from langchain_core.runnables import RunnableConfig

from agent_server.agents.langgraph.command import command_of
from agent_server.agents.protocol import AgentRun
from agent_server.agents.request_context import request_context
from agent_server.agents.user import User
from agent_server.schema import JsonObject


def run_config(run: AgentRun) -> RunnableConfig:
    """The graph's config. Its metadata goes into every checkpoint, which so carries the run that made it."""
    given = run.kwargs.config
    ids = {"run_id": run.run_id, "thread_id": run.thread_id}
    assistant = {"graph_id": run.graph_id, "assistant_id": run.assistant_id}
    config: RunnableConfig = {
        "configurable": {
            **_without_internals(run.kwargs.context),
            **_without_internals(given.get("configurable")),
            **(run.kwargs.checkpoint or {}),
            **_for_whom(run.caller),
            **ids,
            **assistant,
        },
        "metadata": {
            **(given.get("metadata") or {}),
            **run.metadata,
            **assistant,
            "run_attempt": run.attempt,
            **ids,
        },
        "run_id": UUID(run.run_id),
        "run_name": run.graph_id,
    }
    if (tags := given.get("tags")) is not None:
        config["tags"] = tags
    if (limit := given.get("recursion_limit")) is not None:
        config["recursion_limit"] = limit
    return config


def assistant_config(config: JsonObject) -> RunnableConfig:
    """The config of an assistant, for a factory that makes its graph from it."""
    return {"configurable": _without_internals(config.get("configurable"))}


def reader_config(config: RunnableConfig) -> RunnableConfig:
    """The config of a thread or an assistant for a factory whose graph is only read: with who asks, as a run's has."""
    who = request_context()
    return {**config, "configurable": {**config["configurable"], **who.headers, **_for_whom(who.caller)}}


def _for_whom(caller: JsonObject | None) -> dict[str, Any]:
    """For whom the graph is, in the official server's names; nothing where the application has no `auth`."""
    if caller is None:
        return {}
    user = User(caller)
    return {
        "user_id": user.identity,
        "langgraph_auth_user": user,
        "langgraph_auth_user_id": user.identity,
        "langgraph_auth_permissions": user.permissions,
    }


def _without_internals(configurable: dict[str, Any] | None) -> dict[str, Any]:
    """What a client may configure: all but LangGraph's own switches, and for whom the run is."""
    return {key: value for key, value in (configurable or {}).items() if not key.startswith(_INTERNAL)}


_INTERNAL = ("__pregel_", "langgraph_auth_")


def run_input(run: AgentRun) -> Any:
    """What the graph is given: the command where it says anything, else the input; null goes on from the checkpoint."""
    command = run.kwargs.command
    if not command:
        return msgspec.json.decode(run.kwargs.input)
    return command_of(command)


def now(run: AgentRun) -> RunnableConfig:
    """The config that names the latest state of the run's thread."""
    return {"configurable": {"thread_id": run.thread_id, "checkpoint_ns": ""}}
