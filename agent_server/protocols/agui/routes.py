"""Routes: `/agui/{assistant_id}`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp

from agent_server.protocols.agui.capabilities import capabilities
from agent_server.protocols.agui.errors import EXCEPTION_HANDLERS
from agent_server.protocols.agui.schema import run_agent_input
from agent_server.protocols.agui.service import AguiRuns
from agent_server.protocols.services import SERVICES, RequestServices, find_assistant, own_feedback_keys
from agent_server.routes.authentication import AUTHORIZED_IN_HANDLER
from agent_server.routes.openapi import AgentServerOperation
from agent_server.routes.run_responses import STREAM
from agent_server.schema import JsonObject
from agent_server.threads.threads import Threads

_TEXT = Schema(type=OpenAPIType.STRING)
_ERROR = Schema(
    type=OpenAPIType.OBJECT,
    properties={"type": _TEXT, "message": _TEXT, "code": _TEXT},
    required=["type", "message", "code"],
)


@dataclass
class AguiOperation(AgentServerOperation):
    """An operation whose errors have the shape of AG-UI's event `RUN_ERROR`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for status, response in (self.responses or {}).items():
            if status >= "400" and isinstance(response, OpenAPIResponse):
                response.content = {"application/json": OpenAPIMediaType(schema=_ERROR)}


_CAPABILITIES = {200: ResponseSpec(dict[str, Any], generate_examples=False, description="The capabilities.")}


@post(
    "/agui/{assistant_id:str}",
    tags=["agui"],
    status_code=200,
    opt=AUTHORIZED_IN_HANDLER,
    exception_handlers=EXCEPTION_HANDLERS,
    dependencies=SERVICES,
    operation_class=AguiOperation,
    responses=STREAM,
)
async def post_agui(
    assistant_id: FromPath[str],
    data: JSONBody[Any],
    request: Request[Any, Any, Any],
    services: NamedDependency[RequestServices],
    threads: NamedDependency[Threads],
) -> ASGIApp:
    """Run an assistant for an AG-UI client: a `RunAgentInput` in, its events as server-sent events out.

    `assistant_id` may be a graph's name, or a slug of an assistant's. A request with the ids of an existing run joins
    it; with `Last-Event-ID`, it gets the events after that one. Errors have the shape of `RUN_ERROR`.
    """
    given = run_agent_input(data)
    assistant = await services.agents.find(request, assistant_id)
    return await AguiRuns(services, threads, assistant).run(given, request.headers.get("last-event-id"))


@get(
    "/agui/{assistant_id:str}",
    tags=["agui"],
    opt=AUTHORIZED_IN_HANDLER,
    exception_handlers=EXCEPTION_HANDLERS,
    dependencies=SERVICES,
    operation_class=AguiOperation,
    responses=_CAPABILITIES,
)
async def get_agui(assistant_id: FromPath[str], services: NamedDependency[RequestServices]) -> JsonObject:
    """Return the assistant's capabilities, in the shape of AG-UI's `AgentCapabilities`."""
    assistant = await find_assistant(services, assistant_id)
    schemas = await services.graphs.get_known_schemas(assistant.assistant_id, assistant.version)
    feedback = await own_feedback_keys(services, assistant)
    is_stateful = services.graphs.is_stateful(assistant.graph_id)
    return capabilities(assistant, schemas.get("input_schema"), is_stateful, feedback)


HANDLERS = [post_agui, get_agui]
