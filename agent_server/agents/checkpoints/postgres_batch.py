"""Checkpoints and writes of one run as one statement for PostgreSQL, which checks the run's lease once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent_server.agents.checkpoints.postgres_fence import build_lease_check
from agent_server.agents.lease import Lease
from agent_server.database.postgres_arrays import BytesArray, TextArray

Row = Mapping[str, Any]
"""A checkpoint, or the writes of a task."""

_BLOB = ("thread", "ns", "channel", "version", "type", "data")
_CHECKPOINT = ("thread", "ns", "id", "parent", "checkpoint", "metadata")
_WRITE = ("thread", "ns", "id", "task", "path", "index", "channel", "type", "data")
_ARRAYS = {
    part: [f"{part}_{column}" for column in columns]
    for part, columns in {"blob": _BLOB, "checkpoint": _CHECKPOINT, "kept": _WRITE, "replaced": _WRITE}.items()
}
"""The parameters of each part of a batch."""


def _build_writes(part: str, on_conflict: str) -> str:
    return f"""
        INSERT INTO checkpoint_writes
            (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
        SELECT one.* FROM held, unnest(
            :{part}_thread, :{part}_ns, :{part}_id, :{part}_task, :{part}_path, :{part}_index::int[],
            :{part}_channel, :{part}_type, :{part}_data
        ) AS one (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
        ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) {on_conflict}"""


_PARTS = {
    "blob": """
        INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
        SELECT one.* FROM held, unnest(
            :blob_thread, :blob_ns, :blob_channel, :blob_version, :blob_type, :blob_data
        ) AS one (thread_id, checkpoint_ns, channel, version, type, blob)
        ON CONFLICT (thread_id, checkpoint_ns, channel, version) DO NOTHING""",
    "checkpoint": """
        INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
        SELECT one.* FROM held, unnest(
            :checkpoint_thread, :checkpoint_ns, :checkpoint_id, :checkpoint_parent,
            :checkpoint_checkpoint::jsonb[], :checkpoint_metadata::jsonb[]
        ) AS one (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
        ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id)
        DO UPDATE SET checkpoint = EXCLUDED.checkpoint, metadata = EXCLUDED.metadata""",
    "kept": _build_writes("kept", "DO NOTHING"),
    "replaced": _build_writes(
        "replaced", "DO UPDATE SET channel = EXCLUDED.channel, type = EXCLUDED.type, blob = EXCLUDED.blob"
    ),
}
"""The statement's parts; `kept` and `replaced` say what happens to writes that are stored already."""


class Batch:
    """Rows that one statement stores; none of its tables' keys occurs twice in it."""

    def __init__(self) -> None:
        self.parameters: dict[str, TextArray | BytesArray] = {}
        """Those of the statement, without the lease's."""
        self._parts: set[str] = set()
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

    def build_statement(self, lease: Lease | None) -> str:
        """Return the statement that stores the rows if the lease is held; then it has a row."""
        parts = "".join(f", {name} AS ({_PARTS[name]}\n    )" for name in _PARTS if name in self._parts)
        return f"WITH {build_lease_check(lease)}{parts}\n    SELECT 1 AS held FROM held"

    def _add_checkpoint(self, row: Row) -> None:
        at = (row["thread"], row["ns"])
        self._append("checkpoint", (*at, row["id"], row["parent"], row["checkpoint"], row["metadata"]))
        for blob in zip(row["channels"], row["versions"], row["types"], row["blobs"], strict=True):
            self._append("blob", (*at, *blob))

    def _add_writes(self, row: Row) -> None:
        at = (row["thread"], row["ns"], row["id"], row["task"], row["path"])
        for write in zip(row["indexes"], row["channels"], row["types"], row["blobs"], strict=True):
            self._append("replaced" if row["replace"] else "kept", (*at, *write))

    def _append(self, part: str, values: Sequence[Any]) -> None:
        names = _ARRAYS[part]
        if part not in self._parts:
            self._parts.add(part)
            self.parameters |= {name: BytesArray() if name.endswith("_data") else TextArray() for name in names}
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
