"""Wire types of threads and their states, in the official SDK's names.

The shapes follow `langgraph_sdk.schema` 0.4.14 and the OpenAPI document of the official server (0.16.7).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from agent_server.config import ThreadTtlDefaults
from agent_server.schema import JsonObject, Limit, Offset, StateUpdate, ThreadStatus, canonical_id

ThreadField = Literal[
    "thread_id",
    "created_at",
    "updated_at",
    "state_updated_at",
    "metadata",
    "config",
    "status",
    "values",
    "interrupts",
    "error",
]
PruneStrategy = Literal["delete", "keep_latest"]


class Ttl(Struct):
    """A thread's lifetime: after `ttl` minutes it is deleted, or reduced to its latest state."""

    ttl: Annotated[float, Meta(gt=0, le=100 * 366 * 24 * 60)]
    strategy: PruneStrategy = "delete"


def build_default_ttl(defaults: ThreadTtlDefaults) -> Ttl | None:
    """Return the default TTL of new threads, or None where they do not expire."""
    return Ttl(defaults.default_ttl, defaults.strategy) if defaults.default_ttl is not None else None


class ThreadTtl(Struct):
    """A thread's TTL and the time at which it expires."""

    strategy: PruneStrategy
    ttl_minutes: float
    expires_at: str


class Thread(Struct):
    """A conversation: the state that its runs share."""

    thread_id: str
    created_at: str
    updated_at: str
    state_updated_at: str
    metadata: Raw
    status: ThreadStatus
    config: Raw
    values: Raw
    error: Raw
    interrupts: Raw
    ttl: ThreadTtl | UnsetType | None = UNSET
    extracted: JsonObject | UnsetType = UNSET


class Superstep(Struct):
    """State updates that are applied in parallel."""

    updates: list[StateUpdate]


class ThreadCreate(Struct):
    """The body of `POST /threads`. `supersteps` need `metadata.graph_id`: the graph that applies them."""

    thread_id: str | None = None
    metadata: JsonObject | None = None
    if_exists: Literal["raise", "do_nothing"] | None = None
    ttl: Ttl | None = None
    supersteps: list[Superstep] | None = None


class ThreadPatch(Struct):
    """The body of `PATCH /threads/{id}`: the metadata is merged, key by key."""

    metadata: JsonObject | None = None
    ttl: Ttl | None = None


class ThreadFilter(Struct):
    """The filter of `POST /threads/count`: threads that contain all of `metadata` and of `values`."""

    metadata: JsonObject | None = None
    values: JsonObject | None = None
    status: ThreadStatus | None = None


class ThreadSearch(ThreadFilter):
    """The body of `POST /threads/search`: filter, order, page and fields."""

    ids: Annotated[list[str], Meta(max_length=1000)] | None = None
    limit: Limit = 10
    offset: Offset = 0
    sort_by: Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"] | None = None
    sort_order: Literal["asc", "desc"] | None = None
    select: list[ThreadField] | None = None
    extract: Annotated[dict[str, str], Meta(max_length=10)] | None = None


class ThreadPrune(Struct):
    """The body of `POST /threads/prune`. Unknown and busy threads are skipped."""

    thread_ids: Annotated[list[str], Meta(max_length=1000)]
    strategy: PruneStrategy = "delete"


class Pruned(Struct):
    """The number of threads that were pruned."""

    pruned_count: int


class Checkpoint(Struct, omit_defaults=True):
    """A reference to a checkpoint of a thread, or of a subgraph in it; without an id, to the latest."""

    thread_id: str | None = None
    checkpoint_ns: str | None = None
    checkpoint_id: str | None = None
    checkpoint_map: dict[str, str] | None = None


def checkpoint_dict(checkpoint: Checkpoint | None) -> JsonObject:
    """Return the fields that the checkpoint sets. Errors: `Invalid` for an id that is not a UUID."""
    named: JsonObject = msgspec.to_builtins(checkpoint) if checkpoint else {}
    if checkpoint_id := named.get("checkpoint_id"):
        named["checkpoint_id"] = canonical_id(checkpoint_id, "checkpoint")
    return named


class StateAt(Struct):
    """The body of `POST /threads/{id}/state/checkpoint`."""

    checkpoint: Checkpoint
    subgraphs: bool = False
    select: list[str] | None = None


class ThreadStateUpdate(StateUpdate):
    """The body of `POST /threads/{id}/state`."""

    checkpoint: Checkpoint | None = None
    checkpoint_id: str | None = None


class Before(Checkpoint, omit_defaults=True):
    """A checkpoint, or a config that names one."""

    configurable: Checkpoint | None = None


class HistorySearch(Struct):
    """The body of `POST /threads/{id}/history`."""

    limit: Limit = 10
    before: str | Before | None = None
    metadata: JsonObject | None = None
    checkpoint: Checkpoint | None = None
    select: list[str] | None = None


class ThreadState(Struct):
    """A state of a thread and its next steps; empty and null where no state was saved."""

    values: Any
    next: list[str]
    tasks: list[dict[str, Any]]
    metadata: JsonObject | None
    created_at: str | None
    checkpoint: Checkpoint | None
    parent_checkpoint: Checkpoint | None
    interrupts: list[dict[str, Any]]
    checkpoint_id: str | None
    parent_checkpoint_id: str | None


class StateUpdated(Struct):
    """The checkpoint that an update created, under the three names that clients look for."""

    checkpoint: JsonObject
    configurable: JsonObject
    checkpoint_id: str


class ThreadStorage(Struct):
    """The bytes that a thread's states take in storage."""

    thread_id: str
    total_bytes: int
    checkpoints: JsonObject
    channel_values: JsonObject
    pending_writes: JsonObject
