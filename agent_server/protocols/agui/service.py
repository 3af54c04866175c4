"""Runs for AG-UI's requests: started, or joined where they exist already."""

from __future__ import annotations

import msgspec
from litestar.types import ASGIApp

from agent_server.asgi.sse import stream_response
from agent_server.assistants.assistants import AssistantRef
from agent_server.broker import START, FrameId
from agent_server.errors import Conflict, Invalid, NotFound
from agent_server.protocols.agui.run_request import run_body
from agent_server.protocols.agui.schema import RunAgentInput, RunIds, run_ids
from agent_server.protocols.agui.stream import run_events
from agent_server.protocols.services import RequestServices
from agent_server.routes.authorization import get_caller
from agent_server.routes.run_requests import create_run
from agent_server.routes.run_responses import cancel_when_closed, cut_where_slow
from agent_server.runs.records import Record, RunChoice
from agent_server.schema import JsonObject, RunCreate
from agent_server.streams.run_streams import position
from agent_server.threads.schema import Thread
from agent_server.threads.threads import Threads


class AguiRuns:
    """The runs of one assistant, for one HTTP request."""

    def __init__(self, services: RequestServices, threads: Threads, assistant: AssistantRef) -> None:
        self._services = services
        self._threads = threads
        self._assistant = assistant

    async def run(self, given: RunAgentInput, last_event_id: str | None) -> ASGIApp:
        """Stream the run of the input: a new one, or the one that has its ids already.

        The end of the connection cancels a run that the request started, because AG-UI's clients have no other way to
        cancel; `forwardedProps.onDisconnect: "continue"` lets it go on. Errors: those of `AgentServerError`.
        """
        caller = get_caller(self._services.http)
        ids = run_ids(given, caller.identity if caller else None)
        after = position(last_event_id)
        if (existing := await self._find_existing(ids)) is not None:
            return self._stream_run(given, existing, ids, after, is_cancelled_with_it=False)
        if after != START:
            raise NotFound(f"Run {given.run_id} does not exist, so it cannot go on after Last-Event-ID")
        try:
            record = await self._start_run(given, ids)
        except Conflict:
            if (existing := await self._find_existing(ids)) is None:
                raise
            return self._stream_run(given, existing, ids, after, is_cancelled_with_it=False)
        is_cancelled = given.options.on_disconnect != "continue"
        return self._stream_run(given, record, ids, after, is_cancelled)

    async def _find_existing(self, ids: RunIds) -> Record | None:
        """Return the run that has the ids, if there is one. Errors: `Conflict` if it is another's."""
        services = self._services
        try:
            record = await services.runs.get(ids.run_id)
        except NotFound:
            return None
        if record.run.thread_id != ids.thread_id or record.run.assistant_id != self._assistant.assistant_id:
            raise Conflict(f"Another run has the runId {ids.shown_run_id!r:.80}; send a new UUID")
        path = {"thread_id": ids.thread_id, "run_id": ids.run_id}
        await services.authenticator.authorize_as(services.http, "join_run_stream", {}, path)
        return record

    async def _start_run(self, given: RunAgentInput, ids: RunIds) -> Record:
        services, assistant = self._services, self._assistant
        schemas = await services.graphs.get_known_schemas(assistant.assistant_id, assistant.version)
        body = run_body(given, ids, assistant.assistant_id, schemas.get("input_schema"), await self._thread(ids))
        await services.authenticator.authorize_run(services.http, body)
        run_id = RunChoice(ids.run_id)
        run = await create_run(services.http, services.runs, services.config, _run_create(body), ids.thread_id, run_id)
        return await services.runs.get(run.run_id)

    async def _thread(self, ids: RunIds) -> Thread | None:
        try:
            return await self._threads.get(ids.thread_id)
        except NotFound:
            return None

    def _stream_run(
        self, given: RunAgentInput, record: Record, ids: RunIds, after: FrameId, is_cancelled_with_it: bool
    ) -> ASGIApp:
        services = self._services
        events = run_events(services.streams, record, ids, after, given.protocol_version is not None)
        headers = {"Content-Location": f"/threads/{ids.thread_id}/runs/{ids.run_id}"}
        response = stream_response(events, headers, services.streams.closing, lambda: b": heartbeat\n\n")
        if is_cancelled_with_it:
            cancel_when_closed(response, services.runs, record.run)
        return cut_where_slow(response, ids.thread_id)


def _run_create(body: JsonObject) -> RunCreate:
    try:
        return msgspec.convert(body, RunCreate)
    except msgspec.ValidationError as error:
        raise Invalid(str(error)) from None
