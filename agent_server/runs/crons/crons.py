"""Crons: runs on a schedule, on one thread or each on its own. `clock.py` starts them.

`payload` is the body of the runs, without the cron's own fields.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from uuid import uuid5

import msgspec
from msgspec import UNSET, Raw
from uuid_utils import uuid7

from agent_server.access.caller import Caller, caller_json
from agent_server.access.ownership import Condition
from agent_server.assistants.assistants import SYSTEM_NAMESPACE, Assistants
from agent_server.config.webhooks import WebhookPolicy
from agent_server.database import Connection, Database, Row
from agent_server.database.search import Found, Page, Search, convert_page
from agent_server.errors import BadRequest, Invalid, NotFound
from agent_server.runs.crons.schedule import micros, next_date
from agent_server.runs.crons.schema import Cron, CronCreate, CronFilter, CronPatch, CronSearch
from agent_server.runs.records import run_kwargs
from agent_server.schema import JsonObject, RunCreate, canonical_id, timestamp

COLUMNS = (
    "cron_id, assistant_id, thread_id, user_id, end_time, schedule, timezone, payload, next_run_date, metadata, "
    "on_run_completed, enabled, created_at, updated_at"
)
_OF_THE_RUN = (
    "input",
    "config",
    "context",
    "webhook",
    "interrupt_before",
    "interrupt_after",
    "multitask_strategy",
    "stream_mode",
    "stream_subgraphs",
    "stream_resumable",
    "durability",
)
"""The fields of the payload that a patch may change."""


class Crons:
    """The table of crons."""

    def __init__(self, database: Database, assistants: Assistants, webhooks: WebhookPolicy | None = None) -> None:
        self._database = database
        self._assistants = assistants
        self._webhooks = webhooks or WebhookPolicy()

    async def create(
        self,
        body: CronCreate,
        thread_id: str | None,
        base_url: str,
        caller: Caller | None = None,
        project: str | None = None,
    ) -> Cron:
        """Create a cron and return it; its runs use the thread, or each a new one without `thread_id`.

        The runs belong to the caller, and feedback on them to `project`.

        Errors: `NotFound` for an unknown thread or assistant, `Invalid` for a wrong schedule, time zone, id or webhook,
        `BadRequest` for `context` beside `config.configurable`.
        """
        self._check_webhook(body.webhook)
        thread = canonical_id(thread_id, "thread") if thread_id else None
        end_time = micros(body.end_time) if body.end_time else None

        def work(connection: Connection) -> Cron:
            _check_end(end_time, connection)
            assistant_id = self._check_assistant(connection, body)
            if thread and body.if_not_exists != "create":
                _check_thread(connection, thread)
            row = connection.one(
                f"""INSERT INTO crons ({COLUMNS}, base_url, caller, project)
                VALUES (:id, :assistant, :thread, :user, :end_time, :schedule, :timezone, :payload,
                    :next, :metadata, :completed, :enabled, now_us(), now_us(), :url, :caller, :project)
                RETURNING {COLUMNS}""",
                id=str(uuid7()),
                assistant=assistant_id,
                thread=thread,
                end_time=end_time,
                schedule=body.schedule,
                timezone=body.timezone,
                payload=_json(_payload(body) | {"assistant_id": assistant_id}),
                next=next_date(body.schedule, body.timezone, read_clock(connection), end_time),
                metadata=_json(body.metadata or {}),
                completed=None if thread else body.on_run_completed or "delete",
                enabled=int(body.enabled is not False),
                url=base_url,
                user=caller.identity if caller else None,
                caller=caller_json(caller),
                project=project,
            )
            return _cron(cast(Row, row))

        return await self._database.write(work)

    def _check_webhook(self, url: str | None) -> None:
        """Raise for a forbidden webhook. Firing checks it again, because the settings may change."""
        if url is not None:
            self._webhooks.check(url)

    def _check_assistant(self, connection: Connection, body: CronCreate) -> str:
        """Return the id of the cron's assistant, after checking that the body is valid for a run of it."""
        try:
            assistant = self._assistants.resolve(connection, body.assistant_id)
        except Invalid as error:
            raise NotFound(str(error)) from None
        run_kwargs(body, assistant, temporary=False)
        return assistant.assistant_id

    async def get(self, cron_id: str) -> Cron:
        """Return the cron. Errors: `NotFound`."""
        key = canonical_id(cron_id, "cron")
        return _cron(await self._database.read(lambda c: _get_row(c, key)))

    async def patch(self, cron_id: str, body: CronPatch) -> Cron:
        """Change the cron and return it: metadata is merged key by key, other given fields are replaced.

        A new schedule, time zone, end or switch counts from now: the cron does not make up for dates it missed.
        """
        key = canonical_id(cron_id, "cron")
        end_time = micros(body.end_time) if isinstance(body.end_time, datetime) else None
        self._check_webhook(body.webhook)
        if all(getattr(body, name) in (None, UNSET) for name in body.__struct_fields__) and body.end_time is UNSET:
            raise BadRequest("Nothing to change: name at least one field of the cron")

        def work(connection: Connection) -> Cron:
            if not connection.execute("UPDATE crons SET updated_at = now_us() WHERE cron_id = :id", id=key):
                raise _build_not_found(key)
            row = dict(_get_row(connection, key))
            if body.end_time is not UNSET:
                _check_end(end_time, connection)
                row["end_time"] = end_time
            return _write(connection, row, body)

        return await self._database.write(work)

    async def delete(self, cron_id: str) -> None:
        """Delete the cron. The runs that it has started continue. Errors: `NotFound`."""
        key = canonical_id(cron_id, "cron")
        if not await self._database.write(lambda c: c.execute("DELETE FROM crons WHERE cron_id = :id", id=key)):
            raise _build_not_found(key)

    async def search(self, query: CronSearch, owned: Condition | None = None) -> Found[Cron]:
        """Return a page of the crons that match `query` (and meet `owned`), newest first by default, and the total."""
        order = f"{query.sort_by or 'created_at'} {query.sort_order or 'desc'}, cron_id"
        page = Page(COLUMNS, order, query.limit, query.offset)
        search = self._search(query, owned)
        if query.enabled is not None:
            search.where("enabled = :enabled", enabled=int(query.enabled))
        return convert_page(await self._database.read(lambda c: search.page(c, page)), _cron)

    async def count(self, query: CronFilter, owned: Condition | None = None) -> int:
        """Count the crons that match `query` (and meet `owned`)."""
        return await self._database.read(self._search(query, owned).count)

    def _search(self, query: CronFilter, owned: Condition | None) -> Search:
        search = Search("crons")
        if owned is not None:
            owned.narrow(search)
        if query.assistant_id is not None:
            search.equals("assistant_id", self._assistant_id(query.assistant_id))
        if query.thread_id is not None:
            search.equals("thread_id", canonical_id(query.thread_id, "thread"))
        search.contains("metadata", query.metadata)
        return search

    def _assistant_id(self, text: str) -> str:
        """Return the assistant id in `text`, or the id of the system assistant of the graph with this name."""
        if text in self._assistants.graph_ids:
            return str(uuid5(SYSTEM_NAMESPACE, text))
        return canonical_id(text, "assistant")


def _check_end(end_time: int | None, connection: Connection) -> None:
    """Raise `Invalid` for an end that has passed: the cron would never fire."""
    if end_time is not None and end_time <= read_clock(connection):
        raise Invalid(f"end_time {timestamp(end_time)} has passed; give a later time, or leave it out")


def read_clock(connection: Connection) -> int:
    """Return the database's time, in microseconds since 1970."""
    return int(cast(Row, connection.one("SELECT now_us() AS now"))["now"])


def _payload(body: CronCreate) -> JsonObject:
    """Return the run's fields of the body that differ from their defaults."""
    run = {field.name: getattr(body, field.name) for field in msgspec.structs.fields(RunCreate)}
    defaults = {field.name: field.default for field in msgspec.structs.fields(RunCreate)}
    return {name: value for name, value in run.items() if value != defaults[name]}


def _write(connection: Connection, row: dict[str, Any], body: CronPatch) -> Cron:
    """Apply a patch to a cron whose row is locked, and return the cron."""
    for name in ("schedule", "timezone", "on_run_completed", "enabled"):
        if (given := getattr(body, name)) is not None and not (name == "on_run_completed" and row["thread_id"]):
            row[name] = given
    changes = {name: given for name in _OF_THE_RUN if (given := getattr(body, name)) is not None}
    metadata = msgspec.json.decode(row["metadata"]) | (body.metadata or {})
    payload = msgspec.json.decode(row["payload"]) | changes | ({"metadata": metadata} if metadata else {})
    _check_context(payload)
    if body.end_time is not UNSET or body.schedule or body.timezone or body.enabled:
        row["next_run_date"] = next_date(row["schedule"], row["timezone"], read_clock(connection), row["end_time"])
    connection.execute(
        """UPDATE crons SET schedule = :schedule, timezone = :timezone, end_time = :end_time, enabled = :enabled,
            on_run_completed = :completed, payload = :payload, metadata = :metadata, next_run_date = :next
        WHERE cron_id = :id""",
        id=row["cron_id"],
        schedule=row["schedule"],
        timezone=row["timezone"],
        end_time=row["end_time"],
        enabled=int(row["enabled"]),
        completed=row["on_run_completed"],
        payload=_json(payload),
        metadata=_json(metadata),
        next=row["next_run_date"],
    )
    return _cron(_get_row(connection, row["cron_id"]))


def _check_context(payload: JsonObject) -> None:
    if payload.get("context") and (payload.get("config") or {}).get("configurable"):
        raise BadRequest("A run takes either context or config.configurable, not both; prefer context")


def _check_thread(connection: Connection, thread_id: str) -> None:
    if not connection.one("SELECT 1 AS x FROM threads WHERE thread_id = :id AND temporary = 0", id=thread_id):
        raise NotFound(f"Thread with ID {thread_id} not found")


def _get_row(connection: Connection, cron_id: str) -> Row:
    row = connection.one(f"SELECT {COLUMNS} FROM crons WHERE cron_id = :id", id=cron_id)
    if row is None:
        raise _build_not_found(cron_id)
    return row


def _build_not_found(cron_id: str) -> NotFound:
    return NotFound(f"Cron with ID {cron_id} not found")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _cron(row: Row) -> Cron:
    return Cron(
        cron_id=row["cron_id"],
        assistant_id=row["assistant_id"],
        thread_id=row["thread_id"],
        user_id=row["user_id"],
        end_time=_time(row["end_time"]),
        schedule=row["schedule"],
        timezone=row["timezone"],
        payload=Raw(row["payload"].encode()),
        next_run_date=_time(row["next_run_date"]),
        metadata=Raw(row["metadata"].encode()),
        on_run_completed=row["on_run_completed"],
        enabled=bool(row["enabled"]),
        created_at=timestamp(row["created_at"]),
        updated_at=timestamp(row["updated_at"]),
    )


def _time(moment: int | None) -> str | None:
    return None if moment is None else timestamp(moment)
