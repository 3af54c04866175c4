"""The methods of A2A, implemented with this server's runs, threads, streams and feedback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from litestar.types import ASGIApp
from uuid_utils import uuid7

from agent_server.asgi.json_codec import encode
from agent_server.asgi.sse import json_response, stream_response
from agent_server.assistants.schema import Assistant
from agent_server.broker import START, FrameId
from agent_server.errors import AgentServerError, Conflict, Invalid, NotFound
from agent_server.protocols.a2a.card import agent_card
from agent_server.protocols.a2a.events import STREAM_MODES, last_events, working_events
from agent_server.protocols.a2a.feedback import SubmitParams, feedback_metadata, wanted_keys
from agent_server.protocols.a2a.legacy import legacy_result, modern_params
from agent_server.protocols.a2a.listing import TaskQuery, listed_tasks
from agent_server.protocols.a2a.messages import MOST_MESSAGES, SentMessage, message_of
from agent_server.protocols.a2a.parts import resume_value, run_input
from agent_server.protocols.a2a.push import push_config_of
from agent_server.protocols.a2a.requests import (
    EXTENSIONS_HEADER,
    FEEDBACK_URI,
    PUSH_NOT_SUPPORTED,
    TASK_NOT_CANCELABLE,
    UNSUPPORTED_OPERATION,
    A2aRequest,
    TaskId,
    task_id_of,
    task_not_found,
    thread_of_context,
    whole_of,
)
from agent_server.protocols.a2a.tasks import context_id_in, is_final, task_id_in, task_metadata, task_of, waits
from agent_server.protocols.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    RpcError,
    failure,
    rpc_response,
    success,
)
from agent_server.protocols.services import RequestServices, own_feedback_keys
from agent_server.routes.authentication import project_in
from agent_server.routes.authorization import caller_in, owned
from agent_server.routes.base_url import base_url
from agent_server.routes.run_requests import created_run
from agent_server.routes.run_responses import cut_where_slow
from agent_server.runs.queue import FINAL
from agent_server.runs.records import Record, RunChoice
from agent_server.schema import JsonObject, RunCreate, canonical_id
from agent_server.streams.run_streams import position

_ELSEWHERE = (401, 403, 429, 503)
"""The HTTP statuses of errors that concern the caller or the server's load instead of the request's content."""


class A2aServer:
    """Serves one assistant as an A2A agent, for one HTTP request."""

    def __init__(self, services: RequestServices, assistant: Assistant) -> None:
        self._services = services
        self._assistant = assistant

    async def respond(self, request: A2aRequest) -> ASGIApp:
        """Return the HTTP response. Errors: `RpcError`, and those of `AgentServerError` that concern the caller."""
        method = _METHODS.get(request.method)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, f"Method not found: {request.method:.80}")
        if request.is_legacy:
            request = msgspec.structs.replace(request, params=modern_params(request.params))
        try:
            outcome = await method(self, request)
        except AgentServerError as error:
            if error.status_code in _ELSEWHERE:
                raise
            raise RpcError(INVALID_PARAMS, str(error)) from None
        if not isinstance(outcome, dict):
            return outcome
        return rpc_response(_reply(request, outcome), headers=_activated(request))

    async def card(self) -> JsonObject:
        """Return the assistant's card."""
        services, assistant = self._services, self._assistant
        schemas = await services.graphs.known_schemas(assistant.assistant_id, assistant.version)
        feedback = await own_feedback_keys(services, assistant)
        base = base_url(services.http, services.config)
        needs_key = await services.authenticator.needs_key()
        return agent_card(assistant, schemas.get("input_schema"), base, needs_key, feedback)

    async def extended_card(self, _: A2aRequest) -> JsonObject:
        """Handle `GetExtendedAgentCard`: return the card, which is the same for every caller."""
        return await self.card()

    async def send(self, request: A2aRequest) -> JsonObject | ASGIApp:
        """Handle `SendMessage`: return the task at its end, or at its start if the client does not wait."""
        message = message_of(request)
        record = await self._started(request, message, ["values"])
        if not message.is_waited_for:
            return {"task": task_of(record, message.history_length)}
        answer = self._task_at_end(request, record, message.history_length)
        return json_response(answer, _activated(request))  # type: ignore[return-value]

    async def stream(self, request: A2aRequest) -> ASGIApp:
        """Handle `SendStreamingMessage`: stream the task's events."""
        message = message_of(request)
        record = await self._started(request, message, STREAM_MODES)
        return self._streamed(request, record, START, message.history_length)

    async def subscribe(self, request: A2aRequest) -> ASGIApp:
        """Handle `SubscribeToTask`: stream the events of a working task, after `Last-Event-ID` if it is sent."""
        record = await self._latest(task_id_of(request.params.get("id")))
        if is_final(record):
            raise RpcError(UNSUPPORTED_OPERATION, "The task has ended; GetTask returns it")
        last = self._services.http.headers.get("last-event-id")
        return self._streamed(request, record, position(last), None)

    async def get(self, request: A2aRequest) -> JsonObject:
        """Handle `GetTask`."""
        length = whole_of(request.params, "historyLength", 0, MOST_MESSAGES)
        return await self._shown(request, await self._latest(task_id_of(request.params.get("id"))), length)

    async def cancel(self, request: A2aRequest) -> JsonObject:
        """Handle `CancelTask`: return the task once its run has stopped."""
        task_id = task_id_of(request.params.get("id"))
        record = await self._latest(task_id, "cancel_run")
        if record.run.status in FINAL:
            raise RpcError(TASK_NOT_CANCELABLE, "The task is not at work, so there is nothing to cancel")
        try:
            await self._services.runs.cancel(record.run.run_id, task_id.thread_id, "interrupt")
        except Conflict as error:
            raise RpcError(TASK_NOT_CANCELABLE, str(error)) from None
        await self._services.streams.until_end(record)
        return task_of(await self._services.runs.get(record.run.run_id))

    async def list_tasks(self, request: A2aRequest) -> JsonObject:
        """Handle `ListTasks`: return the assistant's tasks, most recently changed first."""
        services, body = self._services, {"limit": 100}
        await services.authenticator.authorize_as(services.http, "search_threads", body, {})
        query = TaskQuery.of(request.params)
        thread_id = query.context_id and self._thread_of(query.context_id)
        rows = await services.runs.tasks(self._assistant.assistant_id, thread_id, owned(services.http, "threads"))
        return await listed_tasks(services.runs, rows, query)

    async def get_push(self, request: A2aRequest) -> JsonObject:
        """Handle `GetTaskPushNotificationConfig`."""
        task_id = task_id_of(request.params.get("taskId") or request.params.get("id"), "taskId")
        config = push_config_of(await self._latest(task_id), task_id)
        if config is None:
            raise RpcError(INVALID_PARAMS, "The task has no push notification configuration")
        return config

    async def list_push(self, request: A2aRequest) -> JsonObject:
        """Handle `ListTaskPushNotificationConfigs`."""
        task_id = task_id_of(request.params.get("taskId") or request.params.get("id"), "taskId")
        config = push_config_of(await self._latest(task_id), task_id)
        return {"configs": [config] if config else [], "nextPageToken": ""}

    async def change_push(self, _: A2aRequest) -> JsonObject:
        """Reject changes to the push notifications of a task that has started."""
        raise RpcError(
            PUSH_NOT_SUPPORTED,
            "Push notifications are configured with the task: send configuration.taskPushNotificationConfig with "
            "SendMessage or SendStreamingMessage",
        )

    async def submit_feedback(self, request: A2aRequest) -> JsonObject:
        """Handle `SubmitFeedback`: return the stored feedback."""
        try:
            params = msgspec.convert(request.params, SubmitParams)
        except msgspec.ValidationError as error:
            raise Invalid(str(error)) from None
        record = await self._latest(task_id_of(params.task_id, "taskId"), "run_feedback_on_thread")
        if params.artifact_id:
            record = await self._run_of_artifact(params.artifact_id, record)
        project = project_in(self._services.http)
        if project is not None and record.project != project:
            raise NotFound(f"The task has no feedback of the project {project!r}")
        kept = await self._services.feedback.submit(record, params.submission(record))
        return dict(msgspec.json.decode(encode(kept)))

    async def _run_of_artifact(self, artifact_id: str, record: Record) -> Record:
        """Return the task's run that made an artifact; the artifact's id begins with the run's."""
        run_id = artifact_id.rpartition("-")[0]
        if run_id == record.run.run_id:
            return record
        try:
            made_by = await self._services.runs.get(canonical_id(run_id, "run"), record.run.thread_id)
        except (Invalid, NotFound):
            raise NotFound(f"The task has no artifact {artifact_id!r:.120}") from None
        if task_id_in(made_by) != task_id_in(record):
            raise NotFound(f"The task has no artifact {artifact_id!r:.120}")
        return made_by

    async def _started(self, request: A2aRequest, message: SentMessage, modes: list[str]) -> Record:
        """Start the run for a message, which begins a task or resumes the one that waits for the message."""
        services = self._services
        waiting = await self._waiting(message)
        context_id: str | None
        if waiting is not None:
            task_id, run_id, context_id = task_id_in(waiting), str(uuid7()), context_id_in(waiting)
            body: JsonObject = {"input": None, "command": {"resume": resume_value(message.parts)}}
        else:
            run_id, context_id = str(uuid7()), message.context_id
            task_id = TaskId(self._thread_of(message.context_id) if message.context_id else str(uuid7()), run_id)
            await self._check_takes_messages(message.parts)
            body = {"input": run_input(message.parts, message.message_id), "if_not_exists": "create"}
        body |= {
            "assistant_id": self._assistant.assistant_id,
            "thread_id": task_id.thread_id,
            "metadata": task_metadata(task_id, context_id),
            "stream_mode": modes,
            "feedback_keys": wanted_keys(request) if request.wants_feedback else None,
            "webhook": message.webhook,
        }
        await services.authenticator.authorize_run(services.http, body)
        try:
            wanted = msgspec.convert(body, RunCreate)
        except msgspec.ValidationError as error:
            raise Invalid(str(error)) from None
        choice = RunChoice(run_id)
        run = await created_run(services.http, services.runs, services.config, wanted, task_id.thread_id, choice)
        return await services.runs.get(run.run_id)

    async def _waiting(self, message: SentMessage) -> Record | None:
        """Return the run that waits for the message, or None. Errors: `RpcError` for a task that accepts no message."""
        if message.task_id is None:
            return None if message.context_id is None else await self._waiting_in(self._thread_of(message.context_id))
        task_id = task_id_of(message.task_id, "message.taskId")
        record = await self._latest(task_id)
        if message.context_id not in (None, context_id_in(record), task_id.thread_id):
            raise RpcError(INVALID_PARAMS, "message.contextId is not the context of message.taskId")
        if waits(record):
            return record
        if record.run.status in FINAL:
            raise RpcError(
                UNSUPPORTED_OPERATION,
                "The task has ended; to go on in its context, send the message with its contextId and without taskId",
            )
        raise RpcError(UNSUPPORTED_OPERATION, "The task is at work and takes no message before it asks for one")

    def _thread_of(self, context_id: str) -> str:
        caller = caller_in(self._services.http)
        return thread_of_context(context_id, caller.identity if caller else None)

    async def _waiting_in(self, thread_id: str) -> Record | None:
        """Return the thread's last run if it waits for its user."""
        services = self._services
        try:
            runs = await services.runs.of_thread(thread_id, 1, 0, None)
        except NotFound:
            return None
        if not runs or runs[0].assistant_id != self._assistant.assistant_id or runs[0].status != "success":
            return None
        record = await services.runs.get(runs[0].run_id)
        return record if waits(record) else None

    async def _check_takes_messages(self, parts: list[JsonObject]) -> None:
        if all("data" in part for part in parts):
            return
        assistant = self._assistant
        schema = (await self._services.graphs.known_schemas(assistant.assistant_id, assistant.version)).get(
            "input_schema"
        )
        if schema and "messages" not in (fields := schema.get("properties") or {}):
            raise Invalid(
                f"The assistant {assistant.name!r} takes no chat messages; send a part with data, an object with "
                f"some of its fields: {', '.join(sorted(fields))}"
            )

    async def _latest(self, task_id: TaskId, handler: str = "get_run") -> Record:
        """Return the task's current or last run. Errors: `RpcError` for an unknown task."""
        services = self._services
        path = {"thread_id": task_id.thread_id, "run_id": task_id.run_id}
        try:
            await services.authenticator.authorize_as(services.http, handler, {}, path)
            record = await services.runs.latest_with(task_id.thread_id, task_metadata(task_id))
            record = record or await services.runs.get(task_id.run_id, task_id.thread_id)
        except (NotFound, Invalid):
            raise task_not_found(task_id) from None
        if record.run.assistant_id != self._assistant.assistant_id:
            raise task_not_found(task_id)
        return record

    async def _shown(self, request: A2aRequest, record: Record, history_length: int | None) -> JsonObject:
        """Return the task, with feedback URLs if the client wants them and the run has ended."""
        if not request.wants_feedback or record.run.status not in FINAL:
            return task_of(record, history_length)
        record, urls = await self._services.streams.outcome(record.run.run_id)
        return task_of(record, history_length, await feedback_metadata(self._services.feedback, record, urls))

    async def _task_at_end(
        self, request: A2aRequest, record: Record, history_length: int | None
    ) -> AsyncIterator[bytes]:
        try:
            record, urls = await self._services.streams.outcome(record.run.run_id)
            task = task_of(record, history_length, await self._feedback(request, record, urls))
            yield encode(_reply(request, {"task": task}))
        except AgentServerError as error:
            yield encode(failure(request.id, RpcError(INTERNAL_ERROR, str(error))))

    def _streamed(self, request: A2aRequest, record: Record, after: FrameId, history_length: int | None) -> ASGIApp:
        events = self._events(request, record, after, history_length)
        response = stream_response(events, _activated(request), self._services.streams.closing)
        return cut_where_slow(response, record.run.thread_id)

    async def _events(
        self, request: A2aRequest, record: Record, after: FrameId, history_length: int | None
    ) -> AsyncIterator[bytes]:
        if after == START:
            yield _sse(_reply(request, {"task": task_of(record, history_length)}))
        async for place, event in working_events(self._services.streams, record, after):
            yield _sse(_reply(request, event), place)
        try:
            record, urls = await self._services.streams.outcome(record.run.run_id)
            for event in last_events(record, await self._feedback(request, record, urls)):
                yield _sse(_reply(request, event))
        except AgentServerError as error:
            yield _sse(failure(request.id, RpcError(INTERNAL_ERROR, str(error))))

    async def _feedback(self, request: A2aRequest, record: Record, urls: dict[str, str] | None) -> JsonObject | None:
        if not request.wants_feedback:
            return None
        return await feedback_metadata(self._services.feedback, record, urls)


_METHODS: dict[str, Callable[[A2aServer, A2aRequest], Awaitable[JsonObject | ASGIApp]]] = {
    "SendMessage": A2aServer.send,
    "SendStreamingMessage": A2aServer.stream,
    "GetTask": A2aServer.get,
    "CancelTask": A2aServer.cancel,
    "ListTasks": A2aServer.list_tasks,
    "SubscribeToTask": A2aServer.subscribe,
    "GetExtendedAgentCard": A2aServer.extended_card,
    "GetTaskPushNotificationConfig": A2aServer.get_push,
    "ListTaskPushNotificationConfigs": A2aServer.list_push,
    "CreateTaskPushNotificationConfig": A2aServer.change_push,
    "DeleteTaskPushNotificationConfig": A2aServer.change_push,
    "SubmitFeedback": A2aServer.submit_feedback,
}


def _reply(request: A2aRequest, result: JsonObject) -> JsonObject:
    return success(request.id, legacy_result(request.method, result) if request.is_legacy else result)


def _activated(request: A2aRequest) -> dict[str, str]:
    """Return the header with the extensions that this response activates."""
    return {EXTENSIONS_HEADER: FEEDBACK_URI} if request.wants_feedback else {}


def _sse(message: JsonObject, place: FrameId | None = None) -> bytes:
    named = f"id: {place}\r\n".encode() if place else b""
    return b"data: %b\r\n%b\r\n" % (encode(message), named)
