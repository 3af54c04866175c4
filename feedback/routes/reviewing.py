"""Reviewing: what an answer is about, and what is made of it. For the dashboard, and whoever makes another."""

from __future__ import annotations

from typing import Any

from litestar import Router, get, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, SkipValidation

from feedback.assistants import AnsweredAssistant, Assistants
from feedback.conversations import Conversation, Conversations
from feedback.limits import MAX_BODY
from feedback.review_schema import Review, ReviewUpdate
from feedback.reviews import Reviews
from feedback.routes.failures import FAILURES
from feedback.routes.openapi import FeedbackOperation, failures
from feedback.routes.requests import FeedbackRequest

TAGS = ["Reviewing feedback"]
READS = {"feedback_scope": "feedback-read"}
WRITES = {"feedback_scope": "feedback-write"}
ReviewsHere = NamedDependency[SkipValidation[Reviews]]
ConversationsHere = NamedDependency[SkipValidation[Conversations]]
AssistantsHere = NamedDependency[SkipValidation[Assistants]]


@get(
    "/feedback/{feedback_id:str}/review",
    tags=TAGS,
    summary="What was made of an answer",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
    opt=READS,
)
async def read_review(feedback_id: FromPath[str], feedback_reviews: ReviewsHere) -> Review:
    """Its status and note, with all that they were before."""
    return await feedback_reviews.get(feedback_id)


@put(
    "/feedback/{feedback_id:str}/review",
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Say what is made of an answer",
    operation_class=FeedbackOperation,
    responses=failures(404, 413, 422),
    opt=WRITES,
)
async def set_review(feedback_id: FromPath[str], data: JSONBody[ReviewUpdate], feedback_reviews: ReviewsHere) -> Review:
    """The review after the change; said twice, it counts once."""
    return await feedback_reviews.set(feedback_id, data)


@get(
    "/feedback/{feedback_id:str}/conversation",
    tags=TAGS,
    summary="What an answer is about",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
    opt=READS,
    description="The messages of its run, where an agent server is beside; `reason` says why some are missing.",
)
async def read_conversation(feedback_id: FromPath[str], feedback_conversations: ConversationsHere) -> Conversation:
    """The conversation, as far as it is known."""
    return await feedback_conversations.of(feedback_id)


@get(
    "/feedback/assistants",
    tags=TAGS,
    summary="Assistants that there are answers about",
    operation_class=FeedbackOperation,
    opt=READS,
)
async def list_assistants(feedback_assistants: AssistantsHere) -> list[AnsweredAssistant]:
    """The most answered first, with the name of each, where it is known."""
    return await feedback_assistants.all()


def reviewing_router(reviews: Reviews, conversations: Conversations, assistants: Assistants) -> Router:
    """The routes for those who go through answers."""
    rooms = {
        "feedback_reviews": reviews,
        "feedback_conversations": conversations,
        "feedback_assistants": assistants,
    }
    return Router(
        "/api/v1",
        route_handlers=[read_review, set_review, read_conversation, list_assistants],
        dependencies={
            name: Provide(_giving(room), sync_to_thread=False, use_cache=True) for name, room in rooms.items()
        },
        exception_handlers=FAILURES,
        request_class=FeedbackRequest,
    )


def _giving(room: Any) -> Any:
    return lambda: room
