"""The commands of the protocol of version 2: start runs, and respond to interrupts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from agent_server.access.ownership import Condition
from agent_server.database import Connection, Database, Row
from agent_server.errors import AgentServerError, Forbidden, NotFound, Unavailable
from agent_server.runs.events.event import TURN
from agent_server.runs.events.schema import (
    MAX_SEQ,
    CommandDone,
    CommandRefused,
    ErrorCode,
    InputRespond,
    Meant,
)
from agent_server.runs.queue import Begun, Runs
from agent_server.runs.records import RunOrigin
from agent_server.schema import EVENT_MODES, EventRunCreate, canonical_id

Params = dict[str, Any]
T = TypeVar("T")


class Refusal(Exception):
    """The command fails; `code` is the protocol's reason."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Command(Struct):
    """A parsed command."""

    id: int
    method: str
    params: Params


class Sender(Struct):
    """The sender of a command, and its thread."""

    thread_id: str
    origin: RunOrigin
    owned: Condition | None = None
    """The condition on the thread for the sender to own it."""
    trace: Mapping[str, str] | None = None
    """Metadata that ties the run to the request's trace."""


class Commands:
    """Executes commands."""

    def __init__(self, database: Database, runs: Runs) -> None:
        self._database = database
        self._runs = runs
        self._known: dict[str, Callable[[Sender, Params], Awaitable[tuple[dict[str, Any], int]]]] = {
            "run.start": self._run_start,
            "input.respond": self._input_respond,
            "agent.getTree": self._agent_get_tree,
        }

    async def execute(self, sender: Sender, command: Command) -> CommandDone | CommandRefused:
        """Execute the command and return its response. Errors: `Unavailable` where the database does not respond."""
        try:
            known = self._known.get(command.method)
            if known is None:
                raise _build_unknown(command.method)
            result, applied = await known(sender, command.params)
            return CommandDone(command.id, result, Meant(applied))
        except Refusal as refusal:
            return CommandRefused(command.id, refusal.code, str(refusal))
        except Unavailable:
            raise
        except Forbidden as error:
            return CommandRefused(command.id, "permission_denied", str(error))
        except AgentServerError as error:
            return CommandRefused(command.id, "invalid_argument", str(error))

    async def _run_start(self, sender: Sender, params: Params) -> tuple[dict[str, Any], int]:
        if not params.get("assistant_id"):
            raise Refusal("invalid_argument", "run.start requires an assistant_id.")
        strategy = params.get("multitask_strategy") or params.get("multitaskStrategy")
        body = _run({**params, "multitask_strategy": strategy, "if_not_exists": "create"}, sender)
        thread_id = canonical_id(sender.thread_id, "thread")

        def work(connection: Connection) -> tuple[Begun, int]:
            create = body
            if body.input is not None and body.command is None and _waits(connection, thread_id):
                create = msgspec.structs.replace(body, input=None, command={"resume": body.input})
            return self._begin(connection, create, sender)

        return await self._confirm_begun(await self._database.write(work))

    async def _input_respond(self, sender: Sender, params: Params) -> tuple[dict[str, Any], int]:
        given = convert_params(params, InputRespond)
        responses = given.list_responses()
        if not responses:
            raise Refusal("invalid_argument", "input.respond requires an interrupt_id.")
        thread_id = canonical_id(sender.thread_id, "thread")
        goto = {} if given.goto is None else {"goto": given.goto}
        command = {"resume": responses, **({} if given.update is None else {"update": given.update}), **goto}

        def work(connection: Connection) -> tuple[Begun, int]:
            row = _lock_thread(connection, thread_id)
            pending = _interrupt_ids(row)
            if unknown := [one for one in responses if one not in pending]:
                raise Refusal("no_such_interrupt", f"Unknown or already-consumed interrupt: {', '.join(unknown)}")
            last_run = _last_run(connection, thread_id)
            keys = given.feedback_keys
            body = {
                "assistant_id": last_run["assistant_id"],
                "command": command,
                "config": given.config,
                "metadata": given.metadata,
                "feedback_keys": msgspec.json.decode(last_run["kwargs"])["feedback_keys"] if keys is None else keys,
            }
            return self._begin(connection, _run(body, sender), sender)

        _, applied = await self._confirm_begun(await self._database.write(work))
        return {}, applied

    async def _agent_get_tree(self, sender: Sender, _: Params) -> tuple[dict[str, Any], int]:
        thread_id = canonical_id(sender.thread_id, "thread")
        sql = "SELECT graph_id, turn FROM runs WHERE thread_id = :id AND status = 'running'"
        row = await self._database.read(lambda c: c.one(sql, id=thread_id))
        if row is None:
            raise Refusal("no_such_run", "No active run is bound to this thread.")
        return {"tree": {"namespace": [], "status": "running", "graph_name": row["graph_id"]}}, row["turn"] * TURN

    def _begin(self, connection: Connection, body: EventRunCreate, sender: Sender) -> tuple[Begun, int]:
        begun = self._runs.insert(connection, body, sender.thread_id, sender.origin, sender.owned)
        run, overtaken = begun
        return begun, _find_applied(connection, run.thread_id, through_overtaken=bool(overtaken))

    async def _confirm_begun(self, started: tuple[Begun, int]) -> tuple[dict[str, Any], int]:
        (run, overtaken), applied = started
        await self._runs.announce(overtaken, run.thread_id)
        return {"run_id": run.run_id}, applied


def parse_command(command: Any) -> Command | CommandRefused:
    """Return the command in a body, or its error response where there is none."""
    given = command if isinstance(command, dict) else {}
    command_id, method, params = given.get("id"), given.get("method"), given.get("params")
    if not isinstance(command_id, int) or isinstance(command_id, bool) or abs(command_id) > MAX_SEQ:
        command_id = None
    if command_id is not None and isinstance(method, str):
        return Command(command_id, method, params if isinstance(params, dict) else {})
    message = "Protocol commands must include an integer id and string method."
    return CommandRefused(command_id, "invalid_argument", message)


def _build_unknown(method: str) -> Refusal:
    if method.startswith("subscription."):
        return Refusal("not_supported", "Subscribe with POST …/stream/events, or over its WebSocket.")
    return Refusal("unknown_command", f"Unknown protocol command: {method}")


def _run(params: Params, sender: Sender) -> EventRunCreate:
    """Return the requested run, streamed by the protocol."""
    body = convert_params({**params, "stream_mode": None}, EventRunCreate)
    metadata = {**(sender.trace or {}), **(body.metadata or {})} or None
    streamed = {"stream_mode": list(EVENT_MODES), "stream_subgraphs": True, "stream_resumable": True}
    return msgspec.structs.replace(body, metadata=metadata, on_completion=None, **streamed)


def convert_params(params: Params, kind: type[T]) -> T:
    """Return the parameters as `kind`. Errors: `Refusal`."""
    try:
        return msgspec.convert(params, kind)
    except msgspec.ValidationError as error:
        raise Refusal("invalid_argument", str(error).replace("$.", "params.")) from None


_TAKE = """UPDATE threads SET updated_at = now_us() WHERE thread_id = :id AND temporary = 0
    RETURNING status, interrupts"""


def _lock_thread(connection: Connection, thread_id: str) -> Row:
    """Return the thread's row, locked until the transaction ends. Errors: `NotFound`."""
    row = connection.one(_TAKE, id=thread_id)
    if row is None:
        raise NotFound(f"Thread with ID {thread_id} not found")
    return row


def _interrupt_ids(row: Row) -> set[str]:
    """Return the ids of waiting interrupts: none while a run is active, which may be responding to them."""
    if row["status"] != "interrupted":
        return set()
    waiting: dict[str, list[dict[str, Any]]] = msgspec.json.decode(row["interrupts"])
    return {one["id"] for several in waiting.values() for one in several}


def _waits(connection: Connection, thread_id: str) -> bool:
    """Return whether the thread waits for input, which the next run's input then is (as on the official server,
    0.16.7)."""
    row = connection.one(_TAKE, id=thread_id)
    return row is not None and bool(_interrupt_ids(row))


def _last_run(connection: Connection, thread_id: str) -> Row:
    """Return the run that is interrupted: the one with the last turn. Errors: `Refusal`."""
    row = connection.one(
        "SELECT assistant_id, kwargs FROM runs WHERE thread_id = :id AND turn IS NOT NULL ORDER BY turn DESC LIMIT 1",
        id=thread_id,
    )
    if row is None:
        raise Refusal("no_such_run", "No run of this thread asks for input: start one with run.start.")
    return row


def _find_applied(connection: Connection, thread_id: str, through_overtaken: bool) -> int:
    """Return the number after which all events are new to a client that has just started a run.

    Events of runs that have ended, or that the new run cancels, are not.
    """
    row = connection.one(
        """SELECT turns, (SELECT turn FROM runs WHERE runs.thread_id = threads.thread_id AND status = 'running')
            AS at_work FROM threads WHERE thread_id = :id""",
        id=thread_id,
    )
    assert row is not None
    turn: int = row["turns"] if row["at_work"] is None or through_overtaken else row["at_work"]
    return turn * TURN
