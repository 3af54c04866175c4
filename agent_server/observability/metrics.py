"""Prometheus metrics: counts of this process, and the last state read from the database.

Metrics that the official server has, too, keep its names (`lg_api_…`, as in langgraph-api 0.16.7), so that dashboards
move over; all others begin with `agent_server_`. Counts are per process. The registry belongs to the app, so that two
apps in one process do not conflict.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LONG = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


class Requests(Struct):
    """The number of requests with the same method, path and status."""

    method: str
    path: str
    """The route's path, with the names of its parameters."""
    status: int
    count: int


Labelled = TypeVar("Labelled", Counter, Histogram)


def _find_child(metric: Labelled, *values: str) -> Labelled:
    """Return the part of the metric with these labels. The metric keeps it, too, but takes long to find it."""
    return metric.labels(*values)


class Metrics:
    """Counts the work of one server process."""

    def __init__(self) -> None:
        here = self._registry = CollectorRegistry()
        ProcessCollector(registry=here)
        self._ended = Counter(
            "agent_server_runs_ended", "Runs that ended in this process, by status", ["status"], registry=here
        )
        self._waited = Histogram(
            "agent_server_queue_seconds", "Seconds that runs waited for a worker", registry=here, buckets=QUICK
        )
        self._first_event = Histogram(
            "agent_server_first_event_seconds",
            "Seconds from a run's start time to the first event of its agent",
            ["graph_id"],
            registry=here,
            buckets=QUICK,
        )
        self._worked = Histogram(
            "agent_server_run_seconds", "Seconds that attempts at runs took", ["graph_id"], registry=here, buckets=LONG
        )
        self._streams = Gauge("agent_server_open_streams", "Open event streams", registry=here)
        self._crons = Counter(
            "agent_server_cron_firings",
            "Crons that were due, by result",
            ["result"],
            registry=here,
        )
        self._webhooks = Counter(
            "agent_server_webhook_deliveries", "Attempts to deliver webhooks, by result", ["result"], registry=here
        )
        self._requests = Counter(
            "lg_api_http_requests", "Responses, by method, path and status", ["method", "path", "status"], registry=here
        )
        self._latency = Histogram(
            "lg_api_http_requests_latency_seconds",
            "Seconds from a request to the first byte of its response",
            ["method", "path"],
            registry=here,
            buckets=QUICK,
        )
        self._gauges: dict[str, Gauge] = {}
        self._label = lru_cache(maxsize=None)(_find_child)

    def observe_wait(self, seconds: float) -> None:
        """Record how many seconds after its start time a run's first attempt began."""
        self._waited.observe(seconds)

    def observe_first_event(self, graph_id: str, seconds: float) -> None:
        """Record how many seconds after its start time a run's agent sent its first event."""
        self._label(self._first_event, graph_id).observe(seconds)

    def observe_attempt(self, graph_id: str, seconds: float) -> None:
        """Record how many seconds an attempt at a run took."""
        self._label(self._worked, graph_id).observe(seconds)

    def count_ended_run(self, status: str) -> None:
        """Record that a run ended with this status, or was rolled back (`rollback`)."""
        self._label(self._ended, status).inc()

    def count_cron(self, result: str) -> None:
        """Record that a cron `fired`, was `skipped` (its thread was busy), or `disabled` (its run is impossible)."""
        self._crons.labels(result).inc()

    def count_webhook(self, result: str) -> None:
        """Record that a webhook was `taken`, `refused` for now, or `given_up`."""
        self._webhooks.labels(result).inc()

    def count_response(self, method: str, path: str, status: int, seconds: float) -> None:
        """Record the status of a response, and how many seconds it took to begin."""
        self._label(self._requests, method, path, str(status)).inc()
        self._label(self._latency, method, path).observe(seconds)

    def open_stream(self) -> None:
        """Count one more open event stream."""
        self._streams.inc()

    def close_stream(self) -> None:
        """Count one open event stream less."""
        self._streams.dec()

    def set_gauge(self, name: str, meaning: str, value: float) -> None:
        """Set the values read outside of this process, for the next `text`."""
        gauge = self._gauges.get(name)
        if gauge is None:
            gauge = self._gauges[name] = Gauge(name, meaning, registry=self._registry)
        gauge.set(value)

    def requests(self) -> list[Requests]:
        """Return the counts of requests, by method, path and status."""
        return [
            Requests(one.labels["method"], one.labels["path"], int(one.labels["status"]), int(one.value))
            for family in self._requests.collect()
            for one in family.samples
            if one.name.endswith("_total")
        ]

    def text(self) -> str:
        """Return all metrics in the Prometheus text format, version 0.0.4."""
        return generate_latest(self._registry).decode()
