"""OpenAPI operations of WorkflowAI's routes."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType

from agent_server.protocols.workflowai.errors import CODES, RUN_FAILED_STATUS
from agent_server.protocols.workflowai.schema import ErrorResponse, RunResponse

FAILURES = {
    status: ResponseSpec(ErrorResponse, generate_examples=False, description=HTTPStatus(status).phrase)
    for status in CODES
}
RUN_RESPONSES = {
    200: ResponseSpec(
        RunResponse, generate_examples=False, description="The run; with `stream`, events of its output."
    ),
    RUN_FAILED_STATUS: ResponseSpec(ErrorResponse, generate_examples=False, description="The agent raised an error."),
    **FAILURES,
}


@dataclass
class RunOperation(Operation):
    """An operation that returns a run, or its events with `stream`."""

    def __post_init__(self) -> None:
        run = (self.responses or {}).get("200")
        if isinstance(run, OpenAPIResponse) and run.content is not None:
            run.content["text/event-stream"] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
