"""Runs for OpenAI's requests: a stateless one, one on a thread, or one that resumes the agent where it waits."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import msgspec
from msgspec import UNSET, Struct

from agent_server.assistants.assistants import AssistantRef
from agent_server.errors import AgentServerError, BadRequest, Invalid, NotFound
from agent_server.protocols.openai.answers import (
    METADATA_KEY,
    Request,
    last_message_id,
    list_waiting_interrupts,
    parse_call_id,
)
from agent_server.protocols.openai.content import read_text
from agent_server.protocols.openai.errors import BadParameter, Unknown
from agent_server.protocols.openai.messages import select_new_messages
from agent_server.protocols.openai.models import find_model
from agent_server.protocols.openai.schema import AgentRequest
from agent_server.protocols.openai.words import Words
from agent_server.protocols.services import RequestServices
from agent_server.routes.authentication import read_project
from agent_server.routes.authorization import get_caller
from agent_server.routes.run_requests import create_run
from agent_server.runs.records import Record
from agent_server.schema import FeedbackKeys, JsonObject, RunCreate

THREADS = UUID("c5a1b8f2-2f0e-4a36-9d0a-0f6c0b8f7c55")
"""The namespace of the ids of threads that clients name."""
CONVERSATION_ID = "conv_"
_DIRECTIVES = ("feedback_keys", "thread_id")
"""The members of a request's metadata that are for this server."""


class Turn(Struct, kw_only=True):
    """One request, translated: the messages, and the place where they go on."""

    asked: AgentRequest
    messages: list[JsonObject]
    stored: Request
    """What is stored of the request with its run."""
    thread_id: str | None
    keeps_thread: bool
    """Whether a run without a thread gets one that stays."""
    sends_all: bool
    """Whether the messages are the whole conversation, of which a thread has a part."""
    json_parameter: str | None = None
    """The parameter that asks for an answer in JSON, if one does."""
    previous_run_id: str | None = None
    """The run that the turn continues: it must be the last one of its thread."""


class StartedRun(Struct):
    """A run, and what its responses need."""

    services: RequestServices
    record: Record
    token: str | None
    speaks: bool

    def headers(self) -> dict[str, str]:
        """Return the headers of the response that starts the run."""
        return {"X-Feedback-Token": self.token} if self.token else {}

    def words(self) -> Words:
        """Return a reader of the run's log."""
        return Words(self.services.streams, self.record, self.speaks)

    async def wait_for_end(self) -> Record:
        """Return the run as it is at its end."""
        return await self.services.streams.reload_record(self.record)


class OpenAIRuns:
    """Starts the runs of one HTTP request."""

    def __init__(self, services: RequestServices) -> None:
        self._services = services

    async def start(self, turn: Turn) -> StartedRun:
        """Start the run for a turn. Errors: `BadParameter`, `Unknown`, and those of `create_run`."""
        services = self._services
        assistant = await find_model(services, turn.asked.model)
        schemas = await self._schemas(assistant)
        _check_format(turn, schemas)
        last = await self._last_run(turn)
        body = _place_on_thread(turn, last)
        body |= {
            "assistant_id": assistant.assistant_id,
            "stream_mode": ["messages-tuple"] if turn.asked.stream else ["values"],
            "metadata": _run_metadata(turn, last),
            "feedback_keys": _feedback_keys(turn.asked),
            "context": turn.asked.context,
        }
        refused = _fill(body, turn, last, schemas)
        await services.authenticator.authorize_run(services.http, body)
        if refused is not None:  # only who may run on the thread learns what waits there
            raise refused
        try:
            wanted = msgspec.convert(body, RunCreate)
        except msgspec.ValidationError as error:
            raise BadRequest(str(error)) from None
        run = await create_run(services.http, services.runs, services.config, wanted, body.get("thread_id"))
        return await self.load_run(await services.runs.get(run.run_id), schemas)

    async def load_run(self, record: Record, schemas: JsonObject | None = None) -> StartedRun:
        """Return a run, with what its responses need."""
        services = self._services
        schemas = schemas if schemas is not None else await self._get_schemas_of_run(record)
        token = services.feedback.token(record.run.run_id, record.project)
        return StartedRun(services, record, token, _has_messages(schemas.get("output_schema")))

    def derive_thread_id(self, name: str) -> str:
        """Return the thread id that a client's name of a thread or conversation stands for.

        A UUID is the id itself; any other name is one of the request's project and user.
        """
        try:
            return str(UUID(name.removeprefix(CONVERSATION_ID)))
        except ValueError:
            caller = get_caller(self._services.http)
            owner = f"{read_project(self._services.http) or ''}\0{caller.identity if caller else ''}"
            return str(uuid5(THREADS, f"{owner}\0{name}"))

    async def find_run(self, run_id: str, error: NotFound) -> Record:
        """Return a run of the request's project. Errors: `error` if there is none."""
        try:
            record = await self._services.runs.get(run_id)
        except (NotFound, Invalid):
            raise error from None
        project = read_project(self._services.http)
        if project is not None and record.project != project:
            raise error
        return record

    async def _last_run(self, turn: Turn) -> Record | None:
        """Return the last run of the turn's thread, or of the thread on which its tool results are awaited."""
        services, thread_id = self._services, turn.thread_id
        if thread_id is None and (calls := _list_answered_calls(turn)):
            run_id, _ = next(iter(calls))
            thread_id = (await self.find_run(run_id, _build_not_awaited())).run.thread_id
        if thread_id is None:
            return None
        try:
            runs = await services.runs.list_by_thread(thread_id, 1, 0, None)
        except NotFound:
            return None
        return await services.runs.get(runs[0].run_id) if runs else None

    async def _get_schemas_of_run(self, record: Record) -> JsonObject:
        try:
            return await self._services.graphs.get_known_schemas(record.run.assistant_id, record.assistant_version)
        except AgentServerError:  # the graph no longer exists
            return {}

    async def _schemas(self, assistant: AssistantRef) -> JsonObject:
        return await self._services.graphs.get_known_schemas(assistant.assistant_id, assistant.version)


def _place_on_thread(turn: Turn, last: Record | None) -> JsonObject:
    """Return the parts of the run's body that say on which thread it runs."""
    thread_id = turn.thread_id or (last.run.thread_id if last else None)
    if thread_id is not None:
        return {"thread_id": thread_id, "if_not_exists": "create"}
    return {"on_completion": "keep"} if turn.keeps_thread else {}


def _fill(body: JsonObject, turn: Turn, last: Record | None, schemas: JsonObject) -> BadRequest | NotFound | None:
    """Put the run's input or command into its body; return why that is impossible, if it is."""
    try:
        if turn.previous_run_id and last is not None and last.run.run_id != turn.previous_run_id:
            raise BadParameter(
                "previous_response_id",
                f"The conversation has gone on after this response; continue from resp_{last.run.run_id}",
            )
        resume = _resume(turn, last)
        if resume is not UNSET:
            body |= {"input": None, "command": {"resume": resume}}
        else:
            news = select_new_messages(turn.messages) if turn.sends_all and last is not None else turn.messages
            body["input"] = _run_input(news, schemas)
    except (BadParameter, Unknown) as error:
        return error
    return None


def _resume(turn: Turn, last: Record | None) -> Any:
    """Return the response to what the agent asks, by interrupt or as a whole; UNSET if the turn is none."""
    waiting = [one["id"] for one in list_waiting_interrupts(last)] if last else []
    if turn.asked.resume is not UNSET:
        if not waiting:
            raise BadParameter("resume", "The agent asks nothing on this thread, so there is nothing to resume")
        return turn.asked.resume
    if calls := _list_answered_calls(turn):
        if last is None or any(run != last.run.run_id or key not in waiting for run, key in calls):
            raise _build_not_awaited()
        return {key: _decode(content) for (_, key), content in calls.items()}
    from_user = [one for one in select_new_messages(turn.messages) if one["role"] == "user"]
    return dict.fromkeys(waiting, _decode(from_user[-1]["content"])) if waiting and from_user else UNSET


def _list_answered_calls(turn: Turn) -> dict[tuple[str, str], Any]:
    """Return the results for the agent's questions, by the ids of run and interrupt."""
    results = {}
    for one in select_new_messages(turn.messages):
        if one["role"] == "tool" and (asked := parse_call_id(one["tool_call_id"])) is not None:
            results[asked] = one["content"]
    return results


def _build_not_awaited() -> Unknown:
    return Unknown("messages", "The agent does not wait for these results of tools (any more)", "tool_call_not_found")


def _decode(content: Any) -> Any:
    """Return the object or list in a JSON text; any other content unchanged."""
    if not isinstance(content, str) or not content.lstrip().startswith(("{", "[")):
        return content
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        return content


def _run_input(messages: list[JsonObject], schemas: JsonObject) -> JsonObject:
    """Return the run's input: the messages, or for an agent that takes none the JSON object in the last one."""
    if not messages:
        raise BadParameter("messages", "Send at least one message")
    schema = schemas.get("input_schema")
    if _has_messages(schema) and schema is not None:
        return {"messages": messages}
    from_user = [one for one in messages if one["role"] == "user"]
    given = _decode(read_text(from_user[-1]["content"])) if from_user else None
    if isinstance(given, dict):
        return given
    if schema is None:  # a plain function
        return {"messages": messages}
    fields = ", ".join(sorted(schema.get("properties") or {}))
    raise BadParameter(
        "messages",
        f"The agent takes no chat messages; send its input as a JSON object with some of the fields: {fields}",
    )


def _has_messages(schema: JsonObject | None) -> bool:
    """Return whether a graph's input or output has chat messages; a plain function may have."""
    return schema is None or "messages" in (schema.get("properties") or {})


def _check_format(turn: Turn, schemas: JsonObject) -> None:
    if turn.json_parameter and _has_messages(schemas.get("output_schema")):
        raise BadParameter(
            turn.json_parameter, "The agent itself determines the format of its answer: leave this out", "unsupported"
        )


def list_functions(asked: AgentRequest) -> list[str]:
    """Return the names of the functions that the client executes. Errors: `BadParameter`."""
    if isinstance(asked.tool_choice, dict) or asked.tool_choice == "required":
        raise BadParameter(
            "tool_choice", "The agent itself decides which tools it calls: send auto or none", "unsupported"
        )
    if asked.tool_choice == "none":
        return []
    functions = [one.get("function", one) for one in asked.tools or () if one.get("type") == "function"]
    return [one["name"] for one in functions if isinstance(one, dict) and isinstance(one.get("name"), str)]


def _run_metadata(turn: Turn, last: Record | None) -> JsonObject:
    """Return the run's metadata: the client's, and what is stored of the request."""
    given = {name: value for name, value in (turn.asked.metadata or {}).items() if name not in _DIRECTIVES}
    user = turn.asked.safety_identifier or turn.asked.user
    after = last_message_id(last) if last else None
    return {**given, METADATA_KEY: msgspec.to_builtins(msgspec.structs.replace(turn.stored, user=user, after=after))}


def _feedback_keys(asked: AgentRequest) -> list[str] | None:
    """Return the feedback keys of `feedback_keys`, or of this member of `metadata`, whose values are strings."""
    listed = (asked.metadata or {}).get("feedback_keys")
    if asked.feedback_keys is not None or listed is None:
        return asked.feedback_keys
    keys = [key.strip() for key in listed.split(",") if key.strip()] if isinstance(listed, str) else listed
    try:
        return msgspec.convert(keys, FeedbackKeys)
    except msgspec.ValidationError as error:
        raise BadParameter("metadata.feedback_keys", f"{error}; send keys with commas between") from None
