"""The statements that create a run on its thread, inside the transactions of `queue.py`.

With a lease, they also claim the run for the process that creates it, if its thread is free: a second transaction for
the claim, and the way through the queue, are then unnecessary.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from uuid_utils import uuid7

from agent_server.assistants.assistants import AssistantRef
from agent_server.database import Connection, Row
from agent_server.errors import Conflict
from agent_server.runs.records import RunChoice, RunOrigin, run_kwargs
from agent_server.schema import JsonObject, RunCreate
from agent_server.threads.graph_setup import merge_config
from agent_server.threads.schema import Ttl
from agent_server.threads.threads import set_ttl


class NewRun(Struct, frozen=True):
    """A run to create."""

    body: RunCreate
    assistant: AssistantRef
    thread_id: str
    temporary: bool
    origin: RunOrigin
    choice: RunChoice

    @property
    def starts_later(self) -> bool:
        """Return whether the run waits for its start time."""
        return bool(self.body.after_seconds)


class InsertedRun(NamedTuple):
    """The row of a created run, and whether nothing is stored of its thread."""

    row: Row
    on_new_thread: bool


def insert_with_thread(connection: Connection, new: NewRun, ttl: Ttl | None) -> InsertedRun:
    """Insert a run and its new thread, which gets the run's metadata.

    By the metadata, an application finds the thread and its owner. Errors: `Conflict` where the run's id is taken.
    """
    is_claimed = new.choice.lease is not None and not new.starts_later
    row = _insert_run(connection, new, 0 if is_claimed else None)
    connection.execute(
        _INSERT_THREAD,
        id=new.thread_id,
        status="idle" if new.starts_later else "busy",
        metadata=_json({**(new.body.metadata or {}), **_names(new.assistant)}),
        config=_json({} if new.temporary else _config({}, new)),
        temporary=int(new.temporary),
        turns=int(is_claimed),
    )
    if ttl is not None:
        set_ttl(connection, new.thread_id, ttl)
    return InsertedRun(row, on_new_thread=True)


def insert_on_thread(connection: Connection, new: NewRun, thread: Row) -> InsertedRun:
    """Insert a run on a thread whose row the caller has locked. Errors as `insert_with_thread`.

    A thread that is not busy has neither a running run nor a pending one that may start. The state of a thread is
    changed from outside only where its metadata name a graph, as they do from its first run on.
    """
    metadata = msgspec.json.decode(thread["metadata"])
    is_claimed = new.choice.lease is not None and not new.starts_later and thread["status"] != "busy"
    row = _insert_run(connection, new, thread["turns"] if is_claimed else None)
    connection.execute(
        _UPDATE_THREAD,
        id=new.thread_id,
        status=thread["status"] if new.starts_later else "busy",
        metadata=_json(metadata | _names(new.assistant)),
        config=_json(_config(msgspec.json.decode(thread["config"]), new)),
        turns=thread["turns"] + is_claimed,
    )
    return InsertedRun(row, bool(thread["is_unused"]) and "graph_id" not in metadata)


_INSERT_THREAD = """
    INSERT INTO threads (thread_id, status, metadata, config, state, interrupts, error, temporary, turns,
        created_at, updated_at, state_updated_at)
    VALUES (:id, :status, :metadata, :config, 'null', '{}', 'null', :temporary, :turns, now_us(), now_us(), now_us())"""
_UPDATE_THREAD = """
    UPDATE threads SET status = :status, metadata = :metadata, config = :config, turns = :turns WHERE thread_id = :id"""
_INSERT_RUN = """
    INSERT INTO runs (run_id, thread_id, assistant_id, assistant_version, graph_id, status, metadata, kwargs,
        multitask_strategy, temporary, base_url, caller, project, start_at, created_at, updated_at,
        attempt, rescues, lease_token, lease_until, turn, webhook_targets)
    VALUES (:run_id, :thread_id, :assistant_id, :version, :graph_id, :status, :metadata, :kwargs,
        :strategy, :temporary, :base_url, :caller, :project, now_us() + :after, now_us(), now_us(),
        :attempt, 0, :token, now_us() + :lease, :turn, :webhook_targets)
    ON CONFLICT (run_id) DO NOTHING RETURNING *"""


def _insert_run(connection: Connection, new: NewRun, turn: int | None) -> Row:
    """Insert the run: running in this turn of its thread, under the lease of `new`, or pending if `turn` is None."""
    assistant, origin, lease = new.assistant, new.origin, None if turn is None else new.choice.lease
    row = connection.one(
        _INSERT_RUN,
        run_id=new.choice.run_id or str(uuid7()),
        thread_id=new.thread_id,
        assistant_id=assistant.assistant_id,
        version=assistant.version,
        graph_id=assistant.graph_id,
        status="running" if lease else "pending",
        metadata=_json({**(new.body.metadata or {}), **_names(assistant)}),
        kwargs=_json(run_kwargs(new.body, assistant, new.temporary, origin.headers)),
        strategy=new.body.multitask_strategy or "enqueue",
        temporary=int(new.temporary),
        base_url=origin.base_url,
        caller=origin.caller,
        project=origin.project,
        after=int((new.body.after_seconds or 0) * 1_000_000),
        attempt=1 if lease else 0,
        token=lease.token if lease else None,
        lease=int(lease.seconds * 1_000_000) if lease else None,
        turn=turn,
        webhook_targets=_json(new.choice.webhook_targets) if new.choice.webhook_targets else None,
    )
    if row is None:
        raise Conflict(f"Run {new.choice.run_id} already exists; leave its id out to get a new one")
    return row


def _names(assistant: AssistantRef) -> JsonObject:
    """Return the metadata by which a run and its thread name their assistant."""
    return {"graph_id": assistant.graph_id, "assistant_id": assistant.assistant_id}


def _config(kept: JsonObject, new: NewRun) -> JsonObject:
    return kept if new.temporary else merge_config(kept, new.assistant.config, new.body.config or {})


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
