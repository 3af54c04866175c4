"""OpenTelemetry: answers reach a collector as events in the trace of their run, and none is lost on the way."""

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
    """A collector that takes OTLP over HTTP: it stores what arrives, and responds as the test says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Takes)
        self.came: list[ExportLogsServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def records(self) -> list[LogRecord]:
        """The events that came, in the order of their times."""
        found = [one for came in self.came for logs in came.resource_logs for scope in logs.scope_logs
                 for one in scope.log_records]  # fmt: skip
        return sorted(found, key=lambda one: one.time_unix_nano)

    @property
    def said(self) -> list[dict[str, Any]]:
        """What the events say."""
        return [{one.key: plain(one.value) for one in record.attributes} for record in self.records]


class Takes(BaseHTTPRequestHandler):
    """One request."""

    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status = self.server.answers.pop(0) if self.server.answers else 200
        if status == 200 and self.path == "/v1/logs":
            self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.server.came.append(ExportLogsServiceRequest.FromString(body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


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
async def telling(
    database_url: str, facts: RunFacts | None, with_comments: bool = False
) -> AsyncIterator[tuple[FeedbackPlugin, Webhooks]]:
    """An open service that tells a collector, and what delivers its messages when asked to."""

    async def look_up(_: str) -> RunFacts | None:
        return facts

    async with FeedbackPlugin(open_database(database_url), run_lookup=look_up).opened() as service:
        webhooks = Webhooks(service.database, [Evaluations(with_comments)])
        webhooks.retries = (0,)
        await webhooks.register()
        yield service, webhooks


async def deliver(webhooks: Webhooks) -> int:
    async with httpx.AsyncClient() as client:
        return await webhooks.deliver(client)


async def test_feedback_is_an_event_in_its_runs_trace(database_url: str, collector: Collector) -> None:
    async with telling(database_url, FACTS) as (service, webhooks):
        url = (await service.urls_for_run(FACTS, ["helpful"], "http://h"))["helpful"]
        service.runs.lookup = None  # the run is gone when it is answered
        submission = FeedbackSubmission(score=0.5, comment="private", user_id="ada")
        kept = await service.default.store.submit(await service.default.tokens.open(url.rpartition("/")[2]), submission)
        assert await deliver(webhooks) == 1
    [event] = collector.records
    assert (event.event_name, event.trace_id.hex(), event.span_id.hex()) == ("gen_ai.evaluation.result", TRACE, SPAN)
    assert collector.said == [
        {
            "gen_ai.evaluation.name": "helpful",
            "gen_ai.evaluation.score.value": 0.5,
            "gen_ai.response.id": RUN,
            "gen_ai.conversation.id": "thread-1",
            "gen_ai.agent.id": "assistant-1",
            "gen_ai.agent.version": "3",
            "agent_server.feedback.id": kept.id,
            "agent_server.feedback.source": "api",
        }
    ]
    assert "ada" not in str(collector.came)


async def test_change_emits_another_event_and_deletion_none(database_url: str, collector: Collector) -> None:
    async with telling(database_url, None) as (service, webhooks):
        answer = await service.default.store.create(FeedbackCreate("k", run_id=RUN, score=1))
        await service.default.store.update(answer.id, FeedbackPatch(score=0))
        await service.default.store.update(answer.id, FeedbackPatch(score=0))
        await service.default.store.delete(answer.id)
        while await deliver(webhooks):
            pass
    assert [one["gen_ai.evaluation.score.value"] for one in collector.said] == [1, 0]
    assert {one["agent_server.feedback.id"] for one in collector.said} == {answer.id}
    assert [one.trace_id for one in collector.records] == [b"", b""]


async def test_comment_goes_along_where_that_is_asked_for(database_url: str, collector: Collector) -> None:
    async with telling(database_url, None, with_comments=True) as (service, webhooks):
        await service.default.store.create(FeedbackCreate("k", comment="It rambles."))
        await deliver(webhooks)
    assert collector.said[0]["gen_ai.evaluation.explanation"] == "It rambles."


async def test_label_is_a_categorys_and_never_free_text(database_url: str, collector: Collector) -> None:
    topics = FeedbackConfig("categorical", categories=[FeedbackCategory(1, "good"), FeedbackCategory(0, "bad")])
    async with telling(database_url, FACTS) as (service, webhooks):
        [token] = await service.default.tokens.mint([Order(RUN, ["topic"], [topics], None)])
        await service.default.store.submit(
            await service.default.tokens.open(token.token), FeedbackSubmission(value="good")
        )
        await service.default.workflowai_feedback.submit(OutcomeCreate(service.token_for_run(RUN), "negative"))
        await service.default.store.create(FeedbackCreate("words", value="any text of a user"))
        await deliver(webhooks)
    labels = [(one.get("gen_ai.evaluation.score.value"), one.get("gen_ai.evaluation.score.label"))
              for one in collector.said]  # fmt: skip
    assert labels == [(1, "good"), (0, "negative"), (None, None)]
    assert [one.trace_id.hex() for one in collector.records] == [TRACE, TRACE, ""]


async def test_event_waits_for_a_collector_that_is_away(database_url: str, collector: Collector) -> None:
    async with telling(database_url, None) as (service, webhooks):
        await service.default.store.create(FeedbackCreate("k", score=1))
        collector.answers = [400]
        assert await deliver(webhooks) == 1
        assert collector.came == []
        assert await deliver(webhooks) == 1
        assert (len(collector.came), await deliver(webhooks)) == (1, 0)


async def test_stopped_exporter_may_start_again(service: FeedbackPlugin, collector: Collector) -> None:
    evaluations, webhooks = Evaluations(), Webhooks(service.database, [Evaluations()])
    await webhooks.register()
    await service.default.store.create(FeedbackCreate("k", score=1))
    row = await service.database.read(lambda db: db.one("SELECT * FROM feedback_outbox"))
    assert row is not None
    collector.answers = [503] * 100
    async with httpx.AsyncClient() as client:
        sending = asyncio.create_task(evaluations.send(client, row))
        await until(lambda: len(collector.answers) < 100)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        collector.answers = []
        assert await evaluations.send(client, row) is None
    assert [one["gen_ai.evaluation.name"] for one in collector.said] == ["k"]


async def test_standard_variables_configure_the_exporter(
    sqlite_url: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue")
    async with telling(sqlite_url, None) as (service, webhooks):
        await service.default.store.create(FeedbackCreate("k", score=1))
        await deliver(webhooks)
    [resource] = [logs.resource for logs in collector.came[0].resource_logs]
    assert {one.key: plain(one.value) for one in resource.attributes}["service.name"] == "shop"
    assert collector.headers[0]["x-tenant"] == "blue"


async def test_running_service_exports_on_its_own(sqlite_url: str, collector: Collector) -> None:
    service = FeedbackPlugin(open_database(sqlite_url), webhooks=[Evaluations()])
    async with AsyncTestClient(Litestar(plugins=[service])) as client:
        assert (await client.post("/feedback", json={"key": "k", "score": 1})).status_code == 200
        await until(lambda: collector.came)
    assert [one["gen_ai.evaluation.name"] for one in collector.said] == ["k"]


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
def test_what_names_no_trace_is_none(text: str | None) -> None:
    assert trace_parent(text) is None
    assert trace_parent(PARENT) == PARENT
