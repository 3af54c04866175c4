"""`/v1/responses`."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp

from agent_server.asgi.json_codec import encode
from agent_server.protocols.openai.errors import EXCEPTION_HANDLERS
from agent_server.protocols.openai.openapi import RUN_FAILED, StreamedOperation, describe_responses
from agent_server.protocols.openai.responses import Responses
from agent_server.protocols.openai.schema import ResponseRequest
from agent_server.protocols.services import SERVICES, RequestServices
from agent_server.routes.authentication import AUTHORIZED_IN_HANDLER
from agent_server.routes.json_responses import respond_json
from agent_server.schema import JsonObject
from agent_server.streams.deletion import Deletion

TAGS = ["OpenAI"]
_RESPONSE = describe_responses(dict[str, Any], "The response.")
_STREAMED = describe_responses(dict[str, Any], "The response; with `stream`, its events.")


@post(
    "/v1/responses",
    tags=TAGS,
    status_code=200,
    opt=AUTHORIZED_IN_HANDLER,
    dependencies=SERVICES,
    exception_handlers=EXCEPTION_HANDLERS,
    operation_class=StreamedOperation,
    responses=_STREAMED | RUN_FAILED,
)
async def create_response(data: JSONBody[ResponseRequest], services: NamedDependency[RequestServices]) -> ASGIApp:
    """Run an assistant and return its response; with `stream`, as it is made, with `background`, at once.

    The response is stored with its thread, which `previous_response_id` continues; `store: false` keeps neither.
    `feedback_keys`, `thread_id`, `context` and `resume` extend OpenAI's API, as do `feedback_token`, `feedback` (a
    presigned URL for each key), `interrupts` and `thread_id` in the response.
    """
    return _as_app(await Responses(services).create(data))


@get(
    "/v1/responses/{response_id:str}",
    tags=TAGS,
    opt=AUTHORIZED_IN_HANDLER,
    dependencies=SERVICES,
    exception_handlers=EXCEPTION_HANDLERS,
    operation_class=StreamedOperation,
    responses=_STREAMED,
)
async def get_response(
    response_id: FromPath[str],
    services: NamedDependency[RequestServices],
    stream: Annotated[bool, QueryParameter(description="Whether to stream the response's events to its end.")] = False,
    starting_after: Annotated[
        int, QueryParameter(ge=-1, description="The number of the last event received: the stream goes on after it.")
    ] = -1,
) -> ASGIApp:
    """Return a stored response, or its events."""
    responses = Responses(services)
    if stream:
        return await responses.follow(response_id, starting_after)
    return _as_app(await responses.get(response_id))


@post(
    "/v1/responses/{response_id:str}/cancel",
    tags=TAGS,
    status_code=200,
    opt=AUTHORIZED_IN_HANDLER,
    dependencies=SERVICES,
    exception_handlers=EXCEPTION_HANDLERS,
    responses=_RESPONSE,
)
async def cancel_response(response_id: FromPath[str], services: NamedDependency[RequestServices]) -> Response[bytes]:
    """Cancel the run of a response; return the response once the run has stopped."""
    return respond_json(await Responses(services).cancel(response_id))


@delete(
    "/v1/responses/{response_id:str}",
    tags=TAGS,
    status_code=200,
    opt=AUTHORIZED_IN_HANDLER,
    dependencies=SERVICES,
    exception_handlers=EXCEPTION_HANDLERS,
    responses=describe_responses(dict[str, Any], "The id of the response."),
)
async def delete_response(
    response_id: FromPath[str],
    services: NamedDependency[RequestServices],
    deletion: NamedDependency[Deletion],
) -> Response[bytes]:
    """Delete a response with its run, which is cancelled first if it has not ended. Its thread stays."""
    run = (await Responses(services).find_deletable(response_id)).run
    await deletion.delete_run(run.run_id, run.thread_id)
    return respond_json({"id": response_id, "object": "response", "deleted": True})


def _as_app(shown: ASGIApp | JsonObject) -> ASGIApp:
    return ASGIResponse(body=encode(shown), media_type="application/json") if isinstance(shown, dict) else shown


HANDLERS = [create_response, get_response, cancel_response, delete_response]
