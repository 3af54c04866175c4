"""SQLite beyond the common contract: shared commits, and a file that may fail."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from agent_server.database.sqlite import BATCH, COMMITS_BEFORE_LOG, READERS, SqliteDatabase
from agent_server.errors import Unavailable
from tests.seams.counters import COUNTERS, Package, add, insert, values


async def test_sqlite_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "garbage.db").write_bytes(b"this is no database " * 100)
    for path in ("file/test.db", "garbage.db", "."):
        with pytest.raises(Unavailable, match=str(tmp_path)):
            async with SqliteDatabase(str(tmp_path / path)):
                pass


async def test_sqlite_writers_at_a_time_share_commits(sqlite_url: str, package: Package) -> None:
    async with SqliteDatabase(sqlite_url.removeprefix("sqlite:///")) as database:
        await database.migrate(package({"0001_counters.sql": COUNTERS}))
        before = database.commits
        await asyncio.gather(*(database.write(insert(f"row {number}")) for number in range(500)))
        assert database.commits - before <= 500 // BATCH + 2
        assert len(await database.read(values)) == 502


async def test_sqlite_commit_waits_for_requests_that_arrived(sqlite_url: str, package: Package) -> None:
    async with SqliteDatabase(sqlite_url.removeprefix("sqlite:///")) as database:
        await database.migrate(package({"0001_counters.sql": COUNTERS}))
        before = database.commits

        async def write_after(turns: int) -> None:
            for _ in range(turns):  # of the event loop, as from a request's bytes to its unit
                await asyncio.sleep(0)
            await database.write(add("a"))

        await asyncio.gather(*(write_after(turns) for turns in range(4)))
        assert (database.commits - before, await database.read(values)) == (1, {"a": 4, "b": 0})


async def test_sqlite_lock_fails_every_unit_of_the_commit(
    sqlite_url: str, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent_server.database.sqlite_connection.BUSY_SECONDS", 0.05)
    path = sqlite_url.removeprefix("sqlite:///")
    async with SqliteDatabase(path) as database:
        await database.migrate(package({"0001_counters.sql": COUNTERS}))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        outcomes = await asyncio.gather(*(database.write(add("a")) for _ in range(10)), return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == ["the database does not respond: database is locked"] * 10
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        assert await database.read(values) == {"a": 0, "b": 0}
        other.close()
        assert await database.write(add("a")) == 1


async def test_sqlite_full_disk_rolls_back_every_unit(sqlite_url: str, package: Package) -> None:
    async with SqliteDatabase(sqlite_url.removeprefix("sqlite:///")) as database:
        await database.migrate(package({"0001_counters.sql": COUNTERS}))
        pages = await database.write(lambda c: c.one("PRAGMA page_count"))
        assert pages is not None
        await database.write(lambda c: c.one(f"PRAGMA max_page_count = {pages['page_count']}"))
        outcomes = await asyncio.gather(
            database.write(add("a")), database.write(insert("x" * 100_000)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
        assert await database.read(values) == {"a": 0, "b": 0}
        assert await database.write(add("a")) == 1


def _count_after_crash(path: str, tmp_path: Path) -> int:
    """Return the counter `a` as a new process finds it, from a copy of the files as a crash leaves them."""
    crashed = tmp_path / "crashed.db"
    for ending in ("", "-wal"):
        shutil.copyfile(f"{path}{ending}", f"{crashed}{ending}")
    with sqlite3.connect(crashed) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("SELECT name FROM sqlite_master WHERE name LIKE 'space%'").fetchall() == []
        (count,) = raw.execute("SELECT n FROM counters WHERE name = 'a'").fetchone()
    raw.close()
    return int(count)


def _size(path: str) -> int:
    return Path(path).stat().st_size


async def test_sqlite_lengthens_its_log_once(sqlite_url: str, package: Package, tmp_path: Path) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    async with SqliteDatabase(path) as database:
        await database.migrate(package({"0001_counters.sql": COUNTERS}))
        sizes, counts = set(), []
        for number in range(1, COMMITS_BEFORE_LOG + 21):
            await database.write(add("a"))
            if number > COMMITS_BEFORE_LOG:
                sizes.add(_size(f"{path}-wal"))
                counts.append(_count_after_crash(path, tmp_path) == number)
        assert len(sizes) == 1, "commits lengthen the log"
        assert min(sizes) > 12_000_000
        assert all(counts)
        assert _size(path) < 100_000


async def test_sqlite_works_where_its_log_cannot_grow(sqlite_url: str, package: Package) -> None:
    async with SqliteDatabase(sqlite_url.removeprefix("sqlite:///")) as database:
        await database.migrate(package({"0001_counters.sql": COUNTERS}))
        await database.write(lambda c: c.one("PRAGMA max_page_count = 20"))
        for _ in range(COMMITS_BEFORE_LOG + 5):
            await database.write(add("a"))
        assert await database.read(values) == {"a": COMMITS_BEFORE_LOG + 5, "b": 0}


async def test_sqlite_runs_units_in_its_connections_threads(sqlite_url: str) -> None:
    """Guards the only use of a private member of aiosqlite, `Connection._execute`."""
    async with SqliteDatabase(sqlite_url.removeprefix("sqlite:///")) as database:
        writers = {await database.write(lambda _: threading.get_ident()) for _ in range(5)}
        readers = await asyncio.gather(*(database.read(lambda _: threading.get_ident()) for _ in range(20)))
    assert len(writers) == 1
    assert len({*writers, *readers, threading.get_ident()}) == 2 + READERS


async def test_other_event_loop_is_refused(sqlite_url: str) -> None:
    async with SqliteDatabase(sqlite_url.removeprefix("sqlite:///")) as database:

        def use_elsewhere() -> None:
            asyncio.run(database.read(lambda connection: connection.one("SELECT 1 AS one")))

        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            await asyncio.to_thread(use_elsewhere)
