"""`/v1/models` and `/v1/chat/completions`."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp

from agent_server.protocols.openai.chat import complete_chat
from agent_server.protocols.openai.errors import EXCEPTION_HANDLERS
from agent_server.protocols.openai.models import build_model, find_model, list_models
from agent_server.protocols.openai.openapi import RUN_FAILED, StreamedOperation, describe_responses
from agent_server.protocols.openai.schema import ChatRequest, Model, ModelList
from agent_server.protocols.services import SERVICES, RequestServices
from agent_server.routes.authentication import AUTHORIZED_IN_HANDLER
from agent_server.routes.json_responses import respond_json

TAGS = ["OpenAI"]


@get(
    "/v1/models",
    tags=TAGS,
    opt=AUTHORIZED_IN_HANDLER,
    dependencies=SERVICES,
    exception_handlers=EXCEPTION_HANDLERS,
    responses=describe_responses(ModelList, "The models."),
)
async def list_openai_models(services: NamedDependency[RequestServices]) -> Response[bytes]:
    """List the assistants as models."""
    return respond_json(ModelList("list", await list_models(services)))


@get(
    "/v1/models/{model_id:str}",
    tags=TAGS,
    opt=AUTHORIZED_IN_HANDLER,
    dependencies=SERVICES,
    exception_handlers=EXCEPTION_HANDLERS,
    responses=describe_responses(Model, "The model."),
)
async def get_openai_model(model_id: FromPath[str], services: NamedDependency[RequestServices]) -> Response[bytes]:
    """Return an assistant as a model: by the name of its graph, by the slug of its own name, or by its id."""
    found = await find_model(services, model_id)
    return respond_json(build_model(await services.assistants.get(found.assistant_id), model_id))


@post(
    "/v1/chat/completions",
    tags=TAGS,
    status_code=200,
    opt=AUTHORIZED_IN_HANDLER,
    dependencies=SERVICES,
    exception_handlers=EXCEPTION_HANDLERS,
    operation_class=StreamedOperation,
    responses=describe_responses(dict[str, Any], "The completion; with `stream`, events of its chunks.") | RUN_FAILED,
)
async def create_chat_completion(data: JSONBody[ChatRequest], services: NamedDependency[RequestServices]) -> ASGIApp:
    """Run an assistant with a conversation and return its answer; with `stream`, as it is made.

    `feedback_keys`, `thread_id`, `context` and `resume` extend OpenAI's API, as do `choices[0].feedback_token`,
    `choices[0].feedback` (a presigned URL for each key) and `choices[0].interrupts` in the completion.
    """
    return await complete_chat(services, data)


HANDLERS = [list_openai_models, get_openai_model, create_chat_completion]
