"""Reviewing: what an answer is about, what it said before, what is made of it. For the dashboard, or another."""

from __future__ import annotations

from typing import Annotated

from litestar import Router, get, put
from litestar.di import Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from feedback.records.history import MAX_PAGE, FeedbackHistory
from feedback.records.reviews import Review, ReviewUpdate
from feedback.reports.assistants import AnsweredAssistant
from feedback.reports.conversations import Conversation
from feedback.routes.authentication import CHECKS_QUERY, ServicesDependency
from feedback.routes.decoding import FeedbackRequest
from feedback.routes.error_responses import FAILURES
from feedback.routes.openapi import FeedbackOperation, failures
from feedback.validation import MAX_BODY

TAGS = ["Reviewing feedback"]
READS = {"feedback_scope": "feedback-read"}
WRITES = {"feedback_scope": "feedback-write"}


@get(
    "/feedback/{feedback_id:str}/review",
    tags=TAGS,
    summary="What was made of an answer",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
    opt=READS,
)
async def read_review(feedback_id: FromPath[str], services: ServicesDependency) -> Review:
    """Its status and note, with all that they were before."""
    return await services.reviews.get(feedback_id)


@put(
    "/feedback/{feedback_id:str}/review",
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Say what is made of an answer",
    operation_class=FeedbackOperation,
    responses=failures(404, 413, 422),
    opt=WRITES,
)
async def set_review(feedback_id: FromPath[str], data: JSONBody[ReviewUpdate], services: ServicesDependency) -> Review:
    """The review after the change; said twice, it counts once."""
    return await services.reviews.set(feedback_id, data)


@get(
    "/feedback/{feedback_id:str}/conversation",
    tags=TAGS,
    summary="What an answer is about",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
    opt=READS,
    description="The messages of its run, where an agent server is beside; `reason` says why some are missing.",
)
async def read_conversation(feedback_id: FromPath[str], services: ServicesDependency) -> Conversation:
    """The conversation, as far as it is known."""
    return await services.conversations.of(feedback_id)


@get(
    "/feedback/{feedback_id:str}/history",
    tags=TAGS,
    summary="What an answer said before",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
    opt=READS,
    description="Of answers that were deleted or taken back, too; those that were erased have none.",
)
async def read_history(
    feedback_id: FromPath[str],
    services: ServicesDependency,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = 100,
    cursor: Annotated[
        int | None, QueryParameter(required=False, ge=0, le=2**62, description="`next_cursor` of the page before")
    ] = None,
) -> FeedbackHistory:
    """The answer as it is, and its earlier versions, newest first, a page at a time."""
    return await services.histories.page(feedback_id, limit, cursor)


@get(
    "/feedback/assistants",
    tags=TAGS,
    summary="Assistants that there are answers about",
    operation_class=FeedbackOperation,
    opt=READS,
)
async def list_assistants(services: ServicesDependency) -> list[AnsweredAssistant]:
    """The most answered first, with the name of each, where it is known."""
    return await services.assistants.all()


def reviewing_router(dependencies: dict[str, Provide]) -> Router:
    """The routes for those who go through answers."""
    return Router(
        "/api/v1",
        route_handlers=[read_review, set_review, read_conversation, read_history, list_assistants],
        dependencies=dependencies,
        exception_handlers=FAILURES,
        opt={CHECKS_QUERY: True},
        request_class=FeedbackRequest,
    )
