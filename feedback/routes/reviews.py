"""Routes for reviewing feedback: its conversation, history, review and datasets. The dashboard uses them."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, put
from litestar.di import Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from feedback.records.datasets import Dataset, DatasetChange, DatasetItems
from feedback.records.history import MAX_PAGE, FeedbackHistory
from feedback.records.reviews import Review, ReviewsChanged, ReviewsUpdate, ReviewUpdate
from feedback.reports.assistants import RatedAssistant
from feedback.reports.choices import Choices
from feedback.reports.conversations import Conversation
from feedback.routes.app_router import AppRouter
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
    summary="Get a review",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
    opt=READS,
)
async def read_review(feedback_id: FromPath[str], services: ServicesDependency) -> Review:
    """Return status, note, assignee and reviewer, with the log of their changes."""
    return await services.reviews.get(feedback_id)


@put(
    "/feedback/{feedback_id:str}/review",
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Set a review",
    operation_class=FeedbackOperation,
    responses=failures(404, 413, 422),
    opt=WRITES,
)
async def set_review(feedback_id: FromPath[str], data: JSONBody[ReviewUpdate], services: ServicesDependency) -> Review:
    """Change the review and return it; a repeated request changes nothing."""
    return await services.reviews.set(feedback_id, data)


@get(
    "/feedback/{feedback_id:str}/conversation",
    tags=TAGS,
    summary="Get the conversation",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
    opt=READS,
    description="The messages of its run, where an agent server is beside; `reason` says why some are missing.",
)
async def read_conversation(feedback_id: FromPath[str], services: ServicesDependency) -> Conversation:
    """Return the known part of the conversation."""
    return await services.conversations.read_conversation(feedback_id)


@get(
    "/feedback/{feedback_id:str}/history",
    tags=TAGS,
    summary="Get the history",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
    opt=READS,
    description="Also of feedback that was deleted or taken back; erased feedback has none.",
)
async def read_history(
    feedback_id: FromPath[str],
    services: ServicesDependency,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = 100,
    cursor: Annotated[
        int | None, QueryParameter(required=False, ge=0, le=2**62, description="`next_cursor` of the page before")
    ] = None,
) -> FeedbackHistory:
    """Return the current feedback and a page of its earlier versions, newest first."""
    return await services.histories.page(feedback_id, limit, cursor)


@get(
    "/feedback/assistants",
    tags=TAGS,
    summary="List assistants with feedback",
    operation_class=FeedbackOperation,
    opt=READS,
)
async def list_assistants(services: ServicesDependency) -> list[RatedAssistant]:
    """Return the assistants and their known names, those with the most feedback first."""
    return await services.assistants.all()


@get("/feedback/choices", tags=TAGS, summary="List filter choices", operation_class=FeedbackOperation, opt=READS)
async def list_choices(services: ServicesDependency) -> Choices:
    """Return the filter choices: feedback keys with kinds, assistants with versions, and sources."""
    return await services.choices.all()


@put(
    "/feedback/reviews",
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Set many reviews",
    operation_class=FeedbackOperation,
    responses=failures(413, 422),
    opt=WRITES,
)
async def set_reviews(data: JSONBody[ReviewsUpdate], services: ServicesDependency) -> ReviewsChanged:
    """Change several reviews and return how many changed; unknown feedback is skipped."""
    return await services.reviews.set_many(data)


@get("/feedback/datasets", tags=TAGS, summary="List datasets", operation_class=FeedbackOperation, opt=READS)
async def list_datasets(services: ServicesDependency) -> list[Dataset]:
    """Return the datasets and their sizes, ordered by name."""
    return await services.datasets.all()


@put(
    "/feedback/datasets/{name:str}",
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Add to a dataset",
    operation_class=FeedbackOperation,
    responses=failures(413, 422),
    opt=WRITES,
)
async def add_to_dataset(
    name: FromPath[str], data: JSONBody[DatasetItems], services: ServicesDependency
) -> DatasetChange:
    """Add feedback and return how much was added; the first feedback creates the dataset."""
    return await services.datasets.add(name, data)


@delete(
    "/feedback/datasets/{name:str}",
    status_code=200,
    tags=TAGS,
    summary="Remove from a dataset",
    operation_class=FeedbackOperation,
    responses=failures(422),
    opt=WRITES,
)
async def remove_from_dataset(
    name: FromPath[str],
    services: ServicesDependency,
    id: Annotated[list[str] | None, QueryParameter(required=False, description="Only these feedback ids")] = None,
) -> DatasetChange:
    """Remove feedback from the dataset and return how much was removed; the feedback itself stays."""
    return await services.datasets.remove(name, id)


def reviews_router(dependencies: dict[str, Provide]) -> AppRouter:
    """Return the routes for reviewing feedback."""
    return AppRouter(
        "/api/v1",
        route_handlers=[
            read_review,
            set_review,
            set_reviews,
            read_conversation,
            read_history,
            list_assistants,
            list_choices,
            list_datasets,
            add_to_dataset,
            remove_from_dataset,
        ],
        dependencies=dependencies,
        exception_handlers=FAILURES,
        opt={CHECKS_QUERY: True},
        request_class=FeedbackRequest,
    )
