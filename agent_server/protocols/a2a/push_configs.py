"""The push notification configurations of a task, also of one that has begun: the webhook targets of its last run."""

from __future__ import annotations

from agent_server.protocols.a2a.push import decode_push_config, push_config, push_url
from agent_server.protocols.a2a.requests import (
    PUSH_NOT_SUPPORTED,
    A2aRequest,
    TaskId,
    parse_task_id,
    read_integer,
    read_text,
)
from agent_server.protocols.a2a.task_runs import TaskRuns
from agent_server.protocols.jsonrpc import INVALID_PARAMS, RpcError
from agent_server.protocols.services import RequestServices
from agent_server.runs.records import Record
from agent_server.runs.webhook_targets import MOST_TARGETS
from agent_server.schema import JsonObject

_CHANGES = "cancel_run"
"""The route with the same `Auth` resource and action as a change of a task."""


class PushConfigs:
    """The methods for configurations, for one HTTP request."""

    def __init__(self, services: RequestServices, tasks: TaskRuns) -> None:
        self._targets = services.webhook_targets
        self._tasks = tasks

    async def create(self, request: A2aRequest) -> JsonObject:
        """Handle `CreateTaskPushNotificationConfig`: add a configuration, or replace the one with its id.

        Errors: `RpcError`, `Invalid`, `Conflict`.
        """
        self._check_is_enabled()
        task_id = _task_id(request)
        push = push_config(request.params, "The push notification configuration")
        record = await self._tasks.find_latest(task_id, _CHANGES)
        name = push.id or str(task_id)
        await self._targets.add(record.run.run_id, name, push_url(push))
        return _show_config(task_id, name, push_url(push))

    async def get(self, request: A2aRequest) -> JsonObject:
        """Handle `GetTaskPushNotificationConfig`; without an id, return the task's only or first configuration."""
        task_id = _task_id(request)
        targets = (await self._tasks.find_latest(task_id)).webhook_targets
        name = read_text(request.params, "id") or next(iter(targets), "")
        return _show_config(task_id, name, targets[_check_known(targets, name)])

    async def list(self, request: A2aRequest) -> JsonObject:
        """Handle `ListTaskPushNotificationConfigs`: return a page of the task's configurations."""
        task_id = _task_id(request)
        size = read_integer(request.params, "pageSize", 0, 100) or MOST_TARGETS
        token = read_text(request.params, "pageToken") or "0"
        if not (token.isascii() and token.isdigit() and len(token) < 10):
            raise RpcError(INVALID_PARAMS, "pageToken is not one of this server's; leave it out for the first page")
        start = int(token)
        targets = list((await self._tasks.find_latest(task_id)).webhook_targets.items())
        page = [_show_config(task_id, name, url) for name, url in targets[start : start + size]]
        return {"configs": page, "nextPageToken": str(start + size) if start + size < len(targets) else ""}

    async def delete(self, request: A2aRequest) -> JsonObject:
        """Handle `DeleteTaskPushNotificationConfig`. Deleting a configuration twice is no error."""
        task_id = _task_id(request)
        name = read_text(request.params, "id")
        if name is None:
            raise RpcError(INVALID_PARAMS, "id must be the id of a push notification configuration, a string")
        record: Record = await self._tasks.find_latest(task_id, _CHANGES)
        await self._targets.remove(record.run.run_id, name)
        return {}

    def _check_is_enabled(self) -> None:
        if not self._targets.is_enabled:
            raise RpcError(PUSH_NOT_SUPPORTED, "This server sends no push notifications: its webhooks are disabled")


def _task_id(request: A2aRequest) -> TaskId:
    return parse_task_id(request.params.get("taskId"), "taskId")


def _check_known(targets: dict[str, str], name: str) -> str:
    if name not in targets:
        raise RpcError(INVALID_PARAMS, f"The task has no push notification configuration {name!r:.120}")
    return name


def _show_config(task_id: TaskId, name: str, url: str) -> JsonObject:
    return {**decode_push_config(url), "id": name, "taskId": str(task_id)}
