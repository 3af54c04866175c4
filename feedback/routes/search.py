"""Routes that search, count, compare and export feedback. Below `/api/v1`, beside LangSmith's own routes."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import Annotated, Any

from litestar import get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter, SkipValidation
from litestar.response import Stream
from msgspec import Struct

from feedback.reports.comparison import Comparison, compare
from feedback.reports.distribution import Distribution
from feedback.reports.export import CSV_TYPE, JSONL_TYPE, ExportReport, Format
from feedback.reports.query import FeedbackQuery, Filter, filters
from feedback.reports.reader import MAX_PAGE, FeedbackPage
from feedback.reports.reasons import ReasonCount
from feedback.reports.response_rates import ResponseRate
from feedback.reports.run_feedback import MAX_ROWS, RunFeedbackPage
from feedback.reports.stats import ENOUGH, MAX_GROUPS, Dimension, Statistic
from feedback.routes.app_router import AppRouter
from feedback.routes.authentication import CHECKS_QUERY, ServicesDependency
from feedback.routes.error_responses import FAILURES
from feedback.routes.openapi import ExportOperation, FeedbackOperation, failures

TAGS = ["Reading feedback"]
QueryHere = NamedDependency[SkipValidation[FeedbackQuery]]
Cursor = Annotated[str | None, QueryParameter(required=False, description="`next_cursor` of the page before")]
Form = Annotated[Format, QueryParameter(name="format", required=False)]
Enough = Annotated[int, QueryParameter(ge=1, le=1_000_000, description="Scores that a verdict needs")]


def feedback_query(**chosen: Any) -> FeedbackQuery:
    """Return the filters in the query string, whose parameters are the fields of `FeedbackQuery`."""
    return FeedbackQuery(**chosen)


def _query_parameter(one: Filter) -> Parameter:
    parameter = QueryParameter(required=False, description=one.description)
    return Parameter(one.name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[one.type | None, parameter])


_PARAMETERS = [_query_parameter(one) for one in filters()]
# Litestar reads a dependency's parameters from its signature and their types from its annotations.
feedback_query.__signature__ = Signature(_PARAMETERS, return_annotation=FeedbackQuery)  # type: ignore[attr-defined]
feedback_query.__annotations__ = {one.name: one.annotation for one in _PARAMETERS} | {"return": FeedbackQuery}


def _read(path: str, summary: str, **more: Any) -> get:
    """Declare a route that reads the feedback that matches the filters."""
    options = {"operation_class": FeedbackOperation, **more}
    return get(f"/feedback/{path}", tags=TAGS, summary=summary, responses=failures(422), **options)


@_read("search", "Search feedback")
async def search_feedback(
    feedback_query: QueryHere,
    services: ServicesDependency,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = 100,
    cursor: Cursor = None,
) -> FeedbackPage:
    """Return a page of the feedback that matches all filters, newest first."""
    return await services.reader.page(feedback_query, limit, cursor)


@_read(
    "by-run",
    "Search feedback by run",
    description="A row for each run and user: all its feedback, with the question and the agent's reply.",
)
async def search_by_run(
    feedback_query: QueryHere,
    services: ServicesDependency,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_ROWS)] = 25,
    cursor: Cursor = None,
) -> RunFeedbackPage:
    """Return a page of the runs and users with feedback that matches all filters, newest first."""
    return await services.by_run.page(feedback_query, limit, cursor)


@_read("statistics", "Count feedback")
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
    total: Annotated[
        bool, QueryParameter(description="Also count over the whole time, with null in `day`, `week` and `month`")
    ] = False,
) -> list[Statistic]:
    """Return counts of the matching feedback, with each feedback key's figures and confidence intervals."""
    return await services.statistics.groups(feedback_query, by or (), enough, limit, total)


@_read("comparison", "Compare two versions")
async def compare_versions(
    feedback_query: QueryHere,
    services: ServicesDependency,
    baseline: Annotated[int, QueryParameter(ge=0, le=2**31 - 1, description="The version to compare with")],
    candidate: Annotated[int, QueryParameter(ge=0, le=2**31 - 1, description="The version in question")],
    enough: Enough = ENOUGH,
) -> Comparison:
    """Return whether one version is better or worse for a feedback key, or not significantly different."""
    return await compare(services.statistics, feedback_query, baseline, candidate, enough)


@_read(
    "export",
    "Export feedback",
    operation_class=ExportOperation,
    description="`csv`, `jsonl`, or what TRL's trainers take: `kto` from scores, `dpo` and `sft` from corrections.",
)
async def export_feedback(
    feedback_query: QueryHere,
    services: ServicesDependency,
    form: Form = "jsonl",
) -> Stream:
    """Stream all matching feedback, oldest first."""
    file = "csv" if form == "csv" else f"{form}.jsonl" if form != "jsonl" else "jsonl"
    return Stream(
        services.exports.stream(feedback_query, form),
        media_type=CSV_TYPE if form == "csv" else JSONL_TYPE,
        headers={"Content-Disposition": f'attachment; filename="feedback.{file}"', "X-Content-Type-Options": "nosniff"},
    )


@_read(
    "export/report",
    "Preview an export",
    description="Reads what the export would read, so it takes as long.",
)
async def report_export(
    feedback_query: QueryHere,
    services: ServicesDependency,
    form: Form = "jsonl",
) -> ExportReport:
    """Return the number of lines of an export, and the reasons for leaving out the rest."""
    return await services.exports.report(feedback_query, form)


@_read("distribution", "Get distributions")
async def read_distributions(feedback_query: QueryHere, services: ServicesDependency) -> list[Distribution]:
    """Return the count of each score, category or range of numbers for each `key`, with quartiles of numbers."""
    return await services.distributions.compute(feedback_query)


@_read("reasons", "Count reasons")
async def count_reasons(feedback_query: QueryHere, services: ServicesDependency) -> list[ReasonCount]:
    """Return the count of each reason by feedback key, most frequent first."""
    return await services.reasons.counts(feedback_query)


@_read(
    "response-rates",
    "Get response rates",
    description="Of presigned URLs that were minted from `since` on and before `until`, by `key`, `assistant` and "
    "`version`; other filters do not matter.",
)
async def read_response_rates(feedback_query: QueryHere, services: ServicesDependency) -> list[ResponseRate]:
    """Return, by feedback key, how many presigned URLs were minted and how many received feedback."""
    return await services.response_rates.compute(feedback_query)


class FeedbackCount(Struct):
    """The number of matching feedback records."""

    count: int


@_read("count", "Get the number of feedback")
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


def search_router(dependencies: dict[str, Provide]) -> AppRouter:
    """Return the routes that read feedback."""
    return AppRouter(
        "/api/v1",
        route_handlers=READING_ROUTES,
        dependencies={"feedback_query": Provide(feedback_query, sync_to_thread=False), **dependencies},
        exception_handlers=FAILURES,
        opt={CHECKS_QUERY: True},
    )
