"""`ListTasks`: its query and its pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from agent_server.errors import Invalid
from agent_server.protocols.a2a.requests import read_integer, read_object, read_text
from agent_server.protocols.a2a.tasks import METADATA_KEY, build_task, read_state
from agent_server.runs.queue import Runs
from agent_server.runs.records import Record
from agent_server.runs.selection import TaskRow
from agent_server.schema import JsonObject

DEFAULT_PAGE, LARGEST_PAGE = 50, 100
_STATES = {
    "TASK_STATE_SUBMITTED": "pending",
    "TASK_STATE_WORKING": "running",
    "TASK_STATE_COMPLETED": "success",
    "TASK_STATE_INPUT_REQUIRED": "success",
    "TASK_STATE_CANCELED": "interrupted",
    "TASK_STATE_FAILED": "error",
}
"""The run statuses of each state; no task is in any other state."""
_ALL = ("", "TASK_STATE_UNSPECIFIED")


class TaskQuery(Struct, frozen=True):
    """The filters, the page, and the requested details."""

    context_id: str | None
    state: str | None
    page_size: int
    start: int
    history_length: int
    with_artifacts: bool
    changed_after: int | None
    """In microseconds since 1970."""

    @classmethod
    def parse(cls, params: JsonObject) -> TaskQuery:
        """Parse the parameters. Errors: `RpcError`, `Invalid`."""
        read_object({"params": params}, "params")
        state = read_text(params, "status")
        return cls(
            context_id=read_text(params, "contextId"),
            state=None if state in (None, *_ALL) else _state(state or ""),
            page_size=read_integer(params, "pageSize", 1, LARGEST_PAGE) or DEFAULT_PAGE,
            start=_start(read_text(params, "pageToken")),
            history_length=read_integer(params, "historyLength", 0, 10_000) or 0,
            with_artifacts=params.get("includeArtifacts") is True,
            changed_after=_micros(read_text(params, "statusTimestampAfter")),
        )


async def list_tasks(runs: Runs, rows: Sequence[TaskRow], query: TaskQuery) -> JsonObject:
    """Return a page of tasks; `rows` are the tasks' runs, most recently changed first."""
    found = [row for row in _newest(rows) if _fits(row, query)]
    if query.state in ("TASK_STATE_COMPLETED", "TASK_STATE_INPUT_REQUIRED"):
        records = await _records(runs, found)
        found = [row for row in found if row.run_id in records and read_state(records[row.run_id]) == query.state]
    page = found[query.start : query.start + query.page_size]
    records = await _records(runs, page)
    end = query.start + len(page)
    return {
        "tasks": [_show_task(records[row.run_id], query) for row in page if row.run_id in records],
        "nextPageToken": str(end) if end < len(found) else "",
        "pageSize": len(page),
        "totalSize": len(found),
    }


async def _records(runs: Runs, rows: Sequence[TaskRow]) -> dict[str, Record]:
    return {record.run.run_id: record for record in await runs.get_many([row.run_id for row in rows])}


def _newest(rows: Sequence[TaskRow]) -> list[TaskRow]:
    """Return each task's newest run, in the order of `rows`."""
    newest: dict[str, TaskRow] = {}
    for row in rows:
        task_id = msgspec.json.decode(row.metadata)[METADATA_KEY]["task_id"]
        if task_id not in newest or row.created_at > newest[task_id].created_at:
            newest[task_id] = row
    chosen = {row.run_id for row in newest.values()}
    return [row for row in rows if row.run_id in chosen]


def _fits(row: TaskRow, query: TaskQuery) -> bool:
    if query.changed_after is not None and row.updated_at <= query.changed_after:
        return False
    return query.state is None or row.status == _STATES[query.state]


def _show_task(record: Record, query: TaskQuery) -> JsonObject:
    task = build_task(record, query.history_length)
    if not query.with_artifacts:
        task.pop("artifacts", None)
    return task


def _state(name: str) -> str:
    full = name if name.startswith("TASK_STATE_") else f"TASK_STATE_{name.upper().replace('-', '_')}"
    if full not in _STATES:
        raise Invalid(f"status {name!r:.60} is no state of this server's tasks; they are {', '.join(_STATES)}")
    return full


def _start(token: str | None) -> int:
    if token is None:
        return 0
    if token.isascii() and token.isdigit() and len(token) < 10:
        return int(token)
    raise Invalid("pageToken is not one of this server's; leave it out for the first page")


def _micros(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("statusTimestampAfter must be a time such as 2026-11-29T12:00:00Z") from None
    return int(moment.timestamp() * 1_000_000)
