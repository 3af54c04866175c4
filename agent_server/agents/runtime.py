"""What a graph's factory may ask for beside the run's config: the SDK's `ServerRuntime` (langgraph-sdk 0.4.14)."""

from __future__ import annotations

from typing import Any

from langgraph_sdk.runtime import AccessContext, _ExecutionRuntime, _ReadRuntime

from agent_server.agents.protocol import AgentRun
from agent_server.agents.user import User

Runtime = _ExecutionRuntime[Any] | _ReadRuntime[Any]


def runtime_of(access: AccessContext, store: Any, run: AgentRun | None) -> Runtime:
    """Why the graph is made, and with which store; for a run with its context, and its user where there is `auth`."""
    if run is None:
        return _ReadRuntime(access_context=access, store=store)
    user: Any = User(run.caller) if run.caller else None
    return _ExecutionRuntime(access_context=access, store=store, user=user, context=run.kwargs.context)
