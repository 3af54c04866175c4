"""WorkflowAI's feedback API: `/v1/feedback`, and lists of an agent's and a run's outcomes.

Its clients read errors only from `{"error": {…}}`. A token that this service did not issue is a 400, as they expect.
"""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, post, route
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter
from msgspec import Struct

from feedback.integrations.workflowai import Outcome, OutcomeAnnotation, OutcomeCreate, OutcomePage, OwnOutcome
from feedback.routes.app_router import AppRouter
from feedback.routes.authentication import ServicesDependency
from feedback.routes.decoding import FeedbackRequest
from feedback.routes.error_responses import describe_error
from feedback.routes.headers import TOKEN_HEADERS, preflight
from feedback.routes.openapi import NO_KEY, FeedbackOperation, failures
from feedback.routes.rate_limiting import hold_sealed, open_and_admit
from feedback.routes.tokens import IDEMPOTENCY, clean_idempotency
from feedback.validation import MAX_BODY

TAGS = ["WorkflowAI"]


class WorkflowAIProblem(Struct):
    """An error: a message, a code, and the HTTP status again."""

    message: str
    status_code: int
    code: str


class WorkflowAIFailure(Struct):
    """WorkflowAI's error body."""

    error: WorkflowAIProblem


MAX_PAGE = 100


@route("/feedback", http_method=["OPTIONS"], status_code=204, include_in_schema=False)
async def allow_outcome_cors(request: Request[Any, Any, Any]) -> Response[None]:
    """Allow every origin to send an outcome, because it needs a token."""
    return Response(None, status_code=204, headers=preflight(request.headers.get("access-control-request-headers")))


@post(
    "/feedback",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    opt={"feedback_token_route": True},
    security=NO_KEY,
    summary="Submit feedback of a run",
    operation_id="SubmitOutcome",
    operation_class=FeedbackOperation,
    responses=failures(400, 409, 410, 413, 422, 429, shape=WorkflowAIFailure),
)
async def submit_outcome(
    request: Request[Any, Any, Any],
    data: JSONBody[OutcomeCreate],
    services: ServicesDependency,
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", description=IDEMPOTENCY)] = None,
) -> Response[Outcome]:
    """Store an outcome, replacing the user's earlier one; without `user_id`, the anonymous one."""
    opened = await open_and_admit(request, services, services.workflowai_feedback.open, data.feedback_token)
    kept = await services.workflowai_feedback.submit(data, clean_idempotency(idempotency_key), opened)
    return Response(kept, headers=TOKEN_HEADERS, media_type="application/json")


@get(
    "/feedback",
    tags=TAGS,
    opt={"feedback_token_route": True},
    security=NO_KEY,
    summary="Read your own feedback of a run",
    operation_id="ReadOwnOutcome",
    operation_class=FeedbackOperation,
    responses=failures(400, 410, 422, shape=WorkflowAIFailure),
)
async def read_outcome(
    request: Request[Any, Any, Any],
    feedback_token: FromQuery[str],
    services: ServicesDependency,
    user_id: FromQuery[str | None] = None,
) -> Response[OwnOutcome]:
    """Return the user's outcome for the run; without `user_id`, the anonymous one."""
    opened = await services.workflowai_feedback.open(feedback_token)
    await hold_sealed(request, services, opened.body.project)
    own = await services.workflowai_feedback.find_own(opened, user_id)
    return Response(own, headers=TOKEN_HEADERS, media_type="application/json")


@delete(
    "/feedback",
    status_code=200,
    tags=TAGS,
    opt={"feedback_token_route": True},
    security=NO_KEY,
    summary="Retract your own feedback of a run",
    operation_id="RetractOwnOutcome",
    operation_class=FeedbackOperation,
    responses=failures(400, 409, 410, 422, shape=WorkflowAIFailure),
)
async def retract_outcome(
    request: Request[Any, Any, Any],
    feedback_token: FromQuery[str],
    services: ServicesDependency,
    user_id: FromQuery[str | None] = None,
) -> Response[OwnOutcome]:
    """Retract the user's outcome for the run; without `user_id`, the anonymous one."""
    opened = await services.workflowai_feedback.open(feedback_token)
    await hold_sealed(request, services, opened.body.project)
    own = await services.workflowai_feedback.retract(opened, user_id)
    return Response(own, headers=TOKEN_HEADERS, media_type="application/json")


@get(
    "/{tenant:str}/agents/{agent_id:str}/feedback",
    tags=TAGS,
    summary="List feedback of an agent",
    operation_class=FeedbackOperation,
    responses=failures(422, shape=WorkflowAIFailure),
)
async def list_agent_outcomes(
    tenant: FromPath[str],  # noqa: ARG001  the dependency `services` has read it
    agent_id: FromPath[str],
    services: ServicesDependency,
    run_id: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = 30,
    offset: Annotated[int, QueryParameter(ge=0, le=2**31)] = 0,
) -> OutcomePage:
    """List the outcomes of an agent's runs, newest first; the agent is an id, a slug, or `_` for any."""
    return await services.workflowai_feedback.page(agent_id, run_id, limit, offset)


@get(
    "/{tenant:str}/agents/{agent_id:str}/runs/{run_id:str}/feedback",
    tags=TAGS,
    summary="List feedback of a run",
    operation_class=FeedbackOperation,
    responses=failures(422, shape=WorkflowAIFailure),
)
async def list_run_outcomes(
    tenant: FromPath[str],  # noqa: ARG001  the dependency `services` has read it
    agent_id: FromPath[str],
    run_id: FromPath[str],
    services: ServicesDependency,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = 30,
    offset: Annotated[int, QueryParameter(ge=0, le=2**31)] = 0,
) -> OutcomePage:
    """List the outcomes of a run, newest first."""
    return await services.workflowai_feedback.page(agent_id, run_id, limit, offset)


@post(
    "/{tenant:str}/agents/{agent_id:str}/feedback/{feedback_id:str}/annotate",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Annotate feedback",
    operation_class=FeedbackOperation,
    responses=failures(404, 413, 422, shape=WorkflowAIFailure),
)
async def annotate_outcome(
    tenant: FromPath[str],  # noqa: ARG001  the dependency `services` has read it
    agent_id: FromPath[str],
    feedback_id: FromPath[str],
    data: JSONBody[OutcomeAnnotation],
    services: ServicesDependency,
) -> Response[None]:
    """Store a team's judgment of an outcome; the response is null."""
    await services.workflowai_feedback.annotate(agent_id, feedback_id, data)
    return Response(b"null", media_type="application/json")  # type: ignore[arg-type]  # a body that is encoded already


def respond_to_error(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """Return the error in WorkflowAI's shape."""
    status, message, code, headers = describe_error(request, error)
    if code == "token_unknown":
        status, message, code = 400, f"Invalid feedback token. {message}", "bad_request"
    body = {"error": {"message": message, "status_code": status, "code": code}}
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def workflowai_router(dependencies: dict[str, Provide]) -> AppRouter:
    """Return WorkflowAI's routes, below `/v1`."""
    return AppRouter(
        "/v1",
        route_handlers=[
            allow_outcome_cors,
            submit_outcome,
            read_outcome,
            retract_outcome,
            list_agent_outcomes,
            list_run_outcomes,
            annotate_outcome,
        ],
        dependencies=dependencies,
        exception_handlers={Exception: respond_to_error, HTTPException: respond_to_error},
        request_class=FeedbackRequest,
    )
