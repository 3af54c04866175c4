"""Find the config and context for a thread's graph, so that reading a thread builds the same graph as running it.

A factory may build another graph for every config. The config of the thread's last run counts. Where that run is gone
(a copied thread has no runs), the thread's own `config` counts; before the first run, the assistant's.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from agent_server.agents import GraphSetup, request_context
from agent_server.assistants.assistants import SYSTEM_NAMESPACE
from agent_server.assistants.configurations import replace_configurable
from agent_server.database import Connection, Row
from agent_server.schema import JsonObject


class _RunSetup(Struct):
    """The parts of a run's kwargs that building its graph needs."""

    config: JsonObject = {}
    context: JsonObject | None = None


_kwargs = msgspec.json.Decoder(_RunSetup)

_LAST_RUN = """SELECT run_id, graph_id, assistant_id, kwargs FROM runs WHERE thread_id = :id AND turn IS NOT NULL
    ORDER BY turn DESC LIMIT 1"""
_ASSISTANT = "SELECT config FROM assistants WHERE assistant_id = :id AND graph_id = :graph_id"


def read_setup(connection: Connection, thread: Row) -> GraphSetup:
    """Return the setup for a thread's graph; `thread` has the columns of a thread."""
    metadata = msgspec.json.decode(thread["metadata"])
    graph_id, config = metadata.get("graph_id"), msgspec.json.decode(thread["config"])
    run = connection.one(_LAST_RUN, id=thread["thread_id"])
    if run is not None and graph_id in (None, run["graph_id"]):
        kwargs = _kwargs.decode(run["kwargs"])
        return GraphSetup(run["graph_id"], run["assistant_id"], kwargs.config, kwargs.context)
    assistant_id = metadata.get("assistant_id")
    return GraphSetup(
        graph_id if isinstance(graph_id, str) else None,
        assistant_id if isinstance(assistant_id, str) else None,
        config or _assistant_config(connection, graph_id, assistant_id),
    )


def is_last_run(connection: Connection, thread_id: str, run_id: str) -> bool:
    """Return whether this is the run whose setup the thread's graph uses."""
    last = connection.one(_LAST_RUN, id=thread_id)
    return last is not None and last["run_id"] == run_id


def merge_setup(connection: Connection, thread: Row) -> JsonObject:
    """Return the thread's config merged with its graph setup, for a thread that loses its runs."""
    setup, kept = read_setup(connection, thread), msgspec.json.decode(thread["config"])
    configurable = {**(setup.context or {}), **(setup.config.get("configurable") or {})}
    return replace_configurable({**kept, **setup.config}, configurable) if configurable or setup.config else dict(kept)


def merge_config(kept: JsonObject, assistant: JsonObject, given: JsonObject) -> JsonObject:
    """Return a thread's config after it gets a run, merged as the official server (0.16.7) merges it.

    Later configs win; but `configurable` comes from the thread and its assistants, not from the run.
    """
    configurable = {**(assistant.get("configurable") or {}), **(kept.get("configurable") or {})}
    return replace_configurable({**assistant, **kept, **given}, configurable)


def _assistant_config(connection: Connection, graph_id: Any, assistant_id: Any) -> JsonObject:
    """Return the config of the assistant in the thread's metadata, or else of its graph's own assistant.

    Where the application has users, the assistant in metadata is ignored: it may belong to another user.
    """
    if not isinstance(graph_id, str):
        return {}
    named = _parse_uuid(assistant_id) if request_context().caller is None else None
    for key in (named, str(uuid5(SYSTEM_NAMESPACE, graph_id))):
        if key and (row := connection.one(_ASSISTANT, id=key, graph_id=graph_id)):
            return dict(msgspec.json.decode(row["config"]))
    return {}


def _parse_uuid(assistant_id: Any) -> str | None:
    try:
        return str(UUID(str(assistant_id)))
    except ValueError:
        return None
