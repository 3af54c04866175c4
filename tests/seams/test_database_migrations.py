"""Migrations run once each, in order, all or none."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import psycopg
import pytest

from agent_server.database import Database, open_database
from agent_server.errors import Conflict
from tests.seams.counters import COUNTERS, Package, add, values


async def test_migrations_run_in_order_and_once(database: Database, package: Package) -> None:
    name = package({"0002_more.sql": "INSERT INTO counters (name, n) VALUES ('c', 2);", "0001_counters.sql": COUNTERS})
    await database.migrate(name)
    await database.migrate(name)
    package({"0010_last.sql": "UPDATE counters SET n = n + 1;"})
    await database.migrate(name)
    await database.migrate(name)
    assert await database.read(values) == {"a": 1, "b": 1, "c": 3}
    rows = await database.read(lambda c: c.all("SELECT * FROM schema_migrations ORDER BY version"))
    assert [(row["package"], row["version"]) for row in rows] == [(name, 1), (name, 2), (name, 10)]
    assert all(abs(row["applied_at"] - time.time() * 1e6) < 60e6 for row in rows)


async def test_many_openers_at_a_time_migrate_once(database_url: str, package: Package) -> None:
    name = package({"0001_counters.sql": COUNTERS, "0002_more.sql": "UPDATE counters SET n = n + 1;"})

    async def start() -> None:
        async with open_database(database_url) as database:
            await database.migrate(name)
            await database.write(add("a"))

    await asyncio.gather(*(start() for _ in range(8)))
    async with open_database(database_url) as database:
        assert await database.read(values) == {"a": 9, "b": 1}


async def test_failed_migration_leaves_the_database_unchanged(database: Database, package: Package) -> None:
    name = package({"0001_counters.sql": COUNTERS, "0002_wrong.sql": "UPDATE counters SET n = 1;\nNONSENSE;\n"})
    with pytest.raises((sqlite3.OperationalError, psycopg.errors.SyntaxError), match="NONSENSE"):
        await database.migrate(name)
    package({"0002_wrong.sql": "UPDATE counters SET n = 2;"})
    await database.migrate(name)
    assert await database.read(values) == {"a": 2, "b": 2}


async def test_two_packages_number_their_migrations_apart(
    counters: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "another_package" / "migrations" / counters.dialect
    folder.mkdir(parents=True)
    (folder / "0001_others.sql").write_text("CREATE TABLE others (id TEXT);")
    monkeypatch.syspath_prepend(str(tmp_path))
    await counters.migrate("another_package")
    assert await counters.read(lambda c: c.all("SELECT id FROM others")) == []


async def test_database_of_a_newer_program_is_refused(database: Database, package: Package) -> None:
    name = package({"0001_counters.sql": COUNTERS, "0002_more.sql": "SELECT 1;"})
    await database.migrate(name)
    await database.write(lambda c: c.execute("INSERT INTO schema_migrations VALUES (:name, 3, 0)", name=name))
    with pytest.raises(Conflict, match=rf"version 3 of the tables of {name}, this program knows 2"):
        await database.migrate(name)


async def test_package_without_usable_migrations_is_refused(database: Database, package: Package) -> None:
    name = package({"readme.txt": "nothing here"})
    with pytest.raises(ValueError, match=r"NNNN_name\.sql"):
        await database.migrate(name)
    package({"0001_one.sql": "SELECT 1;", "0001_another.sql": "SELECT 1;"})
    with pytest.raises(ValueError, match="number of its own"):
        await database.migrate(name)


async def test_migration_may_have_comments_and_triggers(sqlite_url: str, package: Package) -> None:
    script = """-- first; the table;
        CREATE TABLE counters (name TEXT PRIMARY KEY, n BIGINT NOT NULL DEFAULT 1); -- done;
        CREATE TRIGGER doubled AFTER INSERT ON counters BEGIN
            UPDATE counters SET n = n * 2 WHERE name = NEW.name;
            UPDATE counters SET n = n + 1 WHERE name = NEW.name;
        END;
        INSERT INTO counters (name) VALUES ('semi;
        colon');
        -- the end"""
    async with open_database(sqlite_url) as database:
        await database.migrate(package({"0001_trigger.sql": script}))
        assert list((await database.read(values)).values()) == [3]
