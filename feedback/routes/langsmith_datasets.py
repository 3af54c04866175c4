"""LangSmith's datasets and examples, below `/api/v1`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from feedback.errors import Invalid
from feedback.integrations.langsmith.datasets import (
    DatasetCreate,
    Example,
    ExampleCreate,
    ExamplePatch,
    LangSmithDataset,
)
from feedback.integrations.langsmith.resources import ResourceFilter
from feedback.routes.authentication import ServicesDependency
from feedback.routes.langsmith_runs import PageLimit, PageOffset
from feedback.routes.openapi import FeedbackOperation, failures

TAGS = ["LangSmith datasets"]
MAX_EXAMPLES = 16 * 1024 * 1024
"""The maximum size of a body with examples, in bytes."""
Metadata = Annotated[str | None, QueryParameter(description="A JSON object whose members the metadata must have")]
Ids = Annotated[list[str] | None, QueryParameter(name="id")]


@post(
    "/datasets",
    status_code=200,
    tags=TAGS,
    summary="Create a dataset",
    operation_class=FeedbackOperation,
    responses=failures(409, 413, 422),
)
async def create_dataset(data: JSONBody[DatasetCreate], services: ServicesDependency) -> LangSmithDataset:
    """Create a dataset."""
    return await services.langsmith_datasets.create(data)


@get("/datasets", tags=TAGS, summary="List datasets", operation_class=FeedbackOperation, responses=failures(422))
async def list_datasets(
    services: ServicesDependency,
    ids: Ids = None,
    name: FromQuery[str | None] = None,
    name_contains: FromQuery[str | None] = None,
    metadata: Metadata = None,
    limit: PageLimit = 100,
    offset: PageOffset = 0,
) -> list[LangSmithDataset]:
    """List datasets, oldest first."""
    which = ResourceFilter(None, ids, name, name_contains, _object(metadata), limit, offset)
    return await services.langsmith_datasets.list_datasets(which)


@get(
    "/datasets/{dataset_id:str}",
    tags=TAGS,
    summary="Read a dataset",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
)
async def read_dataset(dataset_id: FromPath[str], services: ServicesDependency) -> LangSmithDataset:
    """Read a dataset."""
    return await services.langsmith_datasets.get(dataset_id)


@delete(
    "/datasets/{dataset_id:str}",
    status_code=204,
    tags=TAGS,
    summary="Delete a dataset",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
)
async def delete_dataset(dataset_id: FromPath[str], services: ServicesDependency) -> None:
    """Delete a dataset with its examples."""
    await services.langsmith_datasets.delete(dataset_id)


@post(
    "/examples",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_EXAMPLES,
    summary="Create an example",
    operation_class=FeedbackOperation,
    responses=failures(404, 409, 413, 422),
)
async def create_example(data: JSONBody[ExampleCreate], services: ServicesDependency) -> Example:
    """Create an example of a dataset from inputs and outputs, or from a run with `use_source_run_io`."""
    [made] = await services.langsmith_datasets.add([data])
    return made


@post(
    "/examples/bulk",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_EXAMPLES,
    summary="Create examples",
    operation_class=FeedbackOperation,
    responses=failures(404, 409, 413, 422),
)
async def create_examples(data: JSONBody[list[ExampleCreate]], services: ServicesDependency) -> list[Example]:
    """Create all of the examples, or none."""
    return await services.langsmith_datasets.add(data)


@get("/examples", tags=TAGS, summary="List examples", operation_class=FeedbackOperation, responses=failures(422))
async def list_examples(
    services: ServicesDependency,
    dataset: FromQuery[str | None] = None,
    ids: Ids = None,
    metadata: Metadata = None,
    splits: FromQuery[list[str] | None] = None,
    as_of: FromQuery[str | None] = None,
    example_filter: Annotated[str | None, QueryParameter(name="filter")] = None,
    limit: PageLimit = 100,
    offset: PageOffset = 0,
) -> list[Example]:
    """List examples in creation order."""
    _refuse_versions(as_of)
    if example_filter:
        raise Invalid("Examples are not filtered by expressions here; use `metadata`, `splits` or `id`")
    which = ResourceFilter(dataset, ids, metadata=_object(metadata), limit=limit, offset=offset)
    return await services.langsmith_datasets.examples(which, splits or ())


@get(
    "/examples/{example_id:str}",
    tags=TAGS,
    summary="Read an example",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
)
async def read_example(
    example_id: FromPath[str], services: ServicesDependency, as_of: FromQuery[str | None] = None
) -> Example:
    """Read an example."""
    _refuse_versions(as_of)
    return await services.langsmith_datasets.example(example_id)


@patch(
    "/examples/{example_id:str}",
    tags=TAGS,
    request_max_body_size=MAX_EXAMPLES,
    summary="Change an example",
    operation_class=FeedbackOperation,
    responses=failures(404, 413, 422),
)
async def update_example(
    example_id: FromPath[str], data: JSONBody[ExamplePatch], services: ServicesDependency
) -> Example:
    """Change an example: given fields are set, `null` clears a field."""
    return await services.langsmith_datasets.change(example_id, data)


@delete(
    "/examples/{example_id:str}",
    status_code=204,
    tags=TAGS,
    summary="Delete an example",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
)
async def delete_example(example_id: FromPath[str], services: ServicesDependency) -> None:
    """Delete an example."""
    await services.langsmith_datasets.remove(example_id)


def _object(text: str | None) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        raise Invalid(f"`metadata` is {text[:100]!r}; send a JSON object") from None


def _refuse_versions(as_of: str | None) -> None:
    if as_of not in (None, "", "latest"):
        raise Invalid(f"`as_of` is {as_of!r}; datasets have no versions here, only what they hold now")


HANDLERS = [
    create_dataset,
    list_datasets,
    read_dataset,
    delete_dataset,
    create_example,
    create_examples,
    list_examples,
    read_example,
    update_example,
    delete_example,
]
