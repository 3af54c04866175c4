"""Wire formats of other systems, over the same runs, threads, streams, authentication and feedback.

Each protocol is a package here that exports `HANDLERS`, keeps no state of its own, and can be switched off with
`http.disable_<name>` in `langgraph.json`.
"""

from collections.abc import Collection
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler, ExceptionHandlersMap

from agent_server.config import RouteGroup
from agent_server.protocols.a2a import HANDLERS as A2A
from agent_server.protocols.a2a import task_notification
from agent_server.protocols.agent_protocol import HANDLERS as AGENT_PROTOCOL
from agent_server.protocols.agui import HANDLERS as AGUI
from agent_server.protocols.mcp import HANDLERS as MCP
from agent_server.protocols.openai import HANDLERS as OPENAI
from agent_server.protocols.openai import error_response as openai_error
from agent_server.protocols.workflowai import HANDLERS as WORKFLOWAI
from agent_server.protocols.workflowai import error_response as workflowai_error
from agent_server.routes.error_handler import plain_response

_PROTOCOLS: dict[RouteGroup, list[ControllerRouterHandler]] = {
    "a2a": [*A2A],
    "agui": [*AGUI],
    "agent_protocol": [one for handlers in AGENT_PROTOCOL.values() for one in handlers],
    "mcp": [*MCP],
    "openai": [*OPENAI],
    "workflowai": [*WORKFLOWAI],
}

_OPENAI_RESOURCES = frozenset(
    {"models", "chat", "completions", "responses", "conversations", "embeddings", "files", "images", "audio"}
    | {"moderations", "batches", "assistants", "threads", "vector_stores", "realtime"}
)
"""What follows `/v1/` in the paths of OpenAI's API; WorkflowAI's have the tenant there."""


def protocol_handlers(disabled: Collection[RouteGroup] = ()) -> list[ControllerRouterHandler]:
    """Return the handlers of all protocols except the `disabled` ones.

    The Agent Protocol's are aliases, which are disabled with the group of routes that they stand for, too.
    """
    aliases = [one for group in disabled for one in AGENT_PROTOCOL.get(group, ())]
    enabled = [one for name, handlers in _PROTOCOLS.items() if name not in disabled for one in handlers]
    return [one for one in enabled if one not in aliases]


def respond_unrouted(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Return the response to an unrouted request, in the shape of the API that its path belongs to."""
    path = request.scope["path"]
    if not path.startswith("/v1/"):
        return plain_response(request, error)
    if error.status_code == 404:
        error.detail = f"{request.method} {path[:200]} is not served here"
    shaped = openai_error if path.split("/")[2] in _OPENAI_RESOURCES else workflowai_error
    return shaped(request, error)


UNROUTED: ExceptionHandlersMap = {HTTPException: respond_unrouted}

__all__ = ["UNROUTED", "protocol_handlers", "task_notification"]
