"""Server metrics: counts of this process, statistics from the database, and metrics of other modules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, cast

import structlog
from msgspec import Struct

from agent_server.database import Connection, Database, Row
from agent_server.observability.metrics import Metrics
from agent_server.runs.worker import Worker


class QueueStats(Struct):
    """Pending and running work; times in seconds, None where nothing waits."""

    pending: int
    running: int
    longest_wait: float | None
    median_wait: float | None
    ready: int
    """Runs that wait only for a worker: they are due, and their thread is free."""
    longest_unblocked_wait: float | None
    """How long the oldest of these has waited."""
    webhooks: int
    oldest_webhook: float | None
    """How long the longest overdue webhook has been due."""


def read_queue_stats(connection: Connection) -> QueueStats:
    """Return current statistics. Each count reads an index of active runs, never all runs."""
    row = cast(Row, connection.one(_COUNTS))
    middle = connection.one(_MIDDLE, offset=(row["due"] - 1) // 2) if row["due"] else None

    def compute_age(moment: int | None) -> float | None:
        return None if moment is None else max(row["now"] - moment, 0) / 1_000_000

    return QueueStats(
        pending=row["pending"],
        running=row["running"],
        longest_wait=compute_age(row["first"]),
        median_wait=compute_age(middle["start_at"]) if middle else None,
        ready=row["ready"],
        longest_unblocked_wait=compute_age(row["first_unblocked"]),
        webhooks=row["webhooks"],
        oldest_webhook=compute_age(row["first_webhook"]),
    )


_COUNTS = """
    SELECT now_us() AS now,
    (SELECT COUNT(*) FROM runs WHERE status = 'pending') AS pending,
    (SELECT COUNT(*) FROM runs WHERE status = 'pending' AND start_at <= now_us()) AS due,
    (SELECT COUNT(*) FROM runs WHERE status = 'running') AS running,
    (SELECT MIN(start_at) FROM runs WHERE status = 'pending' AND start_at <= now_us()) AS first,
    free.ready, free.first_unblocked,
    (SELECT COUNT(*) FROM webhooks) AS webhooks,
    (SELECT MIN(due_at) FROM webhooks WHERE due_at <= now_us()) AS first_webhook
    FROM (SELECT COUNT(*) AS ready, MIN(next.start_at) AS first_unblocked
        FROM runs AS next WHERE next.status = 'pending' AND next.start_at <= now_us()
        AND NOT EXISTS (SELECT 1 FROM runs AS other WHERE other.thread_id = next.thread_id AND other.status = 'running')
    ) AS free"""

_MIDDLE = """
    SELECT start_at FROM runs WHERE status = 'pending' AND start_at <= now_us()
    ORDER BY start_at DESC, run_id DESC LIMIT 1 OFFSET :offset"""


log = structlog.get_logger("agent_server")

MetricsText = Callable[[], Awaitable[str]]
"""Returns metrics in the Prometheus text format (0.0.4) with a trailing newline, under its own names."""


class ServerMetrics:
    """The metrics of `GET /metrics`."""

    def __init__(
        self, database: Database, metrics: Metrics, worker: Worker, others: Sequence[MetricsText] = ()
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._worker = worker
        self._others = others
        self.draining = False
        """Whether the process is about to stop and claims no more runs."""

    async def text(self) -> str:
        """Return all metrics in the Prometheus text format. Failing sources are logged and left out."""
        queue_stats = await self._database.read(read_queue_stats)
        for name, meaning, value in self._gauges(queue_stats):
            self._metrics.set_gauge(name, meaning, value)
        return "".join([self._metrics.text(), *[await _read_text(other) for other in self._others]])

    async def document(self) -> dict[str, Any]:
        """Return the official server's JSON, which has fewer metrics. Times are in seconds."""
        queue_stats = await self._database.read(read_queue_stats)
        busy, most = self._worker.busy, self._worker.jobs
        return {
            "queue": {
                "n_pending": queue_stats.pending,
                "pending_runs_wait_time_max_secs": queue_stats.longest_wait,
                "pending_runs_wait_time_med_secs": queue_stats.median_wait,
                "pending_unblocked_runs_wait_time_max_secs": queue_stats.longest_unblocked_wait,
                "n_running": queue_stats.running,
            },
            "api": {"http_requests_total": self._metrics.requests()},
            "workers": {"max": most, "active": busy, "available": most - busy},
        }

    def _gauges(self, queue_stats: QueueStats) -> Iterator[tuple[str, str, float]]:
        busy, most = self._worker.busy, self._worker.jobs
        load = self._database.load()
        yield "lg_api_num_pending_runs", "Runs that wait, of all processes", queue_stats.pending
        yield "lg_api_num_running_runs", "Runs at work, of all processes", queue_stats.running
        yield "lg_api_pending_runs_wait_time_max", "The longest wait, in seconds", queue_stats.longest_wait or 0
        yield "lg_api_pending_runs_wait_time_med", "The median wait, in seconds", queue_stats.median_wait or 0
        yield (
            "lg_api_pending_unblocked_runs_wait_time_max",
            "The longest wait of a run whose thread is free, in seconds",
            queue_stats.longest_unblocked_wait or 0,
        )
        yield "agent_server_queue_depth", "Runs that wait for nothing but a worker, of all processes", queue_stats.ready
        yield (
            "agent_server_queue_age_seconds",
            "How long the oldest run waits that waits for nothing but a worker",
            queue_stats.longest_unblocked_wait or 0,
        )
        yield "lg_api_workers_max", "Runs that this process works on at most", most
        yield "lg_api_workers_active", "Runs that this process works on", busy
        yield "lg_api_workers_available", "Runs that this process could take", most - busy
        yield (
            "agent_server_webhooks_waiting",
            "Webhooks that are waiting, of all processes",
            queue_stats.webhooks,
        )
        yield (
            "agent_server_webhooks_overdue_seconds",
            "How long the webhook that is due the longest is due",
            queue_stats.oldest_webhook or 0,
        )
        yield "agent_server_database_connections", "Connections to the database", load.connections
        yield "agent_server_database_connections_idle", "Idle ones of them", load.idle
        yield "agent_server_database_waiting", "Units of work that wait for a connection", load.waiting


async def _read_text(other: MetricsText) -> str:
    try:
        return await other()
    except Exception as error:
        log.warning("metrics_missing", error=type(error).__name__, exc_info=error)
        return ""
