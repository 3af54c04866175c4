"""The HTTP interface of the agent server: one thin handler per endpoint."""

from collections.abc import Collection

from litestar.handlers import HTTPRouteHandler
from litestar.types import ControllerRouterHandler

from agent_server.config import RouteGroup
from agent_server.routes.assistants import HANDLERS as ASSISTANTS
from agent_server.routes.crons import HANDLERS as CRONS
from agent_server.routes.event_sockets import HANDLERS as EVENT_SOCKETS
from agent_server.routes.event_streaming import HANDLERS as EVENT_STREAMING
from agent_server.routes.openapi import AgentServerOperation
from agent_server.routes.run_feedback import HANDLERS as RUN_FEEDBACK
from agent_server.routes.runs import HANDLERS as RUNS
from agent_server.routes.stateless_runs import HANDLERS as STATELESS_RUNS
from agent_server.routes.store import HANDLERS as STORE
from agent_server.routes.system import HANDLERS as SYSTEM
from agent_server.routes.system import ok
from agent_server.routes.thread_states import HANDLERS as THREAD_STATES
from agent_server.routes.thread_streams import HANDLERS as THREAD_STREAMS
from agent_server.routes.threads import HANDLERS as THREADS

_GROUPS: dict[RouteGroup, list[ControllerRouterHandler]] = {
    "meta": [handler for handler in SYSTEM if handler is not ok],
    "assistants": [*ASSISTANTS],
    "threads": [*THREADS, *THREAD_STATES, *THREAD_STREAMS],
    "runs": [*RUNS, *STATELESS_RUNS, *RUN_FEEDBACK, *EVENT_STREAMING, *EVENT_SOCKETS, *CRONS],
    "store": [*STORE],
}

for handler in (ok, *(one for handlers in _GROUPS.values() for one in handlers)):
    if isinstance(handler, HTTPRouteHandler) and not issubclass(handler.operation_class, AgentServerOperation):
        handler.operation_class = AgentServerOperation


def route_handlers(disabled: Collection[RouteGroup] = ()) -> list[ControllerRouterHandler]:
    """Return the handlers of all routes except those of the `disabled` groups. `/ok` is always included."""
    return [ok, *(one for group, handlers in _GROUPS.items() if group not in disabled for one in handlers)]


__all__ = ["route_handlers"]
