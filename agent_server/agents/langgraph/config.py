"""Build LangGraph's config and input for a run, a thread or an assistant."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import msgspec
from langchain_core.runnables import RunnableConfig

from agent_server.agents.langgraph.command import build_command
from agent_server.agents.langgraph.snapshots import Graph
from agent_server.agents.protocol import AgentRun, GraphSetup
from agent_server.agents.request_context import request_context
from agent_server.agents.user import User
from agent_server.schema import JsonObject


def run_config(run: AgentRun) -> RunnableConfig:
    """Return the graph's config. Its metadata, with the run's id, goes into every checkpoint."""
    given = run.kwargs.config
    ids = {"run_id": run.run_id, "thread_id": run.thread_id}
    assistant = {"graph_id": run.graph_id, "assistant_id": run.assistant_id}
    config: RunnableConfig = {
        "configurable": {
            **_without_internals(run.kwargs.context),
            **_without_internals(given.get("configurable")),
            **(run.kwargs.checkpoint or {}),
            **_describe_user(run.caller),
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
    """Return the config of an assistant, for a factory that builds its graph."""
    return {**_select_given(config), "configurable": _without_internals(config.get("configurable"))}


def thread_config(thread_id: str, checkpoint: JsonObject | None, setup: GraphSetup | None = None) -> RunnableConfig:
    """Return the config for a state of a thread, with the setup of the thread's graph."""
    made_with, at = setup or GraphSetup(), checkpoint or {}
    configurable = {
        **_without_internals(made_with.context),
        **_without_internals(made_with.config.get("configurable")),
        **_without_nulls(graph_id=made_with.graph_id, assistant_id=made_with.assistant_id),
    }
    config: RunnableConfig = {
        **_select_given(made_with.config),
        "configurable": {
            **{name: value for name, value in configurable.items() if name not in _STATE_NAMES},
            "thread_id": thread_id,
            "checkpoint_ns": at.get("checkpoint_ns") or "",
            **{name: at[name] for name in ("checkpoint_id", "checkpoint_map") if at.get(name)},
        },
    }
    return config


def reader_config(config: RunnableConfig) -> RunnableConfig:
    """Return the config of a thread or an assistant, with the user and the headers of the current request."""
    context = request_context()
    configurable = {**config["configurable"], **context.headers, **_describe_user(context.caller)}
    return {**config, "configurable": configurable}


_STATE_NAMES = ("run_id", "thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map")
"""Names that select a state in a config; a run's own config may name the state that it started from."""


def _select_given(config: JsonObject) -> RunnableConfig:
    """Return the parts of a config that a client may give beside `configurable`."""
    names = ("tags", "recursion_limit", "metadata")
    return cast(RunnableConfig, _without_nulls(**{name: config.get(name) for name in names}))


def _without_nulls(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _describe_user(caller: JsonObject | None) -> dict[str, Any]:
    """Return the user in the official server's names; nothing where the application has no `auth`."""
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
    """Return a client's configurable values, without LangGraph's own switches and the run's user."""
    return {key: value for key, value in (configurable or {}).items() if not key.startswith(_INTERNAL)}


_INTERNAL = ("__pregel_", "langgraph_auth_")


def run_input(run: AgentRun, graph: Graph) -> Any:
    """Return the graph's input: the run's command, or else its input; None resumes from the checkpoint."""
    command = run.kwargs.command
    if not command:
        return msgspec.json.decode(run.kwargs.input)
    return build_command(command, graph)


def build_latest_config(run: AgentRun) -> RunnableConfig:
    """Return the config for the latest state of the run's thread."""
    return {"configurable": {"thread_id": run.thread_id, "checkpoint_ns": ""}}
