"""OpenTelemetry: feedback reaches a collector as events in its run's trace, and no event is lost on the way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from agent_server.database import open_database
from feedback import FeedbackPlugin, RunFacts
from feedback.delivery.opentelemetry import Evaluations
from feedback.delivery.webhooks import Webhooks
from feedback.integrations.workflowai import OutcomeCreate
from feedback.runs import trace_parent
from feedback.schema import FeedbackCategory, FeedbackConfig, FeedbackCreate, FeedbackPatch, FeedbackSubmission
from feedback.tokens.presigned import Order
from tests.feedback.conftest import RUN
from tests.feedback.delivery.test_webhooks import until

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"
FACTS = RunFacts(RUN, "thread-1", "assistant-1", 3, trace_parent=PARENT)


class Collector(ThreadingHTTPServer):
    """An OTLP collector over HTTP: stores what it receives and responds with the statuses that the test sets."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), CollectorHandler)
        self.received: list[ExportLogsServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.statuses: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def records(self) -> list[LogRecord]:
        """Return the received events, oldest first."""
        found = [one for received in self.received for logs in received.resource_logs for scope in logs.scope_logs
                 for one in scope.log_records]  # fmt: skip
        return sorted(found, key=lambda one: one.time_unix_nano)

    @property
    def attributes(self) -> list[dict[str, Any]]:
        """Return the attributes of the received events."""
        return [{one.key: plain(one.value) for one in record.attributes} for record in self.records]


class CollectorHandler(BaseHTTPRequestHandler):
    """Handle one export request."""

    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 200 and self.path == "/v1/logs":
            self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.server.received.append(ExportLogsServiceRequest.FromString(body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def plain(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        yield server
        server.shutdown()
        thread.join(20)


@asynccontextmanager
async def exporting(
    database_url: str, facts: RunFacts | None, with_comments: bool = False
) -> AsyncIterator[tuple[FeedbackPlugin, Webhooks]]:
    """Open a service that exports to a collector; yield it and the webhooks that deliver when the test asks."""

    async def look_up(_: str) -> RunFacts | None:
        return facts

    async with FeedbackPlugin(open_database(database_url), run_lookup=look_up).open() as service:
        webhooks = Webhooks(service.database, [Evaluations(with_comments)])
        webhooks.retries = (0,)
        await webhooks.register()
        yield service, webhooks


async def deliver(webhooks: Webhooks) -> int:
    async with httpx.AsyncClient() as client:
        return await webhooks.deliver(client)


async def test_feedback_is_an_event_in_its_runs_trace(database_url: str, collector: Collector) -> None:
    async with exporting(database_url, FACTS) as (service, webhooks):
        url = (await service.urls_for_run(FACTS, ["helpful"], "http://h"))["helpful"]
        service.runs.lookup = None  # the run no longer exists when its feedback arrives
        submission = FeedbackSubmission(score=0.5, comment="private", user_id="ada")
        pointer = await service.default.tokens.open(url.rpartition("/")[2])
        result = await service.default.store.submit(pointer, submission)
        assert await deliver(webhooks) == 1
    [event] = collector.records
    assert (event.event_name, event.trace_id.hex(), event.span_id.hex()) == ("gen_ai.evaluation.result", TRACE, SPAN)
    assert collector.attributes == [
        {
            "gen_ai.evaluation.name": "helpful",
            "gen_ai.evaluation.score.value": 0.5,
            "gen_ai.response.id": RUN,
            "gen_ai.conversation.id": "thread-1",
            "gen_ai.agent.id": "assistant-1",
            "gen_ai.agent.version": "3",
            "agent_server.feedback.id": result.id,
            "agent_server.feedback.source": "api",
        }
    ]
    assert "ada" not in str(collector.received)


async def test_change_emits_another_event_and_deletion_none(database_url: str, collector: Collector) -> None:
    async with exporting(database_url, None) as (service, webhooks):
        feedback = await service.default.store.create(FeedbackCreate("k", run_id=RUN, score=1))
        await service.default.store.update(feedback.id, FeedbackPatch(score=0))
        await service.default.store.update(feedback.id, FeedbackPatch(score=0))
        await service.default.store.delete(feedback.id)
        while await deliver(webhooks):
            pass
    assert [one["gen_ai.evaluation.score.value"] for one in collector.attributes] == [1, 0]
    assert {one["agent_server.feedback.id"] for one in collector.attributes} == {feedback.id}
    assert [one.trace_id for one in collector.records] == [b"", b""]


async def test_comment_goes_along_where_that_is_asked_for(database_url: str, collector: Collector) -> None:
    async with exporting(database_url, None, with_comments=True) as (service, webhooks):
        await service.default.store.create(FeedbackCreate("k", comment="It rambles."))
        await deliver(webhooks)
    assert collector.attributes[0]["gen_ai.evaluation.explanation"] == "It rambles."


async def test_label_is_a_categorys_and_never_free_text(database_url: str, collector: Collector) -> None:
    topics = FeedbackConfig("categorical", categories=[FeedbackCategory(1, "good"), FeedbackCategory(0, "bad")])
    async with exporting(database_url, FACTS) as (service, webhooks):
        [token] = await service.default.tokens.mint([Order(RUN, ["topic"], [topics], None)])
        await service.default.store.submit(
            await service.default.tokens.open(token.token), FeedbackSubmission(value="good")
        )
        await service.default.workflowai_feedback.submit(OutcomeCreate(service.token_for_run(RUN), "negative"))
        await service.default.store.create(FeedbackCreate("words", value="any text of a user"))
        await deliver(webhooks)
    labels = [(one.get("gen_ai.evaluation.score.value"), one.get("gen_ai.evaluation.score.label"))
              for one in collector.attributes]  # fmt: skip
    assert labels == [(1, "good"), (0, "negative"), (None, None)]
    assert [one.trace_id.hex() for one in collector.records] == [TRACE, TRACE, ""]


async def test_event_waits_for_a_collector_that_is_away(database_url: str, collector: Collector) -> None:
    async with exporting(database_url, None) as (service, webhooks):
        await service.default.store.create(FeedbackCreate("k", score=1))
        collector.statuses = [400]
        assert await deliver(webhooks) == 1
        assert collector.received == []
        assert await deliver(webhooks) == 1
        assert (len(collector.received), await deliver(webhooks)) == (1, 0)


async def test_stopped_exporter_may_start_again(service: FeedbackPlugin, collector: Collector) -> None:
    evaluations, webhooks = Evaluations(), Webhooks(service.database, [Evaluations()])
    await webhooks.register()
    await service.default.store.create(FeedbackCreate("k", score=1))
    row = await service.database.read(lambda db: db.one("SELECT * FROM feedback_outbox"))
    assert row is not None
    collector.statuses = [503] * 100
    async with httpx.AsyncClient() as client:
        sending = asyncio.create_task(evaluations.send(client, row))
        await until(lambda: len(collector.statuses) < 100)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        collector.statuses = []
        assert await evaluations.send(client, row) is None
    assert [one["gen_ai.evaluation.name"] for one in collector.attributes] == ["k"]


async def test_standard_variables_configure_the_exporter(
    sqlite_url: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue")
    async with exporting(sqlite_url, None) as (service, webhooks):
        await service.default.store.create(FeedbackCreate("k", score=1))
        await deliver(webhooks)
    [resource] = [logs.resource for logs in collector.received[0].resource_logs]
    assert {one.key: plain(one.value) for one in resource.attributes}["service.name"] == "shop"
    assert collector.headers[0]["x-tenant"] == "blue"


async def test_running_service_exports_on_its_own(sqlite_url: str, collector: Collector) -> None:
    service = FeedbackPlugin(open_database(sqlite_url), webhooks=[Evaluations()])
    async with AsyncTestClient(Litestar(plugins=[service])) as client:
        assert (await client.post("/feedback", json={"key": "k", "score": 1})).status_code == 200
        await until(lambda: collector.received)
    assert [one["gen_ai.evaluation.name"] for one in collector.attributes] == ["k"]


def test_protocol_that_is_not_spoken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(ValueError, match="http/protobuf"):
        Evaluations()


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "00-0-0-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        PARENT.upper(),
    ],
)
def test_invalid_trace_parent_is_none(text: str | None) -> None:
    assert trace_parent(text) is None
    assert trace_parent(PARENT) == PARENT
