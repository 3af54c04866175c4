"""Evaluations: export feedback to OpenTelemetry as `gen_ai.evaluation.result` events in the traces of runs.

The event follows OpenTelemetry's conventions for generative AI (repository `semantic-conventions-genai`, status
Development): a log record, a child of the run's span if the run has a `traceparent`; `gen_ai.response.id` has the run's
id in any case. Changed feedback is a new event with the same `agent_server.feedback.id`, which also identifies repeats:
the webhooks' outbox delivers events at least once. The subject is left out, and the comment is included on request.

The usual variables of OTLP over HTTP configure the export (`OTEL_EXPORTER_OTLP_ENDPOINT`, `…_LOGS_ENDPOINT`,
`…_HEADERS`, `OTEL_SERVICE_NAME`, …). It needs the extra `otel`. The classes for logs are still in packages with an
underscore (OpenTelemetry for Python 1.45), so no other module imports them.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import msgspec
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import INVALID_SPAN, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from feedback.database import Row
from feedback.delivery.outbox import EVALUATIONS
from feedback.projects.scoped_database import DEFAULT
from feedback.validation import EPOCH

EVENT = "gen_ai.evaluation.result"
PROTOCOLS = ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
UNNAMED = "unknown_service"
THREADS = 4
"""Concurrent exports. The exporter waits and retries in its thread, so it has threads of its own."""
Attribute = str | float


class Evaluations:
    """Export feedback to an OpenTelemetry collector. A delivery target for `FeedbackPlugin(webhooks=…)`."""

    id = EVALUATIONS
    url = "OTLP"

    def __init__(self, with_comments: bool = False) -> None:
        """Export as the environment says; `with_comments` adds comments as `gen_ai.evaluation.explanation`.

        Errors: `ValueError` if the environment sets another protocol than `http/protobuf`.
        """
        for name in PROTOCOLS:
            if (protocol := os.environ.get(name) or "http/protobuf") != "http/protobuf":
                raise ValueError(f"{name} is {protocol!r}; evaluations are sent with http/protobuf, set it to that")
        self._with_comments = with_comments
        self._exporter = OTLPLogExporter()
        self._threads = ThreadPoolExecutor(THREADS, "evaluations")
        found = Resource.create()
        unnamed = str(found.attributes[SERVICE_NAME]).startswith(UNNAMED)
        self._resource = found.merge(Resource({SERVICE_NAME: "agent-server"})) if unnamed else found
        self._scope = InstrumentationScope("agent_server.feedback")

    async def send(self, client: httpx.AsyncClient, row: Row) -> str | None:  # noqa: ARG002  it has its own
        """Export the row's message. Return the error, or None if the collector accepted it."""
        record = self._record(msgspec.json.decode(row["payload"])["data"])
        exporter = self._exporter
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._threads, exporter.export, [record])
        except asyncio.CancelledError:  # the service stops: it must not wait for a collector that is down
            if exporter is self._exporter:
                self._exporter = OTLPLogExporter()
                exporter.shutdown()  # type: ignore[no-untyped-call]  # it declares no return type
            raise
        return None if result is LogRecordExportResult.SUCCESS else "the collector did not take it"

    def _record(self, feedback: dict[str, Any]) -> ReadableLogRecord:
        since = datetime.fromisoformat(feedback["modified_at"]) - EPOCH
        record = LogRecord(
            timestamp=(since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000,
            context=_context(feedback["trace_parent"]),
            severity_number=SeverityNumber.INFO,
            event_name=EVENT,
            attributes=attributes(feedback, self._with_comments),
        )
        return ReadableLogRecord(record, self._resource, self._scope)


def attributes(feedback: dict[str, Any], with_comments: bool) -> dict[str, Attribute]:
    """Return the event's attributes for feedback in the wire's shape; absent fields are left out.

    A text in `value` is a label if there is a score beside it, as for categories; otherwise it is free text.
    """
    score, value = feedback["score"], feedback["value"]
    named: dict[str, Attribute | None] = {
        "gen_ai.evaluation.name": feedback["key"],
        "gen_ai.evaluation.score.value": None if score is None else float(score),
        "gen_ai.evaluation.score.label": value if isinstance(value, str) and score is not None else None,
        "gen_ai.evaluation.explanation": feedback["comment"] if with_comments else None,
        "gen_ai.response.id": feedback["run_id"] or feedback["run_name"],
        "gen_ai.conversation.id": feedback["thread_id"],
        "gen_ai.agent.id": feedback["assistant_id"],
        "gen_ai.agent.version": None if (version := feedback["assistant_version"]) is None else str(version),
        "agent_server.feedback.id": feedback["id"],
        "agent_server.feedback.source": feedback["feedback_source"]["type"],
        "agent_server.feedback.project": None if (project := feedback.get("project")) == DEFAULT else project,
    }
    return {name: text for name, text in named.items() if text is not None}


def _context(trace_parent: str | None) -> Context:
    """Return a context whose parent is the run's span, or none; never the current span of this process."""
    alone = set_span_in_context(INVALID_SPAN, Context())
    carrier = {"traceparent": trace_parent} if trace_parent else {}
    return TraceContextTextMapPropagator().extract(carrier, alone)
