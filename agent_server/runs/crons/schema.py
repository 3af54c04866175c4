"""Wire types of crons, in the official SDK's names.

The shapes follow `langgraph_sdk.schema` 0.4.14 and responses of the official server (langgraph-api 0.16.7).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from agent_server.schema import (
    Durability,
    JsonObject,
    Limit,
    MultitaskStrategy,
    Offset,
    RunCreate,
    StreamMode,
    WebhookUrl,
)

OnRunCompleted = Literal["delete", "keep"]
Schedule = Annotated[
    str, Meta(max_length=256, description="minute hour day-of-month month day-of-week, such as `*/5 * * * *`")
]
TimezoneName = Annotated[str, Meta(max_length=64, description="An IANA time zone; UTC where there is none.")]

CronField = Literal[
    "cron_id",
    "assistant_id",
    "thread_id",
    "on_run_completed",
    "end_time",
    "schedule",
    "timezone",
    "created_at",
    "updated_at",
    "user_id",
    "payload",
    "next_run_date",
    "metadata",
    "enabled",
]


class CronCreate(RunCreate, kw_only=True):
    """The body of the requests that create a cron: a run's body and its schedule."""

    schedule: Schedule
    timezone: TimezoneName | None = None
    end_time: datetime | None = None
    enabled: bool | None = None
    on_run_completed: OnRunCompleted | None = None


class CronPatch(Struct):
    """The body of `PATCH /runs/crons/{id}`. Null leaves a field unchanged, except `end_time`, which it clears."""

    schedule: Schedule | None = None
    timezone: TimezoneName | None = None
    end_time: datetime | UnsetType | None = UNSET
    enabled: bool | None = None
    on_run_completed: OnRunCompleted | None = None
    metadata: JsonObject | None = None
    input: Any = None
    config: JsonObject | None = None
    context: JsonObject | None = None
    webhook: WebhookUrl | None = None
    interrupt_before: Literal["*"] | list[str] | None = None
    interrupt_after: Literal["*"] | list[str] | None = None
    multitask_strategy: MultitaskStrategy | None = None
    stream_mode: StreamMode | list[StreamMode] | None = None
    stream_subgraphs: bool | None = None
    stream_resumable: bool | None = None
    durability: Durability | None = None


class CronFilter(Struct):
    """The filter of `POST /runs/crons/count`. `assistant_id` may be the name of a graph."""

    assistant_id: str | None = None
    thread_id: str | None = None
    metadata: JsonObject | None = None


class CronSearch(CronFilter):
    """The body of `POST /runs/crons/search`: filter, order, page and fields."""

    enabled: bool | None = None
    limit: Limit = 10
    offset: Offset = 0
    sort_by: (
        Literal["cron_id", "assistant_id", "thread_id", "next_run_date", "end_time", "created_at", "updated_at"] | None
    ) = None
    sort_order: Literal["asc", "desc"] | None = None
    select: list[CronField] | None = None


class Cron(Struct):
    """A run that starts on a schedule."""

    cron_id: str
    assistant_id: str
    thread_id: str | None
    user_id: str | None
    end_time: str | None
    schedule: str
    timezone: str | None
    payload: Raw
    next_run_date: str | None
    """Null where the cron ends before its next date."""
    metadata: Raw
    on_run_completed: OnRunCompleted | None
    enabled: bool
    created_at: str
    updated_at: str
