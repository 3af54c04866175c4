"""Vitals: how the server does, put together from what this process counts, what the database holds, and what others
have to say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import structlog

from agent_server.database import Database
from agent_server.metrics import Metrics
from agent_server.runs.census import Census, take_census
from agent_server.runs.worker import Worker

log = structlog.get_logger("agent_server")

MetricsText = Callable[[], Awaitable[str]]
"""Gives metrics in the Prometheus text format (0.0.4), with a newline at the end; their names are its own."""


class Vitals:
    """What `GET /metrics` and `GET /ok` tell."""

    def __init__(
        self, database: Database, metrics: Metrics, worker: Worker, others: Sequence[MetricsText] = ()
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._worker = worker
        self._others = others

    async def ask_database(self) -> None:
        """Return where the database answers. Errors: `Unavailable`."""
        await self._database.read(lambda connection: connection.one("SELECT 1 AS alive"))

    async def text(self) -> str:
        """All metrics in the Prometheus text format. Of others that fail the log tells; the rest is there."""
        census = await self._database.read(take_census)
        for name, meaning, value in self._gauges(census):
            self._metrics.found(name, meaning, value)
        return "".join([self._metrics.text(), *[await _text_of(other) for other in self._others]])

    async def document(self) -> dict[str, Any]:
        """The official server's JSON, which has less. Times are in seconds."""
        census = await self._database.read(take_census)
        busy, most = self._worker.busy, self._worker.jobs
        return {
            "queue": {
                "n_pending": census.pending,
                "pending_runs_wait_time_max_secs": census.longest_wait,
                "pending_runs_wait_time_med_secs": census.median_wait,
                "pending_unblocked_runs_wait_time_max_secs": census.longest_unblocked_wait,
                "n_running": census.running,
            },
            "api": {"http_requests_total": self._metrics.requests()},
            "workers": {"max": most, "active": busy, "available": most - busy},
        }

    def _gauges(self, census: Census) -> Iterator[tuple[str, str, float]]:
        busy, most = self._worker.busy, self._worker.jobs
        load = self._database.load()
        yield "lg_api_num_pending_runs", "Runs that wait, of all processes", census.pending
        yield "lg_api_num_running_runs", "Runs at work, of all processes", census.running
        yield "lg_api_pending_runs_wait_time_max", "The longest wait, in seconds", census.longest_wait or 0
        yield "lg_api_pending_runs_wait_time_med", "The median wait, in seconds", census.median_wait or 0
        yield (
            "lg_api_pending_unblocked_runs_wait_time_max",
            "The longest wait of a run whose thread is free, in seconds",
            census.longest_unblocked_wait or 0,
        )
        yield "lg_api_workers_max", "Runs that this process works on at most", most
        yield "lg_api_workers_active", "Runs that this process works on", busy
        yield "lg_api_workers_available", "Runs that this process could take", most - busy
        yield "agent_server_webhooks_waiting", "Webhooks that nobody has taken yet, of all processes", census.webhooks
        yield (
            "agent_server_webhooks_overdue_seconds",
            "How long the webhook that is due the longest is due",
            census.oldest_webhook or 0,
        )
        yield "agent_server_database_connections", "Connections to the database", load.connections
        yield "agent_server_database_connections_idle", "Those of them that nobody uses", load.idle
        yield "agent_server_database_waiting", "Units of work that wait for a connection", load.waiting


async def _text_of(other: MetricsText) -> str:
    try:
        return await other()
    except Exception as error:
        log.warning("metrics_missing", error=type(error).__name__, exc_info=error)
        return ""
