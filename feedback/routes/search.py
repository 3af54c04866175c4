"""Reading: answers searched and counted. Below `/api/v1`, beside LangSmith's dialect and not part of it."""

from __future__ import annotations

from typing import Annotated

from litestar import Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, QueryParameter, SkipValidation
from litestar.response import Stream

from feedback.records.reviews import ReviewStatus
from feedback.reports.export import CSV_TYPE, JSONL_TYPE, Format
from feedback.reports.query import MAX_PAGE, FeedbackPage, FeedbackQuery
from feedback.reports.stats import ENOUGH, MAX_GROUPS, Comparison, Dimension, Statistic
from feedback.routes.authentication import CHECKS_QUERY, ServicesDependency
from feedback.routes.error_responses import FAILURES
from feedback.routes.openapi import ExportOperation, FeedbackOperation, failures

TAGS = ["Reading feedback"]
QueryHere = NamedDependency[SkipValidation[FeedbackQuery]]
Names = list[str] | None
Enough = Annotated[int, QueryParameter(ge=1, le=1_000_000, description="Scores that make a share worth a verdict")]


def feedback_query(
    run: Annotated[Names, QueryParameter(required=False, description="Run ids")] = None,
    thread: Annotated[Names, QueryParameter(required=False, description="Thread ids")] = None,
    assistant: Annotated[Names, QueryParameter(required=False, description="Assistant ids")] = None,
    version: Annotated[list[int] | None, QueryParameter(required=False, description="Assistant versions")] = None,
    key: Annotated[Names, QueryParameter(required=False, description="Feedback keys")] = None,
    subject: Annotated[Names, QueryParameter(required=False, description="Who answered (`user_id`)")] = None,
    feedback_source: Annotated[
        Names, QueryParameter(name="source", required=False, description="`api`, `app` or `model`")
    ] = None,
    since: Annotated[str | None, QueryParameter(required=False, description="From this time on (ISO 8601)")] = None,
    until: Annotated[str | None, QueryParameter(required=False, description="Before this time (ISO 8601)")] = None,
    min_score: FromQuery[float | None] = None,
    max_score: FromQuery[float | None] = None,
    text: Annotated[
        str | None, QueryParameter(required=False, description="Part of a comment, value or correction")
    ] = None,
    has_comment: FromQuery[bool | None] = None,
    has_score: FromQuery[bool | None] = None,
    has_correction: FromQuery[bool | None] = None,
    status: Annotated[
        list[ReviewStatus] | None, QueryParameter(required=False, description="What the team made of them")
    ] = None,
) -> FeedbackQuery:
    """What the query says of which answers."""
    return FeedbackQuery(
        run=run, thread=thread, assistant=assistant, version=version, key=key, subject=subject,
        source=feedback_source, since=since, until=until, min_score=min_score, max_score=max_score, text=text,
        has_comment=has_comment, has_score=has_score, has_correction=has_correction, status=status,
    )  # fmt: skip


@get(
    "/feedback/search",
    tags=TAGS,
    summary="Search answers",
    operation_class=FeedbackOperation,
    responses=failures(422),
)
async def search_feedback(
    feedback_query: QueryHere,
    services: ServicesDependency,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = 100,
    cursor: Annotated[
        str | None, QueryParameter(required=False, description="`next_cursor` of the page before")
    ] = None,
) -> FeedbackPage:
    """The answers that fit all of the filters, newest first, a page at a time."""
    return await services.reader.page(feedback_query, limit, cursor)


@get(
    "/feedback/statistics",
    tags=TAGS,
    summary="Count answers",
    operation_class=FeedbackOperation,
    responses=failures(422),
)
async def count_feedback(
    feedback_query: QueryHere,
    services: ServicesDependency,
    by: Annotated[
        list[Dimension] | None,
        QueryParameter(required=False, description="What is told apart: `assistant`, `version`, `day`, `status`"),
    ] = None,
    enough: Enough = ENOUGH,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_GROUPS)] = 1000,
) -> list[Statistic]:
    """Counts, mean and share of positives of the answers that fit, with the interval in which the true share is."""
    return await services.statistics.groups(feedback_query, by or (), enough, limit)


@get(
    "/feedback/comparison",
    tags=TAGS,
    summary="Compare two versions",
    operation_class=FeedbackOperation,
    responses=failures(422),
)
async def compare_versions(
    feedback_query: QueryHere,
    services: ServicesDependency,
    baseline: Annotated[int, QueryParameter(ge=0, le=2**31 - 1, description="The version to compare with")],
    candidate: Annotated[int, QueryParameter(ge=0, le=2**31 - 1, description="The version in question")],
    enough: Enough = ENOUGH,
) -> Comparison:
    """Whether an assistant's newer version is better for one key, worse, or not shown to be either."""
    return await services.statistics.comparison(feedback_query, baseline, candidate, enough)


@get(
    "/feedback/export",
    tags=TAGS,
    summary="Export answers",
    operation_class=ExportOperation,
    responses=failures(422),
    description="`csv`, `jsonl`, or what TRL's trainers take: `kto` from scores, `dpo` and `sft` from corrections.",
)
async def export_feedback(
    feedback_query: QueryHere,
    services: ServicesDependency,
    form: Annotated[Format, QueryParameter(name="format", required=False)] = "jsonl",
) -> Stream:
    """All the answers that fit, oldest first, as a stream."""
    file = "csv" if form == "csv" else f"{form}.jsonl" if form != "jsonl" else "jsonl"
    return Stream(
        services.exports.stream(feedback_query, form),
        media_type=CSV_TYPE if form == "csv" else JSONL_TYPE,
        headers={"Content-Disposition": f'attachment; filename="feedback.{file}"', "X-Content-Type-Options": "nosniff"},
    )


READING_ROUTES = [search_feedback, count_feedback, compare_versions, export_feedback]


def reading_router(dependencies: dict[str, Provide]) -> Router:
    """The routes for those who read answers."""
    return Router(
        "/api/v1",
        route_handlers=READING_ROUTES,
        dependencies={"feedback_query": Provide(feedback_query, sync_to_thread=False), **dependencies},
        exception_handlers=FAILURES,
        opt={CHECKS_QUERY: True},
    )
