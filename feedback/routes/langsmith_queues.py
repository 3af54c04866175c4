"""LangSmith's annotation queues, below `/api/v1`."""

from __future__ import annotations

from typing import Literal

from litestar import delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody

from feedback.errors import Invalid
from feedback.integrations.langsmith.queues import Queue, QueueCreate, QueuedRun, QueuePatch, RunKey
from feedback.integrations.langsmith.resources import ResourceFilter
from feedback.routes.authentication import ServicesDependency
from feedback.routes.langsmith_runs import PageLimit, PageOffset
from feedback.routes.openapi import FeedbackOperation, failures
from feedback.validation import MAX_BODY

TAGS = ["LangSmith annotation queues"]


@post(
    "/annotation-queues",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Create an annotation queue",
    operation_class=FeedbackOperation,
    responses=failures(409, 413, 422),
)
async def create_queue(data: JSONBody[QueueCreate], services: ServicesDependency) -> Queue:
    """Create an annotation queue."""
    return await services.langsmith_queues.create(data)


@get(
    "/annotation-queues",
    tags=TAGS,
    summary="List annotation queues",
    operation_class=FeedbackOperation,
    responses=failures(422),
)
async def list_queues(
    services: ServicesDependency,
    ids: FromQuery[list[str] | None] = None,
    name: FromQuery[str | None] = None,
    name_contains: FromQuery[str | None] = None,
    limit: PageLimit = 100,
    offset: PageOffset = 0,
) -> list[Queue]:
    """List annotation queues, oldest first."""
    which = ResourceFilter(None, ids, name, name_contains, limit=limit, offset=offset)
    return await services.langsmith_queues.list_queues(which)


@get(
    "/annotation-queues/{queue_id:str}",
    tags=TAGS,
    summary="Read an annotation queue",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
)
async def read_queue(queue_id: FromPath[str], services: ServicesDependency) -> Queue:
    """Read an annotation queue."""
    return await services.langsmith_queues.get(queue_id)


@patch(
    "/annotation-queues/{queue_id:str}",
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Change an annotation queue",
    operation_class=FeedbackOperation,
    responses=failures(404, 409, 413, 422),
)
async def update_queue(queue_id: FromPath[str], data: JSONBody[QueuePatch], services: ServicesDependency) -> Queue:
    """Change an annotation queue: given fields are set, `null` clears a field."""
    return await services.langsmith_queues.update(queue_id, data)


@delete(
    "/annotation-queues/{queue_id:str}",
    status_code=204,
    tags=TAGS,
    summary="Delete an annotation queue",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
)
async def delete_queue(queue_id: FromPath[str], services: ServicesDependency) -> None:
    """Delete an annotation queue; its runs and their feedback stay."""
    await services.langsmith_queues.delete(queue_id)


@post(
    "/annotation-queues/{queue_id:str}/runs",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Add runs to an annotation queue",
    operation_class=FeedbackOperation,
    responses=failures(404, 413, 422),
)
async def add_queued_runs(
    queue_id: FromPath[str], data: JSONBody[list[str]], services: ServicesDependency
) -> list[QueuedRun]:
    """Add runs, by their ids, to the end of the queue; return the queue's first runs."""
    await services.langsmith_queues.add(queue_id, data)
    return await services.langsmith_queues.runs(queue_id, 100, 0)


@post(
    "/annotation-queues/{queue_id:str}/runs/by-key",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    summary="Add runs to an annotation queue by key",
    operation_class=FeedbackOperation,
    responses=failures(404, 413, 422),
)
async def add_queued_keys(
    queue_id: FromPath[str], data: JSONBody[list[RunKey]], services: ServicesDependency
) -> list[QueuedRun]:
    """Add runs, by LangSmith's lookup keys, to the end of the queue; return the queue's first runs."""
    await services.langsmith_queues.add(queue_id, [one.run_id for one in data])
    return await services.langsmith_queues.runs(queue_id, 100, 0)


@get(
    "/annotation-queues/{queue_id:str}/runs",
    tags=TAGS,
    summary="List the runs of an annotation queue",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
)
async def list_queued_runs(
    queue_id: FromPath[str],
    services: ServicesDependency,
    status: FromQuery[Literal["needs_my_review", "needs_others_review", "completed"] | None] = None,
    limit: PageLimit = 100,
    offset: PageOffset = 0,
) -> list[QueuedRun]:
    """List the runs of the queue in the order of their addition. Reviewed runs are removed, so none is `completed`."""
    runs = await services.langsmith_queues.runs(queue_id, limit, offset)
    return [] if status in ("completed", "needs_others_review") else runs


@get(
    "/annotation-queues/{queue_id:str}/run/{index:str}",
    tags=TAGS,
    summary="Read a run of an annotation queue",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
)
async def read_queued_run(queue_id: FromPath[str], index: FromPath[str], services: ServicesDependency) -> QueuedRun:
    """Read the run at the index; the next one to review is at 0."""
    if not (index.isascii() and index.isdecimal() and len(index) < 10):
        raise Invalid(f"`index` is {index[:40]!r}; send a whole number from 0")
    return await services.langsmith_queues.run_at(queue_id, int(index))


@delete(
    "/annotation-queues/{queue_id:str}/runs/{run_id:str}",
    status_code=204,
    tags=TAGS,
    summary="Remove a run from an annotation queue",
    operation_class=FeedbackOperation,
    responses=failures(404, 422),
)
async def delete_queued_run(queue_id: FromPath[str], run_id: FromPath[str], services: ServicesDependency) -> None:
    """Remove a run from the queue."""
    await services.langsmith_queues.remove(queue_id, run_id)


HANDLERS = [
    create_queue,
    list_queues,
    read_queue,
    update_queue,
    delete_queue,
    add_queued_runs,
    add_queued_keys,
    list_queued_runs,
    read_queued_run,
    delete_queued_run,
]
