"""Webhooks: every change is sent with a signature, by one process at a time, until the receiver accepts it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin, Webhook
from feedback.delivery.webhooks import Webhooks
from feedback.schema import FeedbackCreate, FeedbackPatch, FeedbackSource
from tests.feedback.conftest import RUN, mint

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver(ThreadingHTTPServer):
    """A webhook receiver: stores what it receives and responds with the statuses that the test sets."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ReceiverHandler)
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"

    @property
    def received(self) -> list[tuple[str, Any]]:
        """Return the type and score of each received message."""
        bodies = [json.loads(body) for _, body in self.requests]
        return [(body["type"], body["data"]["score"]) for body in bodies]


class ReceiverHandler(BaseHTTPRequestHandler):
    """Handle one webhook request."""

    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(20)


async def until(condition: Any) -> None:
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


async def change(service: FeedbackPlugin) -> None:
    """Create a feedback, change it, and delete it."""
    feedback = await service.default.store.create(FeedbackCreate("k", run_id=RUN, score=1, comment="ünï"))
    await service.default.store.update(feedback.id, FeedbackPatch(score=2))
    await service.default.store.delete(feedback.id)


async def waiting(service: FeedbackPlugin) -> list[tuple[int, bool, str | None]]:
    rows = await service.database.read(lambda db: db.all("SELECT * FROM feedback_outbox ORDER BY created_at, id"))
    return [(row["attempts"], row["given_up_at"] is not None, row["error"]) for row in rows]


async def deliver(webhooks: Webhooks) -> int:
    async with httpx.AsyncClient() as client:
        return await webhooks.deliver(client)


async def test_changes_are_delivered_as_signed_standard_webhooks(service: FeedbackPlugin, receiver: Receiver) -> None:
    webhooks = Webhooks(service.database, [Webhook(receiver.url, SECRET)])
    await webhooks.register()
    await change(service)
    assert await deliver(webhooks) == 3
    assert sorted(receiver.received) == [("feedback.created", 1), ("feedback.deleted", 2), ("feedback.updated", 2)]
    for headers, body in receiver.requests:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert json.loads(body)["data"]["comment"] == "ünï"
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 3
    assert await waiting(service) == []


async def test_webhooks_receive_erasures_without_content(service: FeedbackPlugin, receiver: Receiver) -> None:
    webhooks = Webhooks(service.database, [Webhook(receiver.url, SECRET)])
    await webhooks.register()
    source = FeedbackSource(user_id="ada")
    feedback = [
        await service.default.store.create(FeedbackCreate("k", comment="words", feedback_source=source))
        for _ in range(3)
    ]
    await service.default.store.delete(feedback[0].id)
    await service.default.store.create(FeedbackCreate("k", comment="of another"))
    await service.default.erasure.erase_subject("ada")
    await deliver(webhooks)
    received = [json.loads(body) for _, body in receiver.requests]
    erased = [one["data"] for one in received if one["type"] == "feedback.erased"]
    assert sorted(name for data in erased for name in data["ids"]) == sorted(one.id for one in feedback)
    assert all(data.keys() == {"ids"} for data in erased)
    assert [one["data"]["comment"] for one in received if one["type"] != "feedback.erased"] == ["of another"]
    assert await waiting(service) == []


def test_signature_is_the_specifications_own_example() -> None:
    webhook = Webhook("https://example.com/hook", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = webhook.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_failed_message_is_retried_with_the_same_id(service: FeedbackPlugin, receiver: Receiver) -> None:
    webhooks = Webhooks(service.database, [Webhook(receiver.url, SECRET)])
    webhooks.retries = (0, 3600)
    await webhooks.register()
    await service.default.store.create(FeedbackCreate("k", score=1))
    receiver.statuses = [500, 302]
    assert [await deliver(webhooks) for _ in range(3)] == [1, 1, 0]
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1
    assert await waiting(service) == [(2, False, "302")]
    await service.database.write(lambda db: db.execute("UPDATE feedback_outbox SET due_at = 0"))
    assert await deliver(webhooks) == 1
    assert (len(receiver.requests), await waiting(service)) == (3, [])


async def test_message_that_is_never_accepted_is_given_up(service: FeedbackPlugin, unused_tcp_port: int) -> None:
    webhooks = Webhooks(service.database, [Webhook(f"http://127.0.0.1:{unused_tcp_port}/", SECRET)])
    webhooks.retries = (0, 0)
    await webhooks.register()
    await service.default.store.create(FeedbackCreate("k", score=1))
    assert [await deliver(webhooks) for _ in range(4)] == [1, 1, 1, 0]
    assert await waiting(service) == [(3, True, "ConnectError")]


async def test_gone_endpoint_gets_no_more_messages(service: FeedbackPlugin, receiver: Receiver) -> None:
    webhooks = Webhooks(service.database, [Webhook(receiver.url, SECRET)])
    await webhooks.register()
    receiver.statuses = [410]
    await service.default.store.create(FeedbackCreate("k", score=1))
    await deliver(webhooks)
    await service.default.store.create(FeedbackCreate("k", score=1))
    assert (await deliver(webhooks), len(receiver.requests)) == (0, 1)


async def test_several_processes_deliver_each_message_once(database_url: str, receiver: Receiver) -> None:
    async with FeedbackPlugin(open_database(database_url)).open() as service, open_database(database_url) as other:
        every = [Webhooks(database, [Webhook(receiver.url, SECRET)]) for database in (service.database, other) * 2]
        await every[0].register()
        for score in range(50):
            await service.default.store.create(FeedbackCreate("k", score=score))
        while sum(await asyncio.gather(*map(deliver, every))):
            pass
    assert sorted(receiver.received) == [("feedback.created", score) for score in range(50)]


async def test_message_of_a_dead_process_is_delivered(service: FeedbackPlugin, receiver: Receiver) -> None:
    webhooks = Webhooks(service.database, [Webhook(receiver.url, SECRET)])
    await webhooks.register()
    await service.default.store.create(FeedbackCreate("k", score=1))
    lease = "UPDATE feedback_outbox SET lease = 'dead', leased_until = now_us() + :time"
    await service.database.write(lambda db: db.execute(lease, time=60_000_000))
    assert await deliver(webhooks) == 0
    await service.database.write(lambda db: db.execute(lease, time=-1))
    assert (await deliver(webhooks), len(receiver.requests)) == (1, 1)


async def test_nothing_is_queued_without_endpoints(service: FeedbackPlugin, receiver: Receiver) -> None:
    await change(service)
    assert await waiting(service) == []
    await Webhooks(service.database, [Webhook(receiver.url, SECRET)]).register()
    await Webhooks(service.database).register()
    await change(service)
    assert await waiting(service) == []


async def test_running_service_delivers_to_all_endpoints(database_url: str, receiver: Receiver) -> None:
    hooks = [Webhook(receiver.url, SECRET), Webhook(receiver.url + "/other", SECRET)]
    plugin = FeedbackPlugin(open_database(database_url), webhooks=hooks)
    plugin.webhooks.look_seconds = 0.05
    async with AsyncTestClient(Litestar(plugins=[plugin]), base_url="http://feedback.test") as client:
        await client.post(await mint(client), json={"score": 1})
        await until(lambda: len(receiver.requests) == 2)
    assert receiver.received == [("feedback.created", 1)] * 2


@pytest.mark.parametrize(
    ("url", "secret", "received"),
    [
        ("ftp://a/b", SECRET, "is not an address"),
        ("example.com", SECRET, "is not an address"),
        ("https://a/b", "secret", "is not one"),
        ("https://a/b", "whsec_%%%", "is not one"),
        ("https://a/b", "whsec_" + base64.b64encode(b"short").decode(), "24 to 64"),
    ],
)
def test_unusable_webhook_is_refused_at_start(url: str, secret: str, received: str) -> None:
    with pytest.raises(ValueError, match=received):
        Webhook(url, secret)


async def test_undelivered_messages_are_shown_retried_and_forgotten(
    service: FeedbackPlugin, receiver: Receiver
) -> None:
    webhooks = Webhooks(service.database, [Webhook(receiver.url + "?secret=1", SECRET)])
    webhooks.retries = ()
    await webhooks.register()
    await service.default.store.create(FeedbackCreate("k", score=1))
    receiver.statuses = [500]
    await deliver(webhooks)
    [stuck] = await webhooks.list_undelivered()
    assert (stuck.type, stuck.attempts, stuck.error, stuck.next_at) == ("feedback.created", 1, "500", None)
    assert stuck.to == receiver.url.removesuffix("/hook"), "an address may contain a secret"
    assert await webhooks.forget(1) == 0
    assert await webhooks.revive() == 1
    assert await deliver(webhooks) == 1
    assert (receiver.received, await webhooks.list_undelivered()) == ([("feedback.created", 1)] * 2, [])
    await service.default.store.create(FeedbackCreate("k", score=1))
    receiver.statuses = [500]
    await deliver(webhooks)
    await service.database.write(
        lambda db: db.execute("UPDATE feedback_outbox SET given_up_at = given_up_at - 86400000001")
    )
    assert await webhooks.forget(1) == 1
    assert await webhooks.list_undelivered() == []
