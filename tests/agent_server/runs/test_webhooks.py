"""Webhooks: sent once at the end of a run, repeated until accepted, never into the server's own network."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import SocketAttribute, SocketStream

from agent_server.config import Config, ConfigError
from agent_server.config.webhooks import WebhookPolicy
from agent_server.errors import Conflict, Invalid, NotFound
from agent_server.runs.crons.clock import CronClock
from agent_server.runs.crons.crons import Crons
from agent_server.runs.crons.schema import CronCreate
from agent_server.runs.webhook_sender import WebhookSender
from tests.agent_server.api import serving
from tests.agent_server.backend import Backend, open_backend, until

OPEN = WebhookPolicy(require_https=False, disable_loopback=False, headers={"X-Secret": "s3"})
Yields = AsyncGenerator[dict[str, Any], None]


async def agent(given: Any) -> Yields:
    if given == "fail":
        raise ValueError("no such luck")
    if given == "sleep":
        await anyio.sleep(3600)
    yield {"said": given}


class Receiver:
    """A web server that stores its requests and responds with the given statuses, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.heads: list[str] = []
        self.url = ""
        self._statuses = list(statuses)

    async def respond(self, stream: SocketStream) -> None:
        async with stream:
            data = b""
            while b"\r\n\r\n" not in data:
                data += await stream.receive()
            head, _, body = data.partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            while len(body) < length:
                body += await stream.receive()
            self.heads.append(head.decode())
            self.bodies.append(json.loads(body))
            status = self._statuses.pop(0) if self._statuses else 200
            await stream.send(b"HTTP/1.1 %d X\r\nlocation: /\r\ncontent-length: 0\r\n\r\n" % status)


@asynccontextmanager
async def receiving(*statuses: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(*statuses)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        receiver.url = f"http://localhost:{listener.extra(SocketAttribute.local_port)}/hook?a=1"
        group.start_soon(listener.serve, receiver.respond)
        yield receiver
        group.cancel_scope.cancel()


@asynccontextmanager
async def at_work(database_url: str, senders: int = 1) -> AsyncIterator[Backend]:
    """Run a backend that may send webhooks to any address, with so many delivery loops."""
    async with open_backend(database_url, {"agent": agent}, webhooks=OPEN) as backend, backend.worker():
        loops = [WebhookSender(backend.database, backend.broker, OPEN, first_wait=0.01) for _ in range(senders)]
        async with anyio.create_task_group() as group:
            for loop in loops:
                group.start_soon(loop.serve)
            yield backend
            for loop in loops:
                loop.stop()


async def left(backend: Backend) -> bool:
    """Return whether a webhook still has to be sent."""
    return bool(await backend.database.read(lambda c: c.all("SELECT run_id FROM webhooks")))


async def all_received(backend: Backend) -> bool:
    return not await left(backend)


async def test_webhook_receives_the_run_and_its_values(database_url: str) -> None:
    async with receiving() as receiver, at_work(database_url) as backend:
        run = await backend.run(None, input="hi", webhook=receiver.url, metadata={"a": 1})
        await until(lambda: receiver.bodies)
        await until(lambda: all_received(backend))
    [body] = receiver.bodies
    assert (body["run_id"], body["thread_id"], body["status"]) == (run.run_id, run.thread_id, "success")
    assert body["values"] == {"said": "hi"}
    assert body["metadata"]["a"] == 1
    assert body["kwargs"]["webhook"] == receiver.url
    assert body["run_started_at"] <= body["run_ended_at"] <= body["webhook_sent_at"]
    assert "error" not in body
    assert receiver.heads[0].startswith("POST /hook?a=1 ")
    assert "x-secret: s3" in receiver.heads[0].lower()
    assert "host: localhost:" in receiver.heads[0].lower()


async def test_webhook_of_a_failed_run_has_its_error(database_url: str) -> None:
    async with receiving() as receiver, at_work(database_url) as backend:
        await backend.run(None, input="fail", webhook=receiver.url)
        await until(lambda: receiver.bodies)
    assert receiver.bodies[0]["status"] == "error"
    assert receiver.bodies[0]["error"] == {"error": "ValueError", "message": "no such luck"}


@pytest.mark.parametrize(("action", "status"), [("interrupt", "interrupted"), ("rollback", "rollback")])
async def test_webhook_of_a_cancelled_run_says_how(database_url: str, action: Any, status: str) -> None:
    async with receiving() as receiver, at_work(database_url) as backend:
        run = await backend.run(await backend.thread(), input="sleep", webhook=receiver.url)

        async def running() -> bool:
            return await backend.status(run.run_id) == "running"

        await until(running)
        await backend.runs.cancel(run.run_id, None, action)
        await until(lambda: receiver.bodies)
    assert receiver.bodies[0]["status"] == status


@pytest.mark.parametrize(("action", "status"), [("interrupt", "interrupted"), ("rollback", "rollback")])
async def test_webhook_of_an_early_cancel_is_sent_once(database_url: str, action: Any, status: str) -> None:
    async with receiving() as receiver, at_work(database_url) as backend:
        delayed = await backend.run(await backend.thread(), input="hi", webhook=receiver.url, after_seconds=3600)
        await backend.runs.cancel(delayed.run_id, None, action)
        with pytest.raises((Conflict, NotFound)):
            await backend.runs.cancel(delayed.run_id, None, action)
        await until(lambda: receiver.bodies)
        await until(lambda: _is_empty(backend))
    [body] = receiver.bodies
    assert (body["run_id"], body["status"], body["values"]) == (delayed.run_id, status, None)
    assert (body["run_started_at"], bool(body["run_ended_at"])) == (None, True)


async def test_webhook_of_an_interrupted_run_is_sent(database_url: str) -> None:
    async with receiving() as receiver, at_work(database_url) as backend:
        thread_id = await backend.thread()
        overtaken = await backend.run(thread_id, input="hi", webhook=receiver.url, after_seconds=3600)
        await backend.run(thread_id, input="hi", multitask_strategy="interrupt")
        await until(lambda: receiver.bodies)
    assert (receiver.bodies[0]["run_id"], receiver.bodies[0]["status"]) == (overtaken.run_id, "interrupted")


async def _is_empty(backend: Backend) -> bool:
    return not await left(backend)


async def test_webhook_is_sent_again_until_it_is_taken(database_url: str) -> None:
    async with receiving(500, 302, 404) as receiver, at_work(database_url) as backend:
        await backend.run(None, input="hi", webhook=receiver.url)
        await until(lambda: len(receiver.bodies) == 4)
        await until(lambda: all_received(backend))
    assert len({body["run_id"] for body in receiver.bodies}) == 1


async def test_several_senders_deliver_each_webhook_once(database_url: str) -> None:
    async with receiving() as receiver, at_work(database_url, senders=3) as backend:
        runs = [(await backend.run(None, input="hi", webhook=receiver.url)).run_id for _ in range(20)]
        await until(lambda: len(receiver.bodies) >= 20)
        await until(lambda: all_received(backend))
    assert sorted(body["run_id"] for body in receiver.bodies) == sorted(runs)


async def test_failed_webhook_waits_for_the_next_start(database_url: str) -> None:
    async with at_work(database_url, senders=0) as backend, receiving() as receiver:
        run = await backend.run(None, input="hi", webhook=receiver.url)
        await backend.events(run.run_id)
        assert await left(backend)
        sender = WebhookSender(backend.database, backend.broker, OPEN)
        async with anyio.create_task_group() as group:
            group.start_soon(sender.serve)
            await until(lambda: receiver.bodies)
            await until(lambda: all_received(backend))
            sender.stop()


async def test_name_resolving_into_the_private_network_is_blocked(database_url: str) -> None:
    closed = WebhookPolicy(require_https=False, disable_loopback=True)
    async with receiving() as receiver, open_backend(database_url, {"agent": agent}, webhooks=OPEN) as backend:
        async with backend.worker():
            run = await backend.run(None, input="hi", webhook=receiver.url)
            await backend.events(run.run_id)
        sender = WebhookSender(backend.database, backend.broker, closed)

        async def tried() -> bool:
            return bool(await backend.database.read(lambda c: c.all("SELECT 1 AS x FROM webhooks WHERE attempts = 1")))

        async with anyio.create_task_group() as group:
            group.start_soon(sender.serve)
            await until(tried)
            sender.stop()
        with pytest.raises(Invalid, match="loopback"):
            await sender._address(httpx.URL(receiver.url))
    assert receiver.bodies == []


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://127.0.0.1/x", "Webhook host blocked: loopback IP range"),
        ("https://localhost:8000/x", "Webhook host blocked: loopback IP range"),
        ("https://[::1]/", "Webhook host blocked: loopback IP range"),
        ("https://[::ffff:127.0.0.1]/", "Webhook host blocked: loopback IP range"),
        ("https://2130706433/", "Webhook host blocked: loopback IP range"),
        ("https://0x7f.1/", "Webhook host blocked: loopback IP range"),
        ("https://10.1.2.3/", "Webhook host blocked: private IP range"),
        ("https://[fd00::1]/", "Webhook host blocked: private IP range"),
        ("https://169.254.169.254/latest", "Webhook host blocked: link-local"),
        ("https://0.0.0.0/", "Webhook host blocked: link-local, multicast or unspecified"),
        ("http://example.com/", "Webhook must use https"),
        ("ftp://example.com/", "Webhook must be an absolute https URL"),
        ("/runs", "Webhook must be an absolute URL"),
        ("https://", "Webhook must be an absolute"),
        ("https://[x/", "Webhook is not a URL"),
        ("https://example.com:99999/", "Webhook is not a URL"),
        ("https://example.com/" + "x" * 5000, "Webhook URL too long"),
    ],
)
def test_webhook_to_where_none_may_go_is_refused(url: str, problem: str) -> None:
    with pytest.raises(Invalid) as refusal:
        WebhookPolicy().check(url)
    assert str(refusal.value).startswith(problem)


def test_policy_allows_what_its_settings_allow() -> None:
    WebhookPolicy().check("https://example.com/hook")
    WebhookPolicy(require_https=False, disable_loopback=False).check("http://127.0.0.1:8000/hook")
    WebhookPolicy(disable_private_ips=False).check("https://10.1.2.3/")
    named = WebhookPolicy(allowed_domains=("10.1.2.3", "*.example.com"), allowed_ports=(443,))
    named.check("https://10.1.2.3/")
    named.check("https://hooks.example.com/")
    for wrong in ("https://example.org/", "https://badexample.com/", "https://hooks.example.com:8443/"):
        with pytest.raises(Invalid, match="not allowed"):
            named.check(wrong)


async def test_wrong_webhook_of_a_run_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    async with serving(sqlite_url, tmp_path) as api:
        body = {"assistant_id": "echo", "input": {}, "webhook": "https://127.0.0.1/x"}
        assert await api.refusal("POST", "/runs/wait", body) == (422, "Webhook host blocked: loopback IP range")


async def test_wrong_webhook_of_a_cron_is_refused(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path) as api:
        wrong = {"webhook": "https://127.0.0.1/x"}
        refused = (422, "Webhook host blocked: loopback IP range")
        cron = {"assistant_id": "echo", "schedule": "0 0 1 1 *"}
        assert await api.refusal("POST", "/runs/crons", {**cron, **wrong}) == refused
        cron_id = (await api.post("/runs/crons", {**cron, "webhook": "https://example.com/x"}))["cron_id"]
        assert await api.refusal("PATCH", f"/runs/crons/{cron_id}", wrong) == refused
        assert (await api.get(f"/runs/crons/{cron_id}"))["payload"]["webhook"] == "https://example.com/x"


async def test_cron_with_a_now_forbidden_webhook_is_disabled(database_url: str) -> None:
    async with open_backend(database_url, {"agent": agent}) as backend:
        crons = Crons(backend.database, backend.assistants, OPEN)
        body = CronCreate(assistant_id="agent", schedule="* * * * *", webhook="http://127.0.0.1:1/x")
        cron = await crons.create(body, None, "http://server.test")
        due = "UPDATE crons SET next_run_date = now_us() WHERE cron_id = :id"
        await backend.database.write(lambda c: c.execute(due, id=cron.cron_id))
        assert await CronClock(backend.database, backend.runs).fire_due() == 0
        assert (await crons.get(cron.cron_id)).enabled is False


def test_webhook_headers_expand_allowed_environment_variables(tmp_path: Path) -> None:
    file = tmp_path / "langgraph.json"
    headers = {
        "Authorization": "Bearer ${{ env.LG_WEBHOOK_TOKEN }}",
        "X-Both": "${{env.LG_WEBHOOK_A}}-{{ env.LG_WEBHOOK_B }}",
    }
    file.write_text(json.dumps({"webhooks": {"headers": headers}, "env": {"LG_WEBHOOK_A": "from the file"}}))
    environ = {"LG_WEBHOOK_TOKEN": "s3cret", "LG_WEBHOOK_B": "b"}
    policy = Config.load(file, environ).webhooks
    assert policy.headers == {"Authorization": "Bearer s3cret", "X-Both": "from the file-b"}
    assert "s3cret" not in repr(policy)


@pytest.mark.parametrize(
    ("webhooks", "problem"),
    [
        ({"headers": {"A": "${{ env.HOME }}"}}, "HOME, which does not begin with 'LG_WEBHOOK_'"),
        ({"headers": {"A": "${{ env.LG_WEBHOOK_GONE }}"}}, "LG_WEBHOOK_GONE, which is not set"),
        ({"headers": {"A": "${{ secrets.X }}"}}, "a template is like"),
        ({"headers": {"A": "${{ env.OUR_BREAK }}"}, "env_prefix": "OUR_"}, "line break"),
        ({"env_prefix": 1}, "env_prefix is 1; it must be a string"),
    ],
)
def test_unresolvable_template_is_reported_without_secrets(tmp_path: Path, webhooks: Any, problem: str) -> None:
    file = tmp_path / "langgraph.json"
    file.write_text(json.dumps({"webhooks": webhooks}))
    with pytest.raises(ConfigError, match=re.escape(problem)) as refused:
        Config.load(file, {"HOME": "hush", "OUR_BREAK": "hush\r\nX: y"})
    assert "hush" not in str(refused.value)


def test_policy_is_read_from_the_configuration_file(tmp_path: Path) -> None:
    file = tmp_path / "langgraph.json"
    url = {"require_https": False, "disable_loopback": False, "allowed_domains": ["a.b"], "allowed_ports": [1]}
    file.write_text(json.dumps({"webhooks": {"url": url, "headers": {"a": "b"}}}))
    policy = Config.load(file, {}).webhooks
    assert policy == WebhookPolicy(False, False, True, ("a.b",), (1,), 4096, {"a": "b"})
    for wrong in ({"url": {"require_https": "no"}}, {"url": [1]}, [1], {"headers": {"a": 1}}):
        file.write_text(json.dumps({"webhooks": wrong}))
        with pytest.raises(ConfigError, match="webhooks"):
            Config.load(file, {})
