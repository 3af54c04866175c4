"""Push notifications of running tasks: `a2a-sdk`, unmodified, a real receiver, and a server that is killed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from a2a.client import Client, ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.helpers import new_data_message
from a2a.types import (
    AuthenticationInfo,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest,
    ListTaskPushNotificationConfigsRequest,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    Task,
    TaskPushNotificationConfig,
)

from tests.agent_server.backend import until
from tests.agent_server.runs.test_webhooks import Receiver, receiving
from tests.clients.conftest import StartServer
from tests.clients.server_process import GRAPHS
from tests.clients.test_a2a import VERSIONS, only

OPEN = {"url": {"require_https": False, "disable_loopback": False}}


@asynccontextmanager
async def connected(url: str, version: str) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(timeout=30) as http:
        card = await A2ACardResolver(http, f"{url}/a2a/sleeping").get_agent_card()
        only(card, version)
        async with ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(card) as client:
            yield client


async def begun(client: Client) -> Task:
    """Start a task that works for a long time."""
    at_once = SendMessageConfiguration(return_immediately=True)
    message = new_data_message({"seconds": 50.0}, role=Role.ROLE_USER)
    [response] = [one async for one in client.send_message(SendMessageRequest(message=message, configuration=at_once))]
    return response.task


@pytest.mark.timeout(90)
async def test_configuration_outlasts_a_killed_server(start_server: StartServer, tmp_path: Path) -> None:
    config = tmp_path / "langgraph.json"
    graphs = {"sleeping": f"{GRAPHS.parent / 'graphs.py'}:sleeping"}
    config.write_text(json.dumps({"graphs": graphs, "webhooks": OPEN}))
    server = start_server(config)
    async with receiving() as receiver:
        tasks = {}
        for version in VERSIONS:
            async with connected(server.url, version) as client:
                tasks[version] = await begun(client)
                await configured(client, tasks[version], receiver, version)
        server.kill()
        server.start()
        for version, task in tasks.items():
            async with connected(server.url, version) as client:
                await client.cancel_task(CancelTaskRequest(id=task.id))
        await until(lambda: _has_all(receiver, tasks))
    heads = [head.lower() for head in receiver.heads]
    for version in VERSIONS:
        [head] = [head for head in heads if f"x-a2a-notification-token: {version}" in head]
        assert "authorization: bearer s3cret" in head
    assert {body["task"]["status"]["state"] for body in receiver.bodies} == {"TASK_STATE_CANCELED"}


async def configured(client: Client, task: Task, receiver: Receiver, version: str) -> None:
    """Create two configurations with the client, read them, and delete one."""
    authentication = AuthenticationInfo(scheme="Bearer", credentials="s3cret")
    wanted = TaskPushNotificationConfig(
        task_id=task.id, id="mine", url=receiver.url, token=version, authentication=authentication
    )
    assert await client.create_task_push_notification_config(wanted) == wanted
    other = TaskPushNotificationConfig(task_id=task.id, id="other", url=receiver.url)
    await client.create_task_push_notification_config(other)
    named = GetTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
    assert await client.get_task_push_notification_config(named) == wanted
    await client.delete_task_push_notification_config(
        DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="other")
    )
    listed = await client.list_task_push_notification_configs(ListTaskPushNotificationConfigsRequest(task_id=task.id))
    assert list(listed.configs) == [wanted]


async def _has_all(receiver: Receiver, tasks: dict[str, Task]) -> bool:
    return {body["task"]["id"] for body in receiver.bodies} == {task.id for task in tasks.values()}
