"""LangSmith's API: routes that create, read, change, delete and list feedback, and those that its clients call first.

Mounted at `/`, `/api` and `/api/v1`, because the clients append their paths to any of these bases.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Request, Response, delete, get, patch, post
from litestar.di import Provide
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from feedback.records.list_filter import MAX_LIMIT, FeedbackSearch
from feedback.routes.app_router import AppRouter
from feedback.routes.authentication import ServicesDependency
from feedback.routes.configs import CONFIG_ROUTES
from feedback.routes.decoding import FeedbackRequest
from feedback.routes.error_responses import FAILURES
from feedback.routes.langsmith_datasets import HANDLERS as DATASET_ROUTES
from feedback.routes.langsmith_queues import HANDLERS as QUEUE_ROUTES
from feedback.routes.langsmith_runs import HANDLERS as RUN_ROUTES
from feedback.routes.multipart import submit_multipart
from feedback.routes.openapi import NO_KEY, FeedbackOperation, failures
from feedback.routes.revocation import REVOKING_ROUTES
from feedback.routes.tokens import IDEMPOTENCY, TOKEN_ROUTES, clean_idempotency
from feedback.schema import Feedback, FeedbackCreate, FeedbackPatch
from feedback.validation import MAX_BODY

TAGS = ["Feedback"]
Names = list[str] | None
INFO = {
    "version": "0.8.0",
    "instance_flags": {},
    "batch_ingest_config": {
        "use_multipart_endpoint": False,
        "size_limit": 100,
        "size_limit_bytes": 20_971_520,
        "scale_up_qsize_trigger": 200,
        "scale_up_nthreads_limit": 4,
        "scale_down_nempty_trigger": 4,
    },
}
"""The settings that make LangSmith's clients send feedback as plain JSON; by default they send multipart since 0.8.10.

The Python client's background thread (0.15.0) reads each of these fields and dies if one is missing.
"""


@post(
    "/feedback",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Record feedback",
    operation_class=FeedbackOperation,
    responses=failures(409, 413, 422),
)
async def create_feedback(
    data: JSONBody[FeedbackCreate],
    services: ServicesDependency,
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", description=IDEMPOTENCY)] = None,
) -> Feedback:
    """Store the feedback, or update the one with the same `id`, and return it."""
    data.validate()
    return await services.store.create(data, clean_idempotency(idempotency_key))


@get("/feedback", tags=TAGS, summary="List feedback", operation_class=FeedbackOperation, responses=failures(422))
async def list_feedback(
    services: ServicesDependency,
    run: Annotated[Names, QueryParameter(description="Run ids")] = None,
    key: Annotated[Names, QueryParameter(description="Feedback keys")] = None,
    feedback_source: Annotated[Names, QueryParameter(name="source", description="`api`, `app` or `model`")] = None,
    session: Annotated[Names, QueryParameter(description="Project ids")] = None,
    user: Annotated[Names, QueryParameter(description="Who submitted the feedback")] = None,
    has_comment: FromQuery[bool | None] = None,
    has_score: FromQuery[bool | None] = None,
    level: FromQuery[Literal["run", "session"] | None] = None,
    min_created_at: FromQuery[str | None] = None,
    max_created_at: FromQuery[str | None] = None,
    comparative_experiment_id: FromQuery[str | None] = None,
    feedback_thread_id: Annotated[str | None, QueryParameter(description="The thread of the feedback's runs")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT)] = MAX_LIMIT,
    offset: Annotated[int, QueryParameter(ge=0, le=2**31)] = 0,
) -> list[Feedback]:
    """Return the feedback that matches all filters, newest first."""
    return await services.store.search(
        FeedbackSearch(
            run, key, feedback_source, session, user, has_comment, has_score, level,
            min_created_at, max_created_at, comparative_experiment_id, feedback_thread_id, limit, offset,
        )
    )  # fmt: skip


@get(
    "/feedback/{feedback_id:str}",
    tags=TAGS,
    summary="Read one feedback",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
)
async def read_feedback(feedback_id: FromPath[str], services: ServicesDependency) -> Feedback:
    """Return the feedback with this id."""
    return await services.store.get(feedback_id)


@patch(
    "/feedback/{feedback_id:str}",
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Change one feedback",
    operation_class=FeedbackOperation,
    responses=failures(404, 413, 422),
)
async def update_feedback(
    feedback_id: FromPath[str], data: JSONBody[FeedbackPatch], services: ServicesDependency
) -> Feedback:
    """Change the feedback and return it: given fields are set, `null` clears a field."""
    data.validate()
    return await services.store.update(feedback_id, data)


@delete(
    "/feedback/{feedback_id:str}",
    status_code=204,
    tags=TAGS,
    summary="Delete one feedback",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
)
async def delete_feedback(feedback_id: FromPath[str], services: ServicesDependency) -> None:
    """Delete the feedback; its history is kept."""
    await services.store.delete(feedback_id)


@get(
    "/info",
    tags=["system"],
    opt={"feedback_open": True},
    security=NO_KEY,
    operation_id="FeedbackInfo",
    summary="Capabilities for LangSmith's clients",
)
async def info() -> dict[str, Any]:
    """Return the transports of feedback that this service supports."""
    return INFO


@post("/metadata/submit", status_code=204, opt={"feedback_open": True}, include_in_schema=False)
async def accept_metadata(request: Request[Any, Any, Any]) -> Response[None]:
    """Accept and discard the beacon that an Agent Server sends at its start.

    The Agent Server puts `/v1` before the path if its base URL does not end with it.
    """
    async for _ in request.stream():
        pass
    return Response(None, status_code=204)


FEEDBACK_ROUTES = [
    *TOKEN_ROUTES,
    *REVOKING_ROUTES,
    submit_multipart,
    *CONFIG_ROUTES,
    create_feedback,
    list_feedback,
    read_feedback,
    update_feedback,
    delete_feedback,
    accept_metadata,
]


def langsmith_routers(dependencies: dict[str, Provide], serve_root_info: bool) -> list[AppRouter]:
    """Return the same routes at `/api/v1`, which the OpenAPI document shows, and at `/api` and `/`.

    Routes of other resources than feedback are at `/api/v1` only: `/runs` at the root belongs to the agent server.
    """
    every = [*FEEDBACK_ROUTES, info]
    at_root = every if serve_root_info else FEEDBACK_ROUTES
    versioned = [*every, *RUN_ROUTES, *DATASET_ROUTES, *QUEUE_ROUTES]
    mounts = {"/api/v1": versioned, "/api": every, "/": at_root, "/v1": [accept_metadata]}
    return [
        AppRouter(
            path,
            route_handlers=handlers,
            dependencies=dependencies,
            exception_handlers=FAILURES,
            request_class=FeedbackRequest,
            include_in_schema=path == "/api/v1",
        )
        for path, handlers in mounts.items()
    ]
