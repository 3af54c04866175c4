"""Routes that erase feedback and set its retention."""

from __future__ import annotations

from litestar import get, post, put
from litestar.di import Provide
from litestar.params import JSONBody
from msgspec import Struct

from feedback.errors import Invalid
from feedback.records.erasure import EVERY_OTHER_KEY, Erased
from feedback.routes.app_router import AppRouter
from feedback.routes.authentication import CHECKS_QUERY, ServicesDependency
from feedback.routes.decoding import FeedbackRequest
from feedback.routes.error_responses import FAILURES
from feedback.routes.openapi import FeedbackOperation, failures
from feedback.validation import MAX_BODY

TAGS = ["Keeping feedback"]


class ErasureRequest(Struct):
    """The body of an erasure: one of three selectors."""

    subject: str | None = None
    run: str | None = None
    thread: str | None = None


class Retention(Struct):
    """The retention of a feedback key's feedback in days; null is forever. Without a key: all other feedback keys."""

    key: str | None = None
    days: int | None = None


@post(
    "/feedback/erasures",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Erase feedback permanently",
    opt={"feedback_scope": "admin"},
    operation_class=FeedbackOperation,
    responses=failures(413, 422),
    description="Erase the feedback with its history, and the examples of LangSmith's datasets that were copied from "
    "its runs; the URLs of an erased run or thread then get 410.",
)
async def erase_feedback(data: JSONBody[ErasureRequest], services: ServicesDependency) -> Erased:
    """Erase the feedback and return the counts."""
    named = [name for name in (data.subject, data.run, data.thread) if name is not None]
    if len(named) != 1:
        raise Invalid("Name one of `subject`, `run` and `thread`: what is erased cannot be brought back")
    if data.subject is not None:
        return await services.erasure.erase_subject(data.subject)
    if data.run is not None:
        return await services.erasure.erase_run(data.run)
    return await services.erasure.erase_thread(named[0])


@get("/feedback/retention", tags=TAGS, summary="Get retention rules", operation_class=FeedbackOperation)
async def list_retention(services: ServicesDependency) -> list[Retention]:
    """Return the feedback keys with a retention limit."""
    return [Retention(key or None, days) for key, days in (await services.erasure.rules()).items()]


@put(
    "/feedback/retention",
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Set retention rules",
    opt={"feedback_scope": "admin"},
    operation_class=FeedbackOperation,
    responses=failures(413, 422),
)
async def set_retention(data: JSONBody[Retention], services: ServicesDependency) -> list[Retention]:
    """Set the rules and return them; expired feedback is deleted within the hour."""
    await services.erasure.keep_for(data.key or EVERY_OTHER_KEY, data.days)
    return [Retention(key or None, days) for key, days in (await services.erasure.rules()).items()]


def retention_router(dependencies: dict[str, Provide]) -> AppRouter:
    """Return the routes of erasure and retention."""
    return AppRouter(
        "/api/v1",
        route_handlers=[erase_feedback, list_retention, set_retention],
        dependencies=dependencies,
        exception_handlers=FAILURES,
        opt={CHECKS_QUERY: True},
        request_class=FeedbackRequest,
    )
