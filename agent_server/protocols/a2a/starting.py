"""The runs that messages start: a new task's first run, or the run that resumes a waiting task."""

from __future__ import annotations

import msgspec
from uuid_utils import uuid7

from agent_server.assistants.schema import Assistant
from agent_server.errors import Invalid
from agent_server.protocols.a2a.feedback import read_wanted_keys
from agent_server.protocols.a2a.messages import SentMessage
from agent_server.protocols.a2a.parts import resume_value, run_input
from agent_server.protocols.a2a.push import push_url
from agent_server.protocols.a2a.requests import UNSUPPORTED_OPERATION, A2aRequest, TaskId, parse_task_id
from agent_server.protocols.a2a.task_runs import TaskRuns
from agent_server.protocols.a2a.tasks import read_context_id, read_task_id, task_metadata, waits
from agent_server.protocols.jsonrpc import INVALID_PARAMS, RpcError
from agent_server.protocols.services import RequestServices
from agent_server.routes.run_requests import create_run
from agent_server.runs.queue import FINAL
from agent_server.runs.records import Record, RunChoice
from agent_server.schema import JsonObject, RunCreate


class TaskStarter:
    """Starts the runs of one assistant's tasks, for one HTTP request."""

    def __init__(self, services: RequestServices, assistant: Assistant, tasks: TaskRuns) -> None:
        self._services = services
        self._assistant = assistant
        self._tasks = tasks

    async def start_run(self, request: A2aRequest, message: SentMessage, modes: list[str]) -> Record:
        """Start the run for a message, which begins a task or resumes the one that waits for the message."""
        services = self._services
        waiting = await self._find_waiting_run(message)
        context_id: str | None
        if waiting is not None:
            task_id, run_id, context_id = read_task_id(waiting), str(uuid7()), read_context_id(waiting)
            body: JsonObject = {"input": None, "command": {"resume": resume_value(message.parts)}}
        else:
            run_id, context_id = str(uuid7()), message.context_id
            task_id = TaskId(
                self._tasks.derive_thread_id(message.context_id) if message.context_id else str(uuid7()), run_id
            )
            await self._check_takes_messages(message.parts)
            body = {"input": run_input(message.parts, message.message_id), "if_not_exists": "create"}
        body |= {
            "assistant_id": self._assistant.assistant_id,
            "thread_id": task_id.thread_id,
            "metadata": task_metadata(task_id, context_id),
            "stream_mode": modes,
            "feedback_keys": read_wanted_keys(request) if request.wants_feedback else None,
            "webhook": None if message.push is None else push_url(message.push),
        }
        await services.authenticator.authorize_run(services.http, body)
        try:
            wanted = msgspec.convert(body, RunCreate)
        except msgspec.ValidationError as error:
            raise Invalid(str(error)) from None
        targets = {} if waiting is None else dict(waiting.webhook_targets)
        if wanted.webhook is not None and message.push is not None:
            targets[message.push.id or str(task_id)] = wanted.webhook
            wanted.webhook = None
        choice = RunChoice(run_id, webhook_targets=targets)
        run = await create_run(services.http, services.runs, services.config, wanted, task_id.thread_id, choice)
        return await services.runs.get(run.run_id)

    async def _find_waiting_run(self, message: SentMessage) -> Record | None:
        """Return the run that waits for the message, or None. Errors: `RpcError` for a task that accepts no message."""
        if message.task_id is None:
            return (
                None
                if message.context_id is None
                else await self._tasks.find_waiting_run(self._tasks.derive_thread_id(message.context_id))
            )
        task_id = parse_task_id(message.task_id, "message.taskId")
        record = await self._tasks.find_latest(task_id)
        if message.context_id not in (None, read_context_id(record), task_id.thread_id):
            raise RpcError(INVALID_PARAMS, "message.contextId is not the context of message.taskId")
        if waits(record):
            return record
        if record.run.status in FINAL:
            raise RpcError(
                UNSUPPORTED_OPERATION,
                "The task has ended; to go on in its context, send the message with its contextId and without taskId",
            )
        raise RpcError(UNSUPPORTED_OPERATION, "The task is at work and takes no message before it asks for one")

    async def _check_takes_messages(self, parts: list[JsonObject]) -> None:
        if all("data" in part for part in parts):
            return
        assistant = self._assistant
        schema = (await self._services.graphs.get_known_schemas(assistant.assistant_id, assistant.version)).get(
            "input_schema"
        )
        if schema and "messages" not in (fields := schema.get("properties") or {}):
            raise Invalid(
                f"The assistant {assistant.name!r} takes no chat messages; send a part with data, an object with "
                f"some of its fields: {', '.join(sorted(fields))}"
            )
