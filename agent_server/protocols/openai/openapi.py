"""OpenAPI operations of OpenAI's routes."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType

from agent_server.protocols.openai.errors import RUN_FAILED_STATUS
from agent_server.protocols.openai.schema import ErrorResponse

_STATUSES = (400, 401, 403, 404, 413, 429, 500, 503)
FAILURES = {
    status: ResponseSpec(ErrorResponse, generate_examples=False, description=HTTPStatus(status).phrase)
    for status in _STATUSES
}


def describe_responses(shape: Any, description: str) -> dict[int, ResponseSpec]:
    """Return the OpenAPI responses of an operation that returns `shape`."""
    return {200: ResponseSpec(shape, generate_examples=False, description=description), **FAILURES}


RUN_FAILED = {
    RUN_FAILED_STATUS: ResponseSpec(ErrorResponse, generate_examples=False, description="The agent raised an error.")
}


@dataclass
class StreamedOperation(Operation):
    """An operation that returns JSON, or server-sent events with `stream`."""

    def __post_init__(self) -> None:
        answer = (self.responses or {}).get("200")
        if isinstance(answer, OpenAPIResponse) and answer.content is not None:
            answer.content["text/event-stream"] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
