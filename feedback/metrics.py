"""Metrics: what one process has minted, taken and refused, as Prometheus reads it.

Counts are this process's own; what lies in the database (the outbox, alerts) is looked up when they are read, and is
the same from every process. Names of feedback keys are whatever people chose, so only the first `MAX_KEYS` that come
are told apart. `prometheus-client` renders them: the text format has corners (escapes, spellings of numbers) that are
not worth an own attempt. The registry is the plugin's own, so that two in one process do not meet.
"""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
MAX_KEYS = 100
OTHERS = "(others)"
"""What the keys beyond the first `MAX_KEYS` are counted as."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """Counts what one feedback service does."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._keys: set[str] = set()
        self._counters: dict[tuple[str, str], Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        here = self._registry
        self._minted = Counter("feedback_tokens_minted", "Tokens that were minted", ["family"], registry=here)
        self._answers = Counter(
            "feedback_answers", "What became of answers, by feedback key", ["key", "status"], registry=here
        )
        self._refused = Counter("feedback_refusals", "Requests that were refused", ["status", "code"], registry=here)
        self._seconds = Histogram(
            "feedback_request_seconds", "How long requests took", ["operation"], registry=here, buckets=BUCKETS
        )
        self._sent = Counter(
            "feedback_deliveries",
            "Attempts to deliver a message about an answer, by what came of them",
            ["to", "result"],
            registry=here,
        )
        self._outbox = Gauge(
            "feedback_outbox_messages", "Messages that are not delivered yet", ["state"], registry=here
        )
        self._firing = Gauge("feedback_alerts_firing", "Alerts that fire now, by rule", ["rule"], registry=here)
        self._oldest = Gauge("feedback_outbox_oldest_seconds", "Age of the oldest message that waits", registry=here)

    def minted(self, family: str, count: int) -> None:
        """So many tokens of a family (`presigned`, `workflowai`, `evalguard`) were minted."""
        self._minted.labels(family).inc(count)

    def answered(self, key: str, status: str) -> None:
        """An answer for this key was `created`, `updated`, found `unchanged`, `retracted` or `deleted`."""
        if key not in self._keys:
            if len(self._keys) >= MAX_KEYS:
                key = OTHERS
            self._keys.add(key)
        if (counter := self._counters.get((key, status))) is None:  # `labels` checks them all over again
            self._counters[key, status] = counter = self._answers.labels(key, status)
        counter.inc()

    def refused(self, status: int, code: str) -> None:
        """A request was answered with this status, which is an error's, and its code."""
        self._refused.labels(str(status), code).inc()

    def took(self, operation: str, seconds: float) -> None:
        """A request to this operation was answered after so many seconds."""
        if (histogram := self._histograms.get(operation)) is None:
            self._histograms[operation] = histogram = self._seconds.labels(operation)
        histogram.observe(seconds)

    def delivered(self, to: str, result: str) -> None:
        """A message to `webhook` or `opentelemetry` was `taken`, `refused` for now, or `given_up`."""
        self._sent.labels(to, result).inc()

    def found(self, waiting: int, given_up: int, oldest_seconds: float) -> None:
        """So many messages are in the outbox now."""
        self._outbox.labels("waiting").set(waiting)
        self._outbox.labels("given_up").set(given_up)
        self._oldest.set(oldest_seconds)

    def alerts(self, firing: Mapping[str, int]) -> None:
        """So many alerts of each rule fire now."""
        for rule, count in firing.items():
            self._firing.labels(rule).set(count)

    def text(self) -> str:
        """All of it in the Prometheus text format, version 0.0.4."""
        return generate_latest(self._registry).decode()
