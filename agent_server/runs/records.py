"""The three shapes of a run: the SDK's `Run`, the `Record` of its row, and a worker's `Claim`."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from agent_server.agents import AgentRun, check_command, is_void
from agent_server.assistants.assistants import AssistantRef
from agent_server.assistants.configurations import check_one_of_both
from agent_server.database import Row
from agent_server.errors import Invalid
from agent_server.schema import (
    CancelAction,
    EventRunCreate,
    JsonObject,
    Run,
    RunCreate,
    RunKwargs,
    RunStatus,
    ThreadStatus,
    canonical_id,
    timestamp,
)
from agent_server.threads.schema import Checkpoint, checkpoint_dict


class RunOrigin(Struct, frozen=True):
    """The origin of a run: its client's request."""

    base_url: str
    """The server's address as the client saw it, with which feedback URLs begin."""
    caller: str | None = None
    """The authenticated user as JSON, where the application has its own authorization."""
    headers: JsonObject = {}
    """Request headers that the run's graph finds in its config."""
    project: str | None = None
    """The project of the run's feedback."""


RUN_COLUMNS = "run_id, thread_id, assistant_id, created_at, updated_at, status, metadata, kwargs, multitask_strategy"
"""The columns that `read_run` needs."""


class RunReference(Struct, frozen=True):
    """The fields of a run that feedback on it is stored with."""

    run_id: str
    thread_id: str
    assistant_id: str
    assistant_version: int | None
    trace_parent: str | None
    """The W3C `traceparent` from the run's metadata."""


class Claim(Struct):
    """An attempt's right to a run, while its lease is renewed."""

    run: AgentRun
    lease_token: str
    lease_seconds: float
    leased_until: float
    """When the lease ends unless it is renewed, in `boot_seconds`."""
    base_url: str
    cancel: CancelAction | None
    rescues: int
    """The number of consecutive attempts that lost their server before they made progress."""
    project: str | None
    """The project of the run's feedback."""
    waited: float | None = None
    """Seconds between the run's start time and its claim, for the first attempt."""
    turn: int = 0
    """How many claims the thread has had before this one."""
    assistant_version: int | None = None

    @property
    def reference(self) -> RunReference:
        """Return the fields that feedback on this run is stored with."""
        run = self.run
        return _reference(run.run_id, run.thread_id, run.assistant_id, self.assistant_version, run.metadata)


class NewLease(Struct, frozen=True):
    """A lease under which a run begins."""

    token: str
    seconds: float


class RunChoice(Struct, frozen=True):
    """Options of a new run that `RunCreate` lacks."""

    run_id: str | None = None
    """The run id that the client chose."""
    assistant_version: int | None = None
    """An earlier version of the assistant, instead of the latest."""
    lease: NewLease | None = None
    """Where given, the run is claimed with it at once, if its thread is free."""
    webhook_targets: dict[str, str] = {}
    """The URLs of further webhooks about the run's end, by id."""


LATEST = RunChoice()


class Ending(Struct):
    """The ending of an attempt."""

    status: RunStatus
    thread_status: ThreadStatus
    values: bytes | None = None
    """The thread's new values as JSON; None leaves them unchanged."""
    output: bytes | None = None
    """The run's output as JSON: its final values, with `__interrupt__` where it waits for input."""
    interrupts: bytes = b"{}"
    error: bytes = b"null"
    last_event: int | None = None
    """The number, in its turn, of the last event of the run's log, where that has protocol events."""


class Record(Struct):
    """A run's row, with its output or error."""

    run: Run
    graph_id: str
    assistant_version: int
    attempt: int
    temporary: bool
    base_url: str
    kwargs: RunKwargs
    output: bytes | None
    error: bytes | None
    project: str | None = None
    """The project of the run's feedback."""
    changed_at: int = 0
    """The time of the last status change, in microseconds since 1970."""
    turn: int | None = None
    """How many claims the thread had before the run's last one; None where the run was never claimed."""
    last_event: int | None = None
    """As in `Ending`."""
    assistant_name: str | None = None
    webhook_targets: dict[str, str] = {}
    """As in `RunChoice`."""

    @property
    def reference(self) -> RunReference:
        """Return the fields that feedback on this run is stored with."""
        run, metadata = self.run, msgspec.json.decode(self.run.metadata)
        return _reference(run.run_id, run.thread_id, run.assistant_id, self.assistant_version, metadata)


def _reference(
    run_id: str, thread_id: str, assistant_id: str, version: int | None, metadata: JsonObject
) -> RunReference:
    parent = metadata.get("traceparent")
    return RunReference(run_id, thread_id, assistant_id, version, parent if isinstance(parent, str) else None)


def run_kwargs(
    body: RunCreate, assistant: AssistantRef, temporary: bool, headers: JsonObject | None = None
) -> RunKwargs:
    """Return the kwargs of a new run: `body`, its assistant's configuration and the request's `headers`.

    Errors: `BadRequest` for a contradiction, `Invalid` for an invalid command or checkpoint.
    """
    config = {**assistant.config, **(body.config or {})}
    check_one_of_both(body.config, body.context)
    given = body.context or (body.config or {}).get("configurable") or {}
    configurable = {**assistant.config.get("configurable", {}), **given, **(headers or {})}
    modes = body.stream_mode or ["values"]
    keys = assistant.feedback_keys if body.feedback_keys is None else body.feedback_keys
    durability = body.durability or ("exit" if body.checkpoint_during is False else "async")
    return RunKwargs(
        input=Raw(msgspec.json.encode(body.input)),
        command=_command(body),
        config={**config, "configurable": configurable},
        context={**assistant.context, **given} or None,
        stream_mode=list(dict.fromkeys([modes] if isinstance(modes, str) else modes)),
        interrupt_before=body.interrupt_before,
        interrupt_after=body.interrupt_after,
        feedback_keys=list(dict.fromkeys(keys)) if keys else None,
        temporary=temporary,
        subgraphs=body.stream_subgraphs,
        resumable=body.stream_resumable,
        checkpoint=_checkpoint(body),
        durability=durability,
        webhook=body.webhook,
        event_streaming=isinstance(body, EventRunCreate),
    )


def _command(body: RunCreate) -> JsonObject | None:
    """Return the request's command; None where it has only nulls beside an input."""
    if body.input is not None and is_void(body.command):
        return None
    check_command(body.command)
    return body.command


def _checkpoint(body: RunCreate) -> JsonObject | None:
    """Return the checkpoint that the run starts from. Errors: `Invalid` for an id that is not a UUID."""
    configurable = (body.config or {}).get("configurable") or {}
    for given in (body.checkpoint_id, configurable.get("checkpoint_id")):
        if given:
            canonical_id(str(given), "checkpoint")
    try:
        named = msgspec.convert(body.checkpoint or {"checkpoint_id": body.checkpoint_id}, Checkpoint)
    except msgspec.ValidationError as error:
        raise Invalid(f"Invalid checkpoint: {error}") from None
    return checkpoint_dict(named) or None


def read_run(row: Row) -> Run:
    """Return the run in the SDK's shape."""
    return Run(
        run_id=row["run_id"],
        thread_id=row["thread_id"],
        assistant_id=row["assistant_id"],
        created_at=timestamp(row["created_at"]),
        updated_at=timestamp(row["updated_at"]),
        status=row["status"],
        metadata=Raw(row["metadata"].encode()),
        kwargs=Raw(row["kwargs"].encode()),
        multitask_strategy=row["multitask_strategy"],
    )


_kwargs_decoder = msgspec.json.Decoder(RunKwargs)


def read_record(row: Row) -> Record:
    """Return the record of a row."""
    return Record(
        run=read_run(row),
        graph_id=row["graph_id"],
        assistant_version=row["assistant_version"],
        attempt=row["attempt"],
        temporary=bool(row["temporary"]),
        base_url=row["base_url"],
        kwargs=_kwargs_decoder.decode(row["kwargs"]),
        output=row["output"].encode() if row["output"] is not None else None,
        error=row["error"].encode() if row["error"] not in (None, "null") else None,
        project=row["project"],
        changed_at=row["updated_at"],
        turn=row["turn"],
        last_event=row["last_event"],
        assistant_name=row.get("assistant_name"),
        webhook_targets=msgspec.json.decode(row["webhook_targets"]) if row["webhook_targets"] else {},
    )


def read_claim(row: Row, token: str, lease_seconds: float, leased_until: float) -> Claim:
    """Return a worker's claim on the run that it has just taken with the lease `token`."""
    run = AgentRun(
        run_id=row["run_id"],
        thread_id=row["thread_id"],
        assistant_id=row["assistant_id"],
        graph_id=row["graph_id"],
        attempt=row["attempt"],
        kwargs=_kwargs_decoder.decode(row["kwargs"]),
        metadata=msgspec.json.decode(row["metadata"]),
        caller=msgspec.json.decode(row["caller"]) if row["caller"] else None,
    )
    waited = max(0.0, (row["updated_at"] - row["start_at"]) / 1_000_000) if row["attempt"] == 1 else None
    return Claim(
        run=run,
        lease_token=token,
        lease_seconds=lease_seconds,
        leased_until=leased_until,
        base_url=row["base_url"],
        cancel=row["cancel"],
        rescues=row["rescues"],
        project=row["project"],
        waited=waited,
        turn=row["turn"],
        assistant_version=row["assistant_version"],
    )
