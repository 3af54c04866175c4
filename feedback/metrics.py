"""Prometheus metrics of one process: tokens minted, submissions stored, requests refused.

Counters are per process. Gauges of the database (outbox, alerts) are read on each scrape, and are the same in every
process. Users choose the names of feedback keys, so only the first `MAX_KEYS` have series of their own.
`prometheus-client` renders the text format, whose details (escapes, spellings of numbers) are easy to get wrong. The
plugin has its own registry, so that two plugins in one process do not collide.
"""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
MAX_KEYS = 100
OTHERS = "(others)"
"""The label of feedback keys beyond the first `MAX_KEYS`."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The metrics of one feedback service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._keys: set[str] = set()
        self._counters: dict[tuple[str, str], Counter] = {}
        self._minted_of: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        here = self._registry
        self._minted = Counter("feedback_tokens_minted", "Tokens minted, by family", ["family"], registry=here)
        self._submissions = Counter(
            "feedback_answers", "Submissions by feedback key and result", ["key", "status"], registry=here
        )
        self._refused = Counter("feedback_refusals", "Refused requests", ["status", "code"], registry=here)
        self._seconds = Histogram(
            "feedback_request_seconds",
            "Seconds until the response",
            ["operation"],
            registry=here,
            buckets=BUCKETS,
        )
        self._sent = Counter(
            "feedback_deliveries",
            "Attempts to deliver a message about feedback, by result",
            ["to", "result"],
            registry=here,
        )
        self._outbox = Gauge(
            "feedback_outbox_messages",
            "Messages that are not delivered yet, by state",
            ["state"],
            registry=here,
        )
        self._firing = Gauge("feedback_alerts_firing", "Alerts that fire, by rule", ["rule"], registry=here)
        self._oldest = Gauge("feedback_outbox_oldest_seconds", "Age of the oldest waiting message", registry=here)

    def count_minted(self, family: str, count: int) -> None:
        """Count minted tokens of a family (`presigned`, `workflowai`, `evalguard`)."""
        if (counter := self._minted_of.get(family)) is None:  # `labels` validates them on each call
            self._minted_of[family] = counter = self._minted.labels(family)
        counter.inc(count)

    def count_submission(self, key: str, status: str) -> None:
        """Count a submission for the feedback key: `created`, `updated`, `unchanged`, `retracted` or `deleted`."""
        if key not in self._keys:
            if len(self._keys) >= MAX_KEYS:
                key = OTHERS
            self._keys.add(key)
        if (counter := self._counters.get((key, status))) is None:  # `labels` validates them on each call
            self._counters[key, status] = counter = self._submissions.labels(key, status)
        counter.inc()

    def count_refusal(self, status: int, code: str) -> None:
        """Count an error response with this status and code."""
        self._refused.labels(str(status), code).inc()

    def observe_request(self, operation: str, seconds: float) -> None:
        """Record the seconds that a request to this operation took."""
        if (histogram := self._histograms.get(operation)) is None:
            self._histograms[operation] = histogram = self._seconds.labels(operation)
        histogram.observe(seconds)

    def count_delivery(self, to: str, result: str) -> None:
        """Count a delivery attempt to `webhook` or `opentelemetry`: `taken`, `refused` for now, or `given_up`."""
        self._sent.labels(to, result).inc()

    def set_outbox(self, waiting: int, given_up: int, oldest_seconds: float) -> None:
        """Set the number of messages in the outbox, and the age of the oldest that waits."""
        self._outbox.labels("waiting").set(waiting)
        self._outbox.labels("given_up").set(given_up)
        self._oldest.set(oldest_seconds)

    def set_alerts(self, firing: Mapping[str, int]) -> None:
        """Set how many alerts of each rule fire now."""
        for rule, count in firing.items():
            self._firing.labels(rule).set(count)

    def text(self) -> str:
        """Return the metrics in the Prometheus text format, version 0.0.4."""
        return generate_latest(self._registry).decode()
