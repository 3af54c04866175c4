"""Starts runs for WorkflowAI's requests and turns their ends into responses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp
from msgspec import Struct

from agent_server.asgi.json_codec import encode
from agent_server.asgi.sse import stream_response
from agent_server.broker import START
from agent_server.config import Config
from agent_server.errors import NotFound
from agent_server.protocols.agents import AgentFinder
from agent_server.protocols.workflowai.errors import RUN_FAILED_STATUS
from agent_server.protocols.workflowai.output import PartialOutput
from agent_server.protocols.workflowai.requests import (
    assistant_version,
    check_supported,
    check_tenant,
    client_run_id,
    derive_thread_id,
    list_waiting_interrupts,
    reply_body,
    run_body,
    stable_number,
)
from agent_server.protocols.workflowai.results import last_chunk, run_response
from agent_server.protocols.workflowai.schema import (
    AgentCreate,
    ErrorResponse,
    RegisteredAgent,
    ReplyRequest,
    RunBase,
    RunChunk,
    RunRequest,
)
from agent_server.routes.authentication import RequestAuthenticator, read_project
from agent_server.routes.authorization import get_caller
from agent_server.routes.run_requests import create_run
from agent_server.routes.run_responses import cut_where_slow
from agent_server.runs.feedback import RunFeedback
from agent_server.runs.queue import Runs
from agent_server.runs.records import Record, RunChoice
from agent_server.schema import JsonObject, Run, RunCreate
from agent_server.streams.run_streams import RunStreams

AnyRequest = Request[Any, Any, Any]
SCHEMA_ID = 1


class Started(Struct):
    """A new run and the data for its response."""

    record: Record
    asked: RunBase
    token: str | None


class WorkflowAIRuns:
    """Starts runs for WorkflowAI's requests and returns their responses."""

    def __init__(
        self,
        config: Config,
        authenticator: RequestAuthenticator,
        agents: AgentFinder,
        runs: Runs,
        streams: RunStreams,
        feedback: RunFeedback,
    ) -> None:
        self._config = config
        self._authenticator = authenticator
        self._agents = agents
        self._runs = runs
        self._streams = streams
        self._feedback = feedback

    async def register(self, request: AnyRequest, tenant: str, asked: AgentCreate) -> RegisteredAgent:
        """Return the agent that the SDK will run. Nothing is stored: the schemas are the graph's own.

        Errors: `NotFound`.
        """
        project = read_project(request)
        check_tenant(tenant, project)
        agent = await self._agents.find(request, asked.id)
        return RegisteredAgent(
            asked.id, SCHEMA_ID, stable_number(agent.assistant_id), stable_number(project or "default")
        )

    async def run(self, request: AnyRequest, tenant: str, agent_name: str, asked: RunRequest) -> Started:
        """Start the run that `asked` describes. Errors: `NotFound`, `BadRequest`, `Invalid`, `Conflict`."""
        check_tenant(tenant, read_project(request))
        check_supported(asked)
        agent = await self._agents.find(request, agent_name)
        thread_id = derive_thread_id(asked.conversation_id, _owner(request))
        body = run_body(asked, agent.assistant_id, self._agents.stream_modes(agent.graph_id, bool(asked.stream)))
        if thread_id:
            body["if_not_exists"] = "create"
        choice = RunChoice(client_run_id(asked.id), assistant_version(asked))
        await self._authorize(request, body, thread_id)
        return await self._start(request, asked, body, thread_id, choice)

    async def reply(
        self, request: AnyRequest, tenant: str, agent_name: str, run_id: str, asked: ReplyRequest
    ) -> Started:
        """Start a run that continues the conversation of the run `run_id`. Errors: as for `run`."""
        check_tenant(tenant, read_project(request))
        agent = await self._agents.find(request, agent_name)
        record = await self._runs.get(run_id)
        unknown = NotFound(f"Run with ID {record.run.run_id} not found")
        if record.run.assistant_id != agent.assistant_id or _is_of_other_project(request, record):
            raise unknown
        waiting = list_waiting_interrupts(record)
        body = reply_body(
            asked, agent.assistant_id, self._agents.stream_modes(agent.graph_id, bool(asked.stream)), waiting
        )
        choice = RunChoice(None, assistant_version(asked))
        try:
            await self._authorize(request, body, record.run.thread_id)
        except NotFound:  # the thread belongs to another user
            raise unknown from None
        return await self._start(request, asked, body, record.run.thread_id, choice)

    async def response(self, started: Started) -> ASGIApp:
        """Return the run's live stream, or its result once it has ended."""
        headers = {"X-Feedback-Token": started.token} if started.token else {}
        if started.asked.stream:
            stream = _OutputStream(started, self._streams)
            live = stream_response(stream.events(), headers, self._streams.closing, lambda: stream.latest)
            return cut_where_slow(live, started.record.run.thread_id)
        await self._streams.wait_for_end(started.record)
        ended = run_response(await self._streams.reload_record(started.record), started.asked.version, started.token)
        status = RUN_FAILED_STATUS if isinstance(ended, ErrorResponse) else 200
        return ASGIResponse(body=encode(ended), status_code=status, headers=headers, media_type="application/json")

    async def _authorize(self, request: AnyRequest, body: JsonObject, thread_id: str | None) -> None:
        """Return if the application's rules, if any, allow the run; they may change `body`."""
        path = {"thread_id": thread_id} if thread_id else {}
        await self._authenticator.authorize_as(request, "create_run", body, path)

    async def _start(
        self,
        request: AnyRequest,
        asked: RunBase,
        body: JsonObject,
        thread_id: str | None,
        choice: RunChoice,
    ) -> Started:
        data = msgspec.convert(body, RunCreate)
        run = await create_run(request, self._runs, self._config, data, thread_id, choice)
        record = await self._runs.get(run.run_id)
        token = self._feedback.token(run.run_id, record.project)
        return Started(record, asked, token)


class _OutputStream:
    """The events of one run in WorkflowAI's format."""

    def __init__(self, started: Started, streams: RunStreams) -> None:
        self._started = started
        self._streams = streams
        self._run: Run = started.record.run
        self.latest = _event(RunChunk(self._run.run_id, {}))
        """The last event, repeated as a keep-alive: the Python SDK cannot read comments."""

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the whole output so far at each change, and finally the end of the run."""
        output = PartialOutput()
        async for frames in self._streams.frames(self._started.record, START):
            if output.add(frames):
                self.latest = _event(RunChunk(self._run.run_id, output.output))
                yield self.latest
        record = await self._streams.reload_record(self._started.record)
        self.latest = _event(last_chunk(run_response(record, self._started.asked.version, self._started.token)))
        yield self.latest


def _event(data: Struct) -> bytes:
    """Return one server-sent event that the Python SDK can read: only `data: `, without CR."""
    return b"data: %b\n\n" % encode(data)


def _owner(request: AnyRequest) -> str:
    """Return the owner of a request's conversations, whose names are unique only for each owner."""
    caller = get_caller(request)
    return f"{read_project(request) or ''}\0{caller.identity if caller else ''}"


def _is_of_other_project(request: AnyRequest, record: Record) -> bool:
    project = read_project(request)
    return project is not None and record.project != project
