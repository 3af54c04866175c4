"""Many checkpoints and writes of one run as one statement for PostgreSQL, which checks the run's lease once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent_server.agents.checkpoints.postgres_fence import LEASED

Row = Mapping[str, Any]
"""The parameters of one checkpoint, or of the writes of one task: those of the statements in `postgres_fence.py`."""

_BLOBS = ("blob_threads", "blob_namespaces", "blob_channels", "blob_versions", "blob_types", "blob_values")
_CHECKPOINTS = ("threads", "namespaces", "ids", "parents", "checkpoints", "metadata")
_WRITES = ("threads", "namespaces", "ids", "tasks", "paths", "indexes", "channels", "types", "values")

_STORE_MANY = f"""
    WITH {LEASED}, blobs AS (
        INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
        SELECT one.* FROM held, unnest(
            %(blob_threads)s::text[], %(blob_namespaces)s::text[], %(blob_channels)s::text[], %(blob_versions)s::text[],
            %(blob_types)s::text[], %(blob_values)s::bytea[]
        ) AS one (thread_id, checkpoint_ns, channel, version, type, blob)
        ON CONFLICT (thread_id, checkpoint_ns, channel, version) DO NOTHING
    ), checkpoint AS (
        INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
        SELECT one.* FROM held, unnest(
            %(threads)s::text[], %(namespaces)s::text[], %(ids)s::text[], %(parents)s::text[],
            %(checkpoints)s::jsonb[], %(metadata)s::jsonb[]
        ) AS one (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
        ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id)
        DO UPDATE SET checkpoint = EXCLUDED.checkpoint, metadata = EXCLUDED.metadata
    ), kept AS ({{kept}} DO NOTHING
    ), replaced AS ({{replaced}}
        DO UPDATE SET channel = EXCLUDED.channel, type = EXCLUDED.type, blob = EXCLUDED.blob
    )
    SELECT 1 AS held FROM held"""
_INSERT_WRITES = """
        INSERT INTO checkpoint_writes
            (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
        SELECT one.* FROM held, unnest(
            %({0}_threads)s::text[], %({0}_namespaces)s::text[], %({0}_ids)s::text[], %({0}_tasks)s::text[],
            %({0}_paths)s::text[], %({0}_indexes)s::int[], %({0}_channels)s::text[], %({0}_types)s::text[],
            %({0}_values)s::bytea[]
        ) AS one (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
        ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)"""
STORE_MANY = _STORE_MANY.format(kept=_INSERT_WRITES.format("kept"), replaced=_INSERT_WRITES.format("replaced"))
"""Its parameters are those of a `Batch`, and the lease's."""


class Batch:
    """Rows that one statement stores; none of its tables' keys occurs twice in it."""

    def __init__(self) -> None:
        names = (*_BLOBS, *_CHECKPOINTS, *(f"{kind}_{name}" for kind in ("kept", "replaced") for name in _WRITES))
        self.parameters: dict[str, list[Any]] = {name: [] for name in names}
        self._keys: set[tuple[Any, ...]] = set()

    def add(self, row: Row) -> bool:
        """Add the row; return False, and add nothing, where it has a key that is in the batch."""
        keys = _keys(row)
        if self._keys & keys:
            return False
        self._keys |= keys
        if "task" in row:
            self._add_writes(row)
        else:
            self._add_checkpoint(row)
        return True

    def _add_checkpoint(self, row: Row) -> None:
        at = (row["thread"], row["ns"])
        self._append(_CHECKPOINTS, (*at, row["id"], row["parent"], row["checkpoint"], row["metadata"]))
        for blob in zip(row["channels"], row["versions"], row["types"], row["blobs"], strict=True):
            self._append(_BLOBS, (*at, *blob))

    def _add_writes(self, row: Row) -> None:
        names = [f"{'replaced' if row['replace'] else 'kept'}_{name}" for name in _WRITES]
        at = (row["thread"], row["ns"], row["id"], row["task"], row["path"])
        for write in zip(row["indexes"], row["channels"], row["types"], row["blobs"], strict=True):
            self._append(names, (*at, *write))

    def _append(self, names: Sequence[str], values: Sequence[Any]) -> None:
        for name, value in zip(names, values, strict=True):
            self.parameters[name].append(value)


def batches(rows: Sequence[Row]) -> Iterator[Batch]:
    """Yield the rows in order, in as few batches as possible."""
    batch = Batch()
    for row in rows:
        if not batch.add(row):
            yield batch
            batch = Batch()
            batch.add(row)
    yield batch


def _keys(row: Row) -> set[tuple[Any, ...]]:
    at = (row["thread"], row["ns"], row["id"])
    return {(*at, row["task"], index) for index in row["indexes"]} if "task" in row else {at}
