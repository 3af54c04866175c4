"""LangSmith's `/feedback-configs`: the values that a feedback key allows."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, patch, post
from litestar.params import FromQuery, JSONBody, QueryParameter

from feedback.configs.key_configs import ConfigSearch
from feedback.configs.schema import FeedbackConfigCreate, FeedbackConfigPatch, FeedbackConfigSchema
from feedback.records.list_filter import MAX_LIMIT
from feedback.routes.authentication import ServicesDependency
from feedback.routes.openapi import FeedbackOperation, failures
from feedback.validation import MAX_BODY

TAGS = ["Feedback configs"]


@post(
    "/feedback-configs",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Create a feedback config",
    operation_class=FeedbackOperation,
    responses=failures(400, 409, 413, 422),
)
async def create_config(data: JSONBody[FeedbackConfigCreate], services: ServicesDependency) -> FeedbackConfigSchema:
    """Create the configuration, or return the existing one. Later submissions that do not fit get 422."""
    data.validate()
    return await services.configs.create(data)


@get(
    "/feedback-configs",
    tags=TAGS,
    summary="List feedback configs",
    operation_class=FeedbackOperation,
    responses=failures(422),
)
async def list_configs(
    services: ServicesDependency,
    key: Annotated[list[str] | None, QueryParameter(description="Feedback keys")] = None,
    name_contains: Annotated[str | None, QueryParameter(description="A part of the key")] = None,
    include_all_configs: FromQuery[bool] = False,
    is_enforced: FromQuery[bool | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT)] = MAX_LIMIT,
    offset: Annotated[int, QueryParameter(ge=0, le=2**31)] = 0,
) -> list[FeedbackConfigSchema]:
    """Return the effective configuration of each feedback key, or all configurations including deleted ones."""
    return await services.configs.search(
        ConfigSearch(key or (), name_contains, include_all_configs, is_enforced, limit, offset)
    )


@patch(
    "/feedback-configs",
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Change a feedback config",
    operation_class=FeedbackOperation,
    responses=failures(404, 413, 422),
)
async def update_config(data: JSONBody[FeedbackConfigPatch], services: ServicesDependency) -> FeedbackConfigSchema:
    """Change the configuration and return it. Existing feedback stays as it is."""
    data.validate()
    return await services.configs.update(data)


@delete(
    "/feedback-configs",
    status_code=204,
    tags=TAGS,
    summary="Delete feedback configs",
    operation_class=FeedbackOperation,
    responses=failures(422),
)
async def delete_config(
    services: ServicesDependency,
    feedback_key: Annotated[str | None, QueryParameter(description="All configurations of this key")] = None,
    id: Annotated[str | None, QueryParameter(description="This configuration only")] = None,
) -> None:
    """Delete the feedback key's configurations, or the one with this id."""
    await services.configs.delete(feedback_key, id)


CONFIG_ROUTES = [create_config, list_configs, update_config, delete_config]
