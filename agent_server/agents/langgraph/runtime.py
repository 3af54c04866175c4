"""The runtime argument of graph factories: the SDK's `ServerRuntime` (langgraph-sdk 0.4.14)."""

from __future__ import annotations

from typing import Any

from langgraph_sdk.runtime import AccessContext, _ExecutionRuntime, _ReadRuntime

from agent_server.agents.protocol import AgentRun
from agent_server.agents.request_context import request_context
from agent_server.agents.user import User
from agent_server.schema import JsonObject

Runtime = _ExecutionRuntime[Any] | _ReadRuntime[Any]


def build_runtime(access: AccessContext, store: Any, run: AgentRun | None) -> Runtime:
    """Return the runtime: why the graph is built, the store, the user under `auth`, and a run's context."""
    if run is None:
        return _ReadRuntime(access_context=access, store=store, user=_user(request_context().caller))
    return _ExecutionRuntime(access_context=access, store=store, user=_user(run.caller), context=run.kwargs.context)


def _user(caller: JsonObject | None) -> Any:
    return User(caller) if caller else None
