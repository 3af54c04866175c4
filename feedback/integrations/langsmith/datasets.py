"""LangSmith's datasets and examples: inputs and reference outputs, often from runs with feedback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import uuid_utils
from msgspec import UNSET, Struct, UnsetType

from feedback.errors import Invalid, NotFound
from feedback.integrations.langsmith.resources import NewResource, Resource, ResourceFilter, Resources
from feedback.projects.scoped_database import ProjectDatabase
from feedback.runs import ProjectRuns
from feedback.validation import parse_id, parse_time, to_micros

SPLIT = "dataset_split"
"""LangSmith's metadata field for the splits of an example."""
JsonObject = dict[str, Any]


class DatasetCreate(Struct):
    """The body that creates a dataset."""

    name: str
    id: str | None = None
    description: str | None = None
    data_type: str = "kv"
    inputs_schema_definition: JsonObject | None = None
    outputs_schema_definition: JsonObject | None = None
    transformations: list[JsonObject] | None = None
    extra: JsonObject | None = None


class LangSmithDataset(Struct):
    """A dataset."""

    id: str
    name: str
    description: str | None
    data_type: str
    created_at: str
    modified_at: str
    tenant_id: str
    example_count: int
    inputs_schema_definition: JsonObject | None
    outputs_schema_definition: JsonObject | None
    transformations: list[JsonObject] | None
    metadata: JsonObject
    session_count: int = 0


class ExampleCreate(Struct):
    """The body that creates an example. With `use_source_run_io`, inputs and outputs are those of the run."""

    dataset_id: str
    id: str | None = None
    inputs: JsonObject | None = None
    outputs: JsonObject | None = None
    metadata: JsonObject | None = None
    split: str | list[str] | None = None
    source_run_id: str | None = None
    use_source_run_io: bool = False
    created_at: str | None = None


class ExamplePatch(Struct):
    """The body that changes an example."""

    inputs: JsonObject | UnsetType | None = UNSET
    outputs: JsonObject | UnsetType | None = UNSET
    metadata: JsonObject | UnsetType | None = UNSET
    split: str | list[str] | UnsetType | None = UNSET


class Example(Struct):
    """An example of a dataset."""

    id: str
    dataset_id: str
    name: str
    inputs: JsonObject
    outputs: JsonObject | None
    metadata: JsonObject
    source_run_id: str | None
    created_at: str
    modified_at: str


class LangSmithDatasets:
    """Stores the datasets of one project, and their examples."""

    def __init__(self, database: ProjectDatabase, runs: ProjectRuns, project_id: str) -> None:
        self._datasets = Resources(database, "dataset", "dataset")
        self._examples = Resources(database, "example", "example")
        self._runs = runs
        self._project_id = project_id

    async def create(self, request: DatasetCreate) -> LangSmithDataset:
        """Create a dataset. Errors: `Conflict` if the name is taken, `Invalid`."""
        if request.data_type not in ("kv", "llm", "chat"):
            raise Invalid(f"`data_type` is {request.data_type!r}; send kv, llm or chat")
        extra = request.extra or {}
        body = {
            "description": request.description,
            "data_type": request.data_type,
            "inputs_schema_definition": request.inputs_schema_definition,
            "outputs_schema_definition": request.outputs_schema_definition,
            "transformations": request.transformations,
            "metadata": extra.get("metadata") or {},
        }
        [made] = await self._datasets.create(NewResource(request.id or _new_id(), body, request.name))
        return self._dataset(made, 0)

    async def get(self, dataset_id: str) -> LangSmithDataset:
        """Return the dataset. Errors: `NotFound`, `Invalid`."""
        found = await self._datasets.get(dataset_id)
        return self._dataset(found, await self._examples.count(found.id))

    async def list_datasets(self, which: ResourceFilter) -> list[LangSmithDataset]:
        """Return the matching datasets, oldest first. Errors: `Invalid`."""
        found = await self._datasets.list_resources(which)
        return [self._dataset(one, await self._examples.count(one.id)) for one in found]

    async def delete(self, dataset_id: str) -> None:
        """Delete the dataset with its examples. Errors: `NotFound`, `Invalid`."""
        await self._datasets.delete(dataset_id)

    async def add(self, request: Sequence[ExampleCreate]) -> list[Example]:
        """Create examples: all of them, or none. Errors: `NotFound`, `Conflict`, `Invalid`."""
        for dataset_id in dict.fromkeys(one.dataset_id for one in request):
            await self._datasets.get(dataset_id)
        made = await self._examples.create(*[await self._new_example(one) for one in request])
        return [_example(one) for one in made]

    async def example(self, example_id: str) -> Example:
        """Return the example. Errors: `NotFound`, `Invalid`."""
        return _example(await self._examples.get(example_id))

    async def examples(self, which: ResourceFilter, splits: Sequence[str]) -> list[Example]:
        """Return the matching examples (in one of the splits, if any), in creation order."""
        if not splits:
            return [_example(one) for one in await self._examples.list_resources(which)]
        every = ResourceFilter(which.parent, which.ids, metadata=which.metadata, limit=2**31)
        found = [_example(one) for one in await self._examples.list_resources(every)]
        fitting = [one for one in found if set(splits) & set(one.metadata.get(SPLIT) or ("base",))]
        return fitting[which.offset : which.offset + which.limit]

    async def change(self, example_id: str, patch: ExamplePatch) -> Example:
        """Change the example and return it. Errors: `NotFound`, `Invalid`."""
        names = ("inputs", "outputs", "metadata")
        body = {name: value for name in names if (value := getattr(patch, name)) is not UNSET}
        if patch.split is not UNSET:
            metadata = body.get("metadata")
            before = metadata if metadata is not None else (await self.example(example_id)).metadata
            body["metadata"] = _set_split(before, patch.split)
        return _example(await self._examples.update(example_id, body))

    async def remove(self, example_id: str) -> None:
        """Delete the example. Errors: `NotFound`, `Invalid`."""
        await self._examples.delete(example_id)

    async def _new_example(self, request: ExampleCreate) -> NewResource:
        inputs, outputs = request.inputs, request.outputs
        source = parse_id("source_run_id", request.source_run_id) if request.source_run_id else None
        if request.use_source_run_io:
            facts = await self._runs.facts(source)
            if facts is None:
                raise NotFound(f"There is no run with the id {source} to take inputs and outputs from")
            inputs, outputs = _object(facts.input), _object(facts.output)
        body = {
            "inputs": inputs or {},
            "outputs": outputs,
            "metadata": _set_split(request.metadata or {}, request.split),
            "source_run_id": source,
        }
        created = to_micros(parse_time("created_at", request.created_at)) if request.created_at else None
        dataset = parse_id("dataset_id", request.dataset_id)
        return NewResource(request.id or _new_id(), body, None, dataset, created, source)

    def _dataset(self, found: Resource, examples: int) -> LangSmithDataset:
        return LangSmithDataset(
            id=found.id,
            name=found.name,
            description=found.body.get("description"),
            data_type=found.body["data_type"],
            created_at=found.created_at,
            modified_at=found.modified_at,
            tenant_id=self._project_id,
            example_count=examples,
            metadata=found.body.get("metadata") or {},
            inputs_schema_definition=found.body.get("inputs_schema_definition"),
            outputs_schema_definition=found.body.get("outputs_schema_definition"),
            transformations=found.body.get("transformations"),
        )


def _example(found: Resource) -> Example:
    body = found.body
    return Example(
        id=found.id,
        dataset_id=found.parent,
        name=f"#{found.id[:8]}",
        inputs=body.get("inputs") or {},
        outputs=body.get("outputs"),
        metadata=body.get("metadata") or {},
        source_run_id=body.get("source_run_id"),
        created_at=found.created_at,
        modified_at=found.modified_at,
    )


def _set_split(metadata: JsonObject, split: Any) -> JsonObject:
    if not split:
        return metadata
    return {**metadata, SPLIT: [split] if isinstance(split, str) else split}


def _object(value: Any) -> JsonObject | None:
    return value if value is None or isinstance(value, dict) else {"value": value}


def _new_id() -> str:
    return str(uuid_utils.uuid7())
