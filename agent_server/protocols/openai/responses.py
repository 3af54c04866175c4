"""Responses: the conversion of a request to a run, and the response to it; stored responses."""

from __future__ import annotations

from litestar.types import ASGIApp

from agent_server.errors import NotFound
from agent_server.protocols.openai.answers import Request
from agent_server.protocols.openai.ending import respond_at_end, respond_with_events
from agent_server.protocols.openai.errors import BadParameter, Unknown
from agent_server.protocols.openai.messages import input_messages
from agent_server.protocols.openai.response_events import ResponseStream
from agent_server.protocols.openai.response_objects import RESPONSE_ID, response
from agent_server.protocols.openai.runs import OpenAIRuns, StartedRun, Turn, list_functions
from agent_server.protocols.openai.schema import ResponseRequest
from agent_server.protocols.services import RequestServices
from agent_server.runs.queue import FINAL
from agent_server.runs.records import Record
from agent_server.schema import JsonObject

_JSON_FORMATS = ("json_object", "json_schema")


class Responses:
    """The responses of one HTTP request's caller."""

    def __init__(self, services: RequestServices) -> None:
        self._services = services
        self._runs = OpenAIRuns(services)

    async def create(self, asked: ResponseRequest) -> ASGIApp | JsonObject:
        """Run the agent that the request names; return its response, or the stream of it.

        A response in the background is returned at once. Errors: `BadParameter`, `Unknown`, those of `create_run`.
        """
        started = await self._runs.start(await self._turn(asked))
        if asked.stream:
            return respond_with_events(started, ResponseStream(started).events(), is_cancelled=not asked.background)
        if asked.background:
            return response(started.record, None, started.token)
        return respond_at_end(started, response)

    async def get(self, response_id: str) -> JsonObject:
        """Return a stored response. Errors: `Unknown`."""
        started = await self._find_stored(response_id, "join_stateless_run")
        record, urls = started.record, None
        if record.run.status in FINAL:
            record, urls = await self._services.streams.outcome(record.run.run_id)
        return response(record, urls, started.token)

    async def follow(self, response_id: str, after: int) -> ASGIApp:
        """Return the events of a stored response after one of them. Errors: `Unknown`."""
        started = await self._find_stored(response_id, "join_stateless_run_stream")
        return respond_with_events(started, ResponseStream(started, after).events(), is_cancelled=False)

    async def cancel(self, response_id: str) -> JsonObject:
        """Cancel the run of a response; return the response once it has stopped. Errors: `Unknown`, `Conflict`."""
        started = await self._find_stored(response_id, "cancel_run")
        services, run = self._services, started.record.run
        await services.runs.cancel(run.run_id, run.thread_id, "interrupt")
        await services.streams.wait_for_end(started.record)
        return response(await started.wait_for_end(), None, started.token)

    async def find_deletable(self, response_id: str) -> Record:
        """Return the run of a response that the caller may delete. Errors: `Unknown`."""
        return (await self._find_stored(response_id, "delete_run")).record

    async def _find_stored(self, response_id: str, handler: str) -> StartedRun:
        """Return the run of a response, if the caller may do with it what `handler` does. Errors: `Unknown`."""
        record = await self._record(response_id, "response_id")
        path = {"thread_id": record.run.thread_id, "run_id": record.run.run_id}
        try:
            await self._services.authenticator.authorize_as(self._services.http, handler, {}, path)
        except NotFound:
            raise _build_unknown(response_id, "response_id") from None
        return await self._runs.load_run(record)

    async def _record(self, response_id: str, parameter: str) -> Record:
        unknown = _build_unknown(response_id, parameter)
        record = await self._runs.find_run(response_id.removeprefix(RESPONSE_ID), unknown)
        if record.temporary:
            raise unknown
        return record

    async def _turn(self, asked: ResponseRequest) -> Turn:
        if asked.prompt is not None:
            raise BadParameter("prompt", "This server stores no prompts: send input and instructions", "unsupported")
        if asked.background and asked.store is False:
            raise BadParameter("store", "A response in the background is stored: leave store out, or send true")
        previous = None
        if asked.previous_response_id:
            previous = await self._record(asked.previous_response_id, "previous_response_id")
        conversation = _read_conversation(asked)
        named = conversation or asked.thread_id
        is_json = isinstance(form := (asked.text or {}).get("format"), dict) and form.get("type") in _JSON_FORMATS
        return Turn(
            asked=asked,
            messages=input_messages(asked.input, asked.instructions),
            stored=Request(
                asked.model,
                list_functions(asked),
                previous_response_id=asked.previous_response_id,
                conversation=conversation,
                background=bool(asked.background),
            ),
            thread_id=previous.run.thread_id if previous else self._runs.derive_thread_id(named) if named else None,
            keeps_thread=asked.store is not False,
            sends_all=False,
            json_parameter="text.format" if is_json else None,
            previous_run_id=previous.run.run_id if previous else None,
        )


def _read_conversation(asked: ResponseRequest) -> str | None:
    given = asked.conversation
    named = given.get("id") if isinstance(given, dict) else given
    if given is not None and (not isinstance(named, str) or not named):
        raise BadParameter("conversation", "conversation must be an id, or an object with an id")
    if named and asked.previous_response_id:
        raise BadParameter("conversation", "Send either conversation or previous_response_id, not both")
    return named


def _build_unknown(response_id: str, parameter: str) -> Unknown:
    code = "previous_response_not_found" if parameter == "previous_response_id" else "response_not_found"
    return Unknown(
        parameter, f"Response {response_id!r:.120} not found; responses with store: false are not kept", code
    )
