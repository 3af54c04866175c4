"""Routes that search, count, compare and export feedback. Below `/api/v1`, beside LangSmith's own routes."""

from __future__ import annotations

from typing import Annotated

from litestar import Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, QueryParameter, SkipValidation
from litestar.response import Stream
from msgspec import Struct

from feedback.records.reviews import ReviewStatus
from feedback.reports.comparison import Comparison, compare
from feedback.reports.distribution import Distribution
from feedback.reports.export import CSV_TYPE, JSONL_TYPE, ExportReport, Format
from feedback.reports.query import FeedbackQuery
from feedback.reports.reader import MAX_PAGE, FeedbackPage
from feedback.reports.reasons import ReasonCount
from feedback.reports.response_rates import ResponseRate
from feedback.reports.run_feedback import MAX_ROWS, RunFeedbackPage
from feedback.reports.stats import ENOUGH, MAX_GROUPS, Dimension, Statistic
from feedback.routes.authentication import CHECKS_QUERY, ServicesDependency
from feedback.routes.error_responses import FAILURES
from feedback.routes.openapi import ExportOperation, FeedbackOperation, failures

TAGS = ["Reading feedback"]
QueryHere = NamedDependency[SkipValidation[FeedbackQuery]]
Names = list[str] | None
Enough = Annotated[int, QueryParameter(ge=1, le=1_000_000, description="Scores that a verdict needs")]


def feedback_query(
    run: Annotated[Names, QueryParameter(required=False, description="Run ids")] = None,
    thread: Annotated[Names, QueryParameter(required=False, description="Thread ids")] = None,
    assistant: Annotated[Names, QueryParameter(required=False, description="Assistant ids")] = None,
    version: Annotated[list[int] | None, QueryParameter(required=False, description="Assistant versions")] = None,
    key: Annotated[Names, QueryParameter(required=False, description="Feedback keys")] = None,
    subject: Annotated[Names, QueryParameter(required=False, description="Who gave the feedback (`user_id`)")] = None,
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
    status: Annotated[list[ReviewStatus] | None, QueryParameter(required=False, description="Review status")] = None,
    id: Annotated[Names, QueryParameter(required=False, description="Feedback ids")] = None,
    reason: Annotated[Names, QueryParameter(required=False, description="Reasons that were chosen")] = None,
    dataset: Annotated[Names, QueryParameter(required=False, description="Datasets")] = None,
    assignee: Annotated[Names, QueryParameter(required=False, description="Who is to review it")] = None,
    metadata: Annotated[
        Names, QueryParameter(required=False, description="Declared metadata of the run, such as `plan:pro`")
    ] = None,
) -> FeedbackQuery:
    """Return the filters in the query string."""
    return FeedbackQuery(
        run=run, thread=thread, assistant=assistant, version=version, key=key, subject=subject,
        source=feedback_source, since=since, until=until, min_score=min_score, max_score=max_score, text=text,
        has_comment=has_comment, has_score=has_score, has_correction=has_correction, status=status, id=id,
        reason=reason, dataset=dataset, assignee=assignee, metadata=metadata,
    )  # fmt: skip


@get(
    "/feedback/search",
    tags=TAGS,
    summary="Search feedback",
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
    """Return a page of the feedback that matches all filters, newest first."""
    return await services.reader.page(feedback_query, limit, cursor)


@get(
    "/feedback/by-run",
    tags=TAGS,
    summary="Search feedback by run",
    operation_class=FeedbackOperation,
    responses=failures(422),
    description="A row for each run and user: all its feedback, with the question and the agent's reply.",
)
async def search_by_run(
    feedback_query: QueryHere,
    services: ServicesDependency,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_ROWS)] = 25,
    cursor: Annotated[
        str | None, QueryParameter(required=False, description="`next_cursor` of the page before")
    ] = None,
) -> RunFeedbackPage:
    """Return a page of the runs and users with feedback that matches all filters, newest first."""
    return await services.by_run.page(feedback_query, limit, cursor)


@get(
    "/feedback/statistics",
    tags=TAGS,
    summary="Count feedback",
    operation_class=FeedbackOperation,
    responses=failures(422),
)
async def count_feedback(
    feedback_query: QueryHere,
    services: ServicesDependency,
    by: Annotated[
        list[Dimension] | None,
        QueryParameter(
            required=False,
            description="What to count apart: `assistant`, `version`, `day`, `week` or `month`, `status`, `source`",
        ),
    ] = None,
    enough: Enough = ENOUGH,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_GROUPS)] = 1000,
) -> list[Statistic]:
    """Return counts of the matching feedback, with each feedback key's figures and confidence intervals."""
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
    """Return whether one version is better or worse for a feedback key, or not significantly different."""
    return await compare(services.statistics, feedback_query, baseline, candidate, enough)


@get(
    "/feedback/export",
    tags=TAGS,
    summary="Export feedback",
    operation_class=ExportOperation,
    responses=failures(422),
    description="`csv`, `jsonl`, or what TRL's trainers take: `kto` from scores, `dpo` and `sft` from corrections.",
)
async def export_feedback(
    feedback_query: QueryHere,
    services: ServicesDependency,
    form: Annotated[Format, QueryParameter(name="format", required=False)] = "jsonl",
) -> Stream:
    """Stream all matching feedback, oldest first."""
    file = "csv" if form == "csv" else f"{form}.jsonl" if form != "jsonl" else "jsonl"
    return Stream(
        services.exports.stream(feedback_query, form),
        media_type=CSV_TYPE if form == "csv" else JSONL_TYPE,
        headers={"Content-Disposition": f'attachment; filename="feedback.{file}"', "X-Content-Type-Options": "nosniff"},
    )


@get(
    "/feedback/export/report",
    tags=TAGS,
    summary="Preview an export",
    operation_class=FeedbackOperation,
    responses=failures(422),
    description="Reads what the export would read, so it takes as long.",
)
async def report_export(
    feedback_query: QueryHere,
    services: ServicesDependency,
    form: Annotated[Format, QueryParameter(name="format", required=False)] = "jsonl",
) -> ExportReport:
    """Return the number of lines of an export, and the reasons for leaving out the rest."""
    return await services.exports.report(feedback_query, form)


@get(
    "/feedback/distribution",
    tags=TAGS,
    summary="Get distributions",
    operation_class=FeedbackOperation,
    responses=failures(422),
)
async def read_distributions(feedback_query: QueryHere, services: ServicesDependency) -> list[Distribution]:
    """Return the count of each score, category or range of numbers for each `key`, with quartiles of numbers."""
    return await services.distributions.of(feedback_query)


@get(
    "/feedback/reasons",
    tags=TAGS,
    summary="Count reasons",
    operation_class=FeedbackOperation,
    responses=failures(422),
)
async def count_reasons(feedback_query: QueryHere, services: ServicesDependency) -> list[ReasonCount]:
    """Return the count of each reason by feedback key, most frequent first."""
    return await services.reasons.counts(feedback_query)


@get(
    "/feedback/response-rates",
    tags=TAGS,
    summary="Get response rates",
    operation_class=FeedbackOperation,
    responses=failures(422),
    description="Of presigned URLs that were minted from `since` on and before `until`, by `key`, `assistant` and "
    "`version`; other filters do not matter.",
)
async def read_response_rates(feedback_query: QueryHere, services: ServicesDependency) -> list[ResponseRate]:
    """Return, by feedback key, how many presigned URLs were minted and how many received feedback."""
    return await services.response_rates.of(feedback_query)


class FeedbackCount(Struct):
    """The number of matching feedback records."""

    count: int


@get(
    "/feedback/count",
    tags=TAGS,
    summary="Get the number of feedback",
    operation_class=FeedbackOperation,
    responses=failures(422),
)
async def count_fitting(feedback_query: QueryHere, services: ServicesDependency) -> FeedbackCount:
    """Return the number of feedback records that match all filters."""
    return FeedbackCount(await services.reader.count(feedback_query))


READING_ROUTES = [
    search_feedback,
    search_by_run,
    count_feedback,
    compare_versions,
    export_feedback,
    report_export,
    read_distributions,
    count_fitting,
    count_reasons,
    read_response_rates,
]


def reading_router(dependencies: dict[str, Provide]) -> Router:
    """Return the routes that read feedback."""
    return Router(
        "/api/v1",
        route_handlers=READING_ROUTES,
        dependencies={"feedback_query": Provide(feedback_query, sync_to_thread=False), **dependencies},
        exception_handlers=FAILURES,
        opt={CHECKS_QUERY: True},
    )
