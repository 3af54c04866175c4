"""LangSmith's annotation queues: runs for people to review, in the order of their addition."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import uuid_utils
from msgspec import UNSET, Struct, UnsetType, structs

from feedback.errors import Conflict, NotFound
from feedback.integrations.langsmith.resources import NewResource, Resource, ResourceFilter, Resources
from feedback.integrations.langsmith.runs import LangSmithRun, LangSmithRuns
from feedback.projects.scoped_database import ProjectDatabase
from feedback.validation import parse_id

IN_QUEUE = uuid.UUID("9f1f1f5e-35f4-5c0a-8f64-4b6e8f3f0d11")
"""The namespace of queued runs' ids, which are unique for each run and queue."""


class QueueCreate(Struct):
    """The body that creates an annotation queue."""

    name: str
    id: str | None = None
    description: str | None = None
    rubric_instructions: str | None = None
    rubric_items: list[dict[str, Any]] | None = None


class QueuePatch(Struct):
    """The body that changes an annotation queue."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    rubric_instructions: str | UnsetType | None = UNSET
    rubric_items: list[dict[str, Any]] | UnsetType | None = UNSET


class Queue(Struct):
    """An annotation queue."""

    id: str
    name: str
    description: str | None
    rubric_instructions: str | None
    rubric_items: list[dict[str, Any]] | None
    created_at: str
    updated_at: str
    tenant_id: str


class RunKey(Struct):
    """A run to add, as the lookup key that LangSmith's newer clients send."""

    run_id: str


class QueuedRun(LangSmithRun):
    """A run in a queue."""

    added_at: str | None = None
    last_reviewed_time: str | None = None


class Queues:
    """Stores the annotation queues of one project."""

    def __init__(self, database: ProjectDatabase, runs: LangSmithRuns, project_id: str) -> None:
        self._queues = Resources(database, "queue", "annotation queue")
        self._queued = Resources(database, "queued", "queued run")
        self._runs = runs
        self._project_id = project_id

    async def create(self, request: QueueCreate) -> Queue:
        """Create a queue. Errors: `Conflict` if the name is taken, `Invalid`."""
        body = {name: getattr(request, name) for name in ("description", "rubric_instructions", "rubric_items")}
        [made] = await self._queues.create(NewResource(request.id or str(uuid_utils.uuid7()), body, request.name))
        return self._queue(made)

    async def get(self, queue_id: str) -> Queue:
        """Return the queue. Errors: `NotFound`, `Invalid`."""
        return self._queue(await self._queues.get(queue_id))

    async def list_queues(self, which: ResourceFilter) -> list[Queue]:
        """Return the matching queues, oldest first. Errors: `Invalid`."""
        return [self._queue(one) for one in await self._queues.list_resources(which)]

    async def update(self, queue_id: str, patch: QueuePatch) -> Queue:
        """Change the queue and return it. Errors: `NotFound`, `Conflict`, `Invalid`."""
        changes = {name: value for name, value in structs.asdict(patch).items() if value is not UNSET}
        name = changes.pop("name", None)
        return self._queue(await self._queues.update(queue_id, changes, name))

    async def delete(self, queue_id: str) -> None:
        """Delete the queue; its runs and their feedback stay. Errors: `NotFound`, `Invalid`."""
        await self._queues.delete(queue_id)

    async def add(self, queue_id: str, run_ids: Sequence[str]) -> None:
        """Add runs; runs that are already in the queue keep their place. Errors: `NotFound`, `Invalid`."""
        queue = await self._queues.get(queue_id)
        for run_id in dict.fromkeys(parse_id("run_id", one) for one in run_ids):
            run = await self._runs.read(run_id)
            try:
                await self._queued.create(NewResource(_derive_id(queue.id, run.id), {}, run.id, queue.id))
            except Conflict:
                continue

    async def run_at(self, queue_id: str, index: int) -> QueuedRun:
        """Return the run at the zero-based index. Errors: `NotFound`, `Invalid`."""
        found = await self.runs(queue_id, 1, index)
        if not found:
            raise NotFound(f"The annotation queue has no run at the index {index}")
        return found[0]

    async def runs(self, queue_id: str, limit: int, offset: int) -> list[QueuedRun]:
        """Return the queue's runs in the order of their addition, without deleted runs."""
        queue = await self._queues.get(queue_id)
        queued = await self._queued.list_resources(ResourceFilter(queue.id, limit=limit, offset=offset))
        found = []
        for one in queued:
            try:
                found.append(QueuedRun(**structs.asdict(await self._runs.read(one.name)), added_at=one.created_at))
            except NotFound:
                continue
        return found

    async def remove(self, queue_id: str, run_id: str) -> None:
        """Remove the run from the queue. Errors: `NotFound`, `Invalid`."""
        queue = await self._queues.get(queue_id)
        await self._queued.delete(_derive_id(queue.id, parse_id("run_id", run_id)))

    def _queue(self, found: Resource) -> Queue:
        names = ("description", "rubric_instructions", "rubric_items")
        details = {name: found.body.get(name) for name in names}
        return Queue(
            id=found.id,
            name=found.name,
            created_at=found.created_at,
            updated_at=found.modified_at,
            tenant_id=self._project_id,
            **details,
        )


def _derive_id(queue_id: str, run_id: str) -> str:
    return str(uuid.uuid5(IN_QUEUE, f"{queue_id}\0{run_id}"))
