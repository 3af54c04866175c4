"""EvalGuard's API: one-time tokens and the route that spends them (absent from its clients), annotations, calibration.

Its clients read errors from `{"success": false, "error": {…}}`; an invalid request is a 400.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from litestar import Request, Response, get, post, route
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.params import HeaderParameter, JSONBody, QueryParameter
from msgspec import Struct

from feedback.integrations.annotations import AnnotationCreate, LogAnnotation
from feedback.integrations.evalguard import OneTimeSubmission, OneTimeToken, OneTimeTokenCreate
from feedback.integrations.scorers import Calibrated, Calibration
from feedback.routes.app_router import AppRouter
from feedback.routes.authentication import ServicesDependency, bearer, find_named_services
from feedback.routes.decoding import FeedbackRequest
from feedback.routes.error_responses import describe_error
from feedback.routes.headers import TOKEN_HEADERS, preflight
from feedback.routes.openapi import NO_KEY, FeedbackOperation, failures
from feedback.routes.rate_limiting import admit_minting, open_and_admit
from feedback.routes.tokens import IDEMPOTENCY, clean_idempotency
from feedback.schema import SubmissionResult
from feedback.validation import MAX_BODY

TAGS = ["EvalGuard"]
MAX_CALIBRATION = 16 * 1024 * 1024
"""The maximum size of a calibration's body, in bytes."""


class EvalGuardProblem(Struct):
    """An error: a code, a message, and the id of the request."""

    code: str
    message: str
    requestId: str


class EvalGuardFailure(Struct):
    """EvalGuard's error body."""

    success: bool
    error: EvalGuardProblem


@post(
    "/feedback/token",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    opt={"feedback_scope": "feedback-mint"},
    summary="Create a one-time feedback token",
    operation_class=FeedbackOperation,
    responses=failures(400, 401, 409, 413, 429, shape=EvalGuardFailure),
    description="Needs `Authorization: Bearer <key>`. The token accepts one submission until it expires.",
)
async def mint_one_time(
    request: Request[Any, Any, Any],
    data: JSONBody[OneTimeTokenCreate],
    services: ServicesDependency,
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", description=IDEMPOTENCY)] = None,
) -> OneTimeToken:
    """Return a token for one submission about a run, a trace or an annotation."""
    key = bearer(request)
    await admit_minting(request, services)
    return await services.one_time.mint(data, key, clean_idempotency(idempotency_key))


@route("/feedback/submit", http_method=["OPTIONS"], status_code=204, include_in_schema=False)
async def allow_spend_cors(request: Request[Any, Any, Any]) -> Response[None]:
    """Allow every origin to spend a token."""
    return Response(None, status_code=204, headers=preflight(request.headers.get("access-control-request-headers")))


@post(
    "/feedback/submit",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    opt={"feedback_token_route": True},
    security=NO_KEY,
    summary="Submit feedback with a one-time token",
    operation_class=FeedbackOperation,
    responses=failures(400, 404, 409, 410, 413, 429, shape=EvalGuardFailure),
)
async def spend_one_time(
    request: Request[Any, Any, Any],
    data: JSONBody[OneTimeSubmission],
    services: ServicesDependency,
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", description=IDEMPOTENCY)] = None,
) -> Response[SubmissionResult]:
    """Store the feedback and spend the token."""
    opened = await open_and_admit(request, services, services.one_time.open, data.token)
    kept = await services.one_time.spend(data, clean_idempotency(idempotency_key), opened)
    return Response(kept, headers=TOKEN_HEADERS, media_type="application/json")


@post(
    "/annotations",
    status_code=201,
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Annotate a run",
    operation_class=FeedbackOperation,
    responses=failures(400, 401, 404, 413, shape=EvalGuardFailure),
)
async def create_annotation(
    request: Request[Any, Any, Any],
    data: JSONBody[AnnotationCreate],
    services: ServicesDependency,
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", description=IDEMPOTENCY)] = None,
) -> LogAnnotation:
    """Store a person's label of a run under the feedback key `annotation`."""
    own = await find_named_services(request, services, data.projectId)
    return await own.annotations.create(data, clean_idempotency(idempotency_key))


@get(
    "/annotations",
    tags=TAGS,
    summary="List annotations",
    operation_class=FeedbackOperation,
    responses=failures(400, 401, 404, shape=EvalGuardFailure),
)
async def list_annotations(
    request: Request[Any, Any, Any],
    services: ServicesDependency,
    project_id: Annotated[str | None, QueryParameter(name="projectId")] = None,
    log_id: Annotated[str | None, QueryParameter(name="logId")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    offset: Annotated[int, QueryParameter(ge=0, le=2**31)] = 0,
) -> list[LogAnnotation]:
    """List the annotations of the project, newest first."""
    own = await find_named_services(request, services, project_id)
    return await own.annotations.list_annotations(log_id, limit, offset)


@post(
    "/scorers/calibrate",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_CALIBRATION,
    opt={"feedback_scope": "feedback-read"},
    summary="Calibrate a scorer",
    operation_class=FeedbackOperation,
    responses=failures(400, 401, 404, 413, shape=EvalGuardFailure),
)
async def calibrate_scorer(
    request: Request[Any, Any, Any], data: JSONBody[Calibration], services: ServicesDependency
) -> Calibrated:
    """Compare a scorer's verdicts with people's: confusion table, Cohen's kappa and its interval, thresholds."""
    own = await find_named_services(request, services, data.projectId)
    return await own.scorers.calibrate(data)


def respond_to_error(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """Return the error in EvalGuard's shape."""
    status, message, code, headers = describe_error(request, error)
    body = {"success": False, "error": {"code": code, "message": message, "requestId": uuid.uuid4().hex}}
    status = 400 if status == 422 else status
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def evalguard_router(dependencies: dict[str, Provide]) -> AppRouter:
    """Return EvalGuard's routes, below `/api/v1`."""
    return AppRouter(
        "/api/v1",
        route_handlers=[
            allow_spend_cors,
            mint_one_time,
            spend_one_time,
            create_annotation,
            list_annotations,
            calibrate_scorer,
        ],
        dependencies=dependencies,
        exception_handlers={Exception: respond_to_error, HTTPException: respond_to_error},
        request_class=FeedbackRequest,
    )
