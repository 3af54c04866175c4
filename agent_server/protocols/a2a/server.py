"""The methods of A2A, implemented with this server's runs, threads, streams and feedback."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from litestar.types import ASGIApp

from agent_server.asgi.json_codec import encode
from agent_server.asgi.sse import json_response
from agent_server.assistants.schema import Assistant
from agent_server.broker import START
from agent_server.errors import AgentServerError, Conflict, Invalid, NotFound
from agent_server.protocols.a2a.card import agent_card
from agent_server.protocols.a2a.events import STREAM_MODES
from agent_server.protocols.a2a.feedback import SubmitParams
from agent_server.protocols.a2a.legacy import modern_params
from agent_server.protocols.a2a.listing import TaskQuery, list_tasks
from agent_server.protocols.a2a.messages import MOST_MESSAGES, parse_message
from agent_server.protocols.a2a.push_configs import PushConfigs
from agent_server.protocols.a2a.requests import (
    TASK_NOT_CANCELABLE,
    UNSUPPORTED_OPERATION,
    A2aRequest,
    parse_task_id,
    read_integer,
)
from agent_server.protocols.a2a.responses import TaskResponses, build_extension_header, reply
from agent_server.protocols.a2a.starting import TaskStarter
from agent_server.protocols.a2a.task_runs import TaskRuns
from agent_server.protocols.a2a.tasks import build_task, is_final
from agent_server.protocols.jsonrpc import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    RpcError,
    rpc_response,
)
from agent_server.protocols.services import RequestServices, own_feedback_keys
from agent_server.routes.authentication import read_project
from agent_server.routes.authorization import get_ownership
from agent_server.routes.base_url import base_url
from agent_server.runs.queue import FINAL
from agent_server.schema import JsonObject
from agent_server.streams.run_streams import position

_ELSEWHERE = (401, 403, 429, 503)
"""The HTTP statuses of errors that concern the caller or the server's load instead of the request's content."""


class A2aServer:
    """Serves one assistant as an A2A agent, for one HTTP request."""

    def __init__(self, services: RequestServices, assistant: Assistant) -> None:
        self._services = services
        self._assistant = assistant
        self._tasks = TaskRuns(services, assistant)
        self._starter = TaskStarter(services, assistant, self._tasks)
        self._responses = TaskResponses(services)
        self._push_configs = PushConfigs(services, self._tasks)

    async def respond(self, request: A2aRequest) -> ASGIApp:
        """Return the HTTP response. Errors: `RpcError`, and those of `AgentServerError` that concern the caller."""
        method = _METHODS.get(request.method)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, f"Method not found: {request.method:.80}")
        if request.is_legacy:
            request = msgspec.structs.replace(request, params=modern_params(request.method, request.params))
        try:
            outcome = await method(self, request)
        except AgentServerError as error:
            if error.status_code in _ELSEWHERE:
                raise
            raise RpcError(INVALID_PARAMS, str(error)) from None
        if not isinstance(outcome, dict):
            return outcome
        return rpc_response(reply(request, outcome), headers=build_extension_header(request))

    async def card(self) -> JsonObject:
        """Return the assistant's card."""
        services, assistant = self._services, self._assistant
        schemas = await services.graphs.get_known_schemas(assistant.assistant_id, assistant.version)
        feedback = await own_feedback_keys(services, assistant)
        base = base_url(services.http, services.config)
        needs_key = await services.authenticator.needs_key()
        has_webhooks = services.webhook_targets.is_enabled
        return agent_card(assistant, schemas.get("input_schema"), base, needs_key, feedback, has_webhooks)

    async def extended_card(self, _: A2aRequest) -> JsonObject:
        """Handle `GetExtendedAgentCard`: return the card, which is the same for every caller."""
        return await self.card()

    async def send(self, request: A2aRequest) -> JsonObject | ASGIApp:
        """Handle `SendMessage`: return the task at its end, or at its start if the client does not wait."""
        message = parse_message(request)
        record = await self._starter.start_run(request, message, ["values"])
        if not message.is_waited_for:
            return {"task": build_task(record, message.history_length)}
        answer = self._responses.respond_at_end(request, record, message.history_length)
        return json_response(answer, build_extension_header(request))  # type: ignore[return-value]

    async def stream(self, request: A2aRequest) -> ASGIApp:
        """Handle `SendStreamingMessage`: stream the task's events."""
        message = parse_message(request)
        record = await self._starter.start_run(request, message, STREAM_MODES)
        return self._responses.stream_task(request, record, START, message.history_length)

    async def subscribe(self, request: A2aRequest) -> ASGIApp:
        """Handle `SubscribeToTask`: stream the events of a working task, after `Last-Event-ID` if it is sent."""
        record = await self._tasks.find_latest(parse_task_id(request.params.get("id")))
        if is_final(record):
            raise RpcError(UNSUPPORTED_OPERATION, "The task has ended; GetTask returns it")
        last = self._services.http.headers.get("last-event-id")
        return self._responses.stream_task(request, record, position(last), None)

    async def get(self, request: A2aRequest) -> JsonObject:
        """Handle `GetTask`."""
        length = read_integer(request.params, "historyLength", 0, MOST_MESSAGES)
        return await self._responses.show_task(
            request, await self._tasks.find_latest(parse_task_id(request.params.get("id"))), length
        )

    async def cancel(self, request: A2aRequest) -> JsonObject:
        """Handle `CancelTask`: return the task once its run has stopped."""
        task_id = parse_task_id(request.params.get("id"))
        record = await self._tasks.find_latest(task_id, "cancel_run")
        if record.run.status in FINAL:
            raise RpcError(TASK_NOT_CANCELABLE, "The task is not at work, so there is nothing to cancel")
        try:
            await self._services.runs.cancel(record.run.run_id, task_id.thread_id, "interrupt")
        except Conflict as error:
            raise RpcError(TASK_NOT_CANCELABLE, str(error)) from None
        await self._services.streams.wait_for_end(record)
        return build_task(await self._services.runs.get(record.run.run_id))

    async def list_tasks(self, request: A2aRequest) -> JsonObject:
        """Handle `ListTasks`: return the assistant's tasks, most recently changed first."""
        services, body = self._services, {"limit": 100}
        await services.authenticator.authorize_as(services.http, "search_threads", body, {})
        query = TaskQuery.parse(request.params)
        thread_id = query.context_id and self._tasks.derive_thread_id(query.context_id)
        rows = await services.runs.tasks(
            self._assistant.assistant_id, thread_id, get_ownership(services.http, "threads")
        )
        return await list_tasks(services.runs, rows, query)

    async def submit_feedback(self, request: A2aRequest) -> JsonObject:
        """Handle `SubmitFeedback`: return the stored feedback."""
        try:
            params = msgspec.convert(request.params, SubmitParams)
        except msgspec.ValidationError as error:
            raise Invalid(str(error)) from None
        record = await self._tasks.find_latest(parse_task_id(params.task_id, "taskId"), "run_feedback_on_thread")
        if params.artifact_id:
            record = await self._tasks.find_by_artifact(params.artifact_id, record)
        project = read_project(self._services.http)
        if project is not None and record.project != project:
            raise NotFound(f"The task has no feedback of the project {project!r}")
        kept = await self._services.feedback.submit(record, params.submission(record))
        return dict(msgspec.json.decode(encode(kept)))


_METHODS: dict[str, Callable[[A2aServer, A2aRequest], Awaitable[JsonObject | ASGIApp]]] = {
    "SendMessage": A2aServer.send,
    "SendStreamingMessage": A2aServer.stream,
    "GetTask": A2aServer.get,
    "CancelTask": A2aServer.cancel,
    "ListTasks": A2aServer.list_tasks,
    "SubscribeToTask": A2aServer.subscribe,
    "GetExtendedAgentCard": A2aServer.extended_card,
    "CreateTaskPushNotificationConfig": lambda server, request: server._push_configs.create(request),
    "GetTaskPushNotificationConfig": lambda server, request: server._push_configs.get(request),
    "ListTaskPushNotificationConfigs": lambda server, request: server._push_configs.list(request),
    "DeleteTaskPushNotificationConfig": lambda server, request: server._push_configs.delete(request),
    "SubmitFeedback": A2aServer.submit_feedback,
}
