"""Routes: `/a2a/{assistant_id}` and the agent cards."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ASGIApp

from agent_server.errors import Invalid, NotFound
from agent_server.protocols.a2a.requests import a2a_request
from agent_server.protocols.a2a.server import A2aServer
from agent_server.protocols.jsonrpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    RpcError,
    RpcOperation,
    build_failed_response,
    read_rpc_id,
    rpc_exception_handlers,
    rpc_message,
    rpc_response,
)
from agent_server.protocols.services import SERVICES, RequestServices, find_assistant
from agent_server.routes.authentication import AUTHORIZED_IN_HANDLER
from agent_server.routes.openapi import AgentServerOperation

_ERRORS = rpc_exception_handlers(unreadable=200)
_CACHED = {"cache-control": "max-age=60"}


_CARD = {200: ResponseSpec(dict[str, Any], generate_examples=False, description="The card.")}


@post(
    "/a2a/{assistant_id:str}",
    tags=["a2a"],
    status_code=200,
    opt=AUTHORIZED_IN_HANDLER,
    exception_handlers=_ERRORS,
    dependencies=SERVICES,
    operation_class=RpcOperation,
)
async def post_a2a(
    assistant_id: FromPath[str],
    data: JSONBody[Any],
    request: Request[Any, Any, Any],
    services: NamedDependency[RequestServices],
) -> ASGIApp:
    """Handle one JSON-RPC request of the Agent2Agent protocol 1.0, or of 0.3; `assistant_id` may be a graph's name.

    `SendMessage`, `SendStreamingMessage`, `GetTask`, `ListTasks`, `CancelTask`, `SubscribeToTask`,
    `GetExtendedAgentCard`, `SubmitFeedback`, and `CreateTaskPushNotificationConfig` with its Get, List and Delete.
    Errors are JSON-RPC errors in a 200.
    """
    try:
        message = rpc_message(data)
        if message.method is None or message.id is None:
            raise RpcError(INVALID_REQUEST, "A2A takes requests: a message with an id and a method")
        asked = a2a_request(message, request.headers)
        try:
            assistant = await find_assistant(services, assistant_id)
        except (NotFound, Invalid) as error:
            raise RpcError(INVALID_PARAMS, str(error)) from None
        return await A2aServer(services, assistant).respond(asked)
    except RpcError as error:
        return build_failed_response(read_rpc_id(data), error)


async def _card(services: RequestServices, assistant_id: str) -> ASGIApp:
    return rpc_response(await A2aServer(services, await find_assistant(services, assistant_id)).card(), headers=_CACHED)


@get(
    [
        "/a2a/{assistant_id:str}/.well-known/agent-card.json",
        "/a2a/{assistant_id:str}/.well-known/agent.json",
        "/a2a/{assistant_id:str}",
    ],
    tags=["a2a"],
    opt=AUTHORIZED_IN_HANDLER,
    dependencies=SERVICES,
    operation_class=AgentServerOperation,
    responses=_CARD,
)
async def assistant_card(assistant_id: FromPath[str], services: NamedDependency[RequestServices]) -> ASGIApp:
    """Return the assistant's card, for clients of version 1.0 and 0.3."""
    return await _card(services, assistant_id)


@get(
    "/.well-known/agent-card.json",
    tags=["a2a"],
    opt=AUTHORIZED_IN_HANDLER,
    dependencies=SERVICES,
    operation_class=AgentServerOperation,
    responses=_CARD,
)
async def root_card(
    services: NamedDependency[RequestServices],
    assistant_id: Annotated[
        str | None, QueryParameter(description="Whose card; it may be left out where the server has one graph only.")
    ] = None,
) -> ASGIApp:
    """Return the card of an assistant, at the path where A2A clients look for a server's card."""
    graphs = sorted(services.assistants.graph_ids)
    if assistant_id is None and len(graphs) != 1:
        raise Invalid(f"This server has several agents: name one with ?assistant_id=, such as {', '.join(graphs[:20])}")
    return await _card(services, assistant_id or graphs[0])


HANDLERS = [post_a2a, assistant_card, root_card]
