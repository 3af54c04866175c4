"""Every database's contract: units are atomic, durable and isolated."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from subprocess import PIPE

import psycopg
import pytest

from agent_server.database import Connection, Database, open_database
from agent_server.errors import Conflict, Unavailable
from tests.seams.counters import add, insert, values


async def test_write_returns_what_its_work_returns(counters: Database) -> None:
    assert await counters.write(insert("c", 7)) == 1
    assert await counters.write(lambda c: c.execute("UPDATE counters SET n = 5")) == 3
    row = await counters.write(lambda c: c.one("UPDATE counters SET n = n + 1 WHERE name = 'c' RETURNING name, n"))
    assert row == {"name": "c", "n": 6}


async def test_query_without_rows_gives_nothing(counters: Database) -> None:
    assert await counters.read(lambda c: c.one("SELECT n FROM counters WHERE name = 'zebra'")) is None
    assert await counters.read(lambda c: c.all("SELECT n FROM counters WHERE name = 'zebra'")) == []
    assert await counters.write(lambda c: c.execute("DELETE FROM counters WHERE name = 'zebra'")) == 0


async def test_tuples_are_all_rows_in_column_order(counters: Database) -> None:
    sql = "SELECT n + 1 AS more, name, CAST(n AS NUMERIC) AS plain FROM counters WHERE n < :n ORDER BY name"
    assert await counters.read(lambda c: c.tuples(sql, n=5)) == [(1, "a", 0), (1, "b", 0)]
    assert await counters.read(lambda c: c.tuples(sql, n=0)) == []
    returned = await counters.write(lambda c: c.tuples("UPDATE counters SET n = 3 WHERE name = 'a' RETURNING n"))
    assert returned == [(3,)]
    assert await counters.read(values) == {"a": 3, "b": 0}


async def test_reading_one_row_does_not_delay_the_commit(counters: Database) -> None:
    row = await counters.write(lambda c: c.one("UPDATE counters SET n = 9 RETURNING n"))
    assert row == {"n": 9}
    assert await counters.read(values) == {"a": 9, "b": 9}


async def test_unit_that_raises_leaves_nothing(counters: Database) -> None:
    def work(c: Connection) -> None:
        add("a")(c)
        add("b")(c)
        raise LookupError("changed my mind")

    with pytest.raises(LookupError, match="changed my mind"):
        await counters.write(work)
    assert await counters.read(values) == {"a": 0, "b": 0}


async def test_unit_that_raises_takes_no_other_back(counters: Database) -> None:
    def spoil(c: Connection) -> None:
        add("b")(c)
        raise LookupError

    units = [counters.write(spoil if number % 10 == 3 else add("a")) for number in range(50)]
    outcomes = await asyncio.gather(*units, return_exceptions=True)
    assert [isinstance(outcome, LookupError) for outcome in outcomes] == [number % 10 == 3 for number in range(50)]
    assert await counters.read(values) == {"a": 45, "b": 0}


async def test_unit_that_swallows_a_failed_statement_fails(counters: Database) -> None:
    def work(c: Connection) -> None:
        add("a")(c)
        with suppress(Conflict):
            insert("b")(c)

    with pytest.raises(Conflict):
        await counters.write(work)
    assert await counters.read(values) == {"a": 0, "b": 0}


async def test_unit_may_convert_a_failed_statement(counters: Database) -> None:
    def work(c: Connection) -> None:
        try:
            insert("b")(c)
        except Conflict as error:
            raise LookupError("b is taken") from error

    with pytest.raises(LookupError, match="b is taken"):
        await counters.write(work)
    assert await counters.write(add("b")) == 1


@pytest.mark.parametrize("verb", ["read", "write"])
async def test_unit_raising_stop_iteration_fails_normally(counters: Database, verb: str) -> None:
    async with asyncio.timeout(20):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await getattr(counters, verb)(lambda _: next(iter(())))
        assert await counters.write(add("a")) == 1


async def test_written_rows_are_visible_to_other_connections(counters: Database, database_url: str) -> None:
    async with open_database(database_url) as other:
        for number in range(1, 11):
            await counters.write(add("a"))
            assert (await other.read(values))["a"] == number


async def test_read_sees_one_view_while_others_write(counters: Database) -> None:
    def work(c: Connection) -> list[dict[str, int]]:
        views = [values(c)]
        asyncio.run_coroutine_threadsafe(counters.write(add("a")), loop).result(20)
        return [*views, values(c)]

    loop = asyncio.get_running_loop()
    first, second = await counters.read(work)
    assert first == second == {"a": 0, "b": 0}
    assert await counters.read(values) == {"a": 1, "b": 0}


async def test_read_refuses_to_write(counters: Database) -> None:
    with pytest.raises((sqlite3.OperationalError, psycopg.errors.ReadOnlySqlTransaction), match=r"read-?only"):
        await counters.read(add("a"))
    assert await counters.read(values) == {"a": 0, "b": 0}
    assert await counters.write(add("a")) == 1


async def test_many_reads_at_a_time_are_all_answered(counters: Database) -> None:
    assert await asyncio.gather(*(counters.read(values) for _ in range(100))) == [{"a": 0, "b": 0}] * 100


async def test_concurrent_increments_are_all_counted(counters: Database) -> None:
    await asyncio.gather(*(counters.write(add("a")) for _ in range(200)))
    assert await counters.read(values) == {"a": 200, "b": 0}


async def test_two_databases_on_one_url_count_together(counters: Database, database_url: str) -> None:
    async with open_database(database_url) as other:
        await asyncio.gather(*((counters if number % 2 else other).write(add("a")) for number in range(200)))
        assert await other.read(values) == {"a": 200, "b": 0}


async def test_units_locking_in_opposite_orders_both_succeed(counters: Database) -> None:
    def both(*names: str) -> Callable[[Connection], None]:
        def work(c: Connection) -> None:
            for name in names:
                add(name)(c)
                time.sleep(0.1)  # long enough for the other to take its first

        return work

    await asyncio.gather(*(counters.write(both(*order)) for order in [("a", "b"), ("b", "a")]))
    assert await counters.read(values) == {"a": 2, "b": 2}


async def test_row_that_exists_is_a_conflict(counters: Database) -> None:
    with pytest.raises(Conflict, match="exists already"):
        await counters.write(insert("a"))
    await counters.write(lambda c: c.execute("CREATE UNIQUE INDEX one_row_with_n ON counters (n) WHERE n > 0"))
    await counters.write(add("a"))
    with pytest.raises(Conflict, match="exists already"):
        await counters.write(add("b"))


async def test_programming_error_is_raised_unchanged(counters: Database) -> None:
    with pytest.raises((sqlite3.OperationalError, psycopg.ProgrammingError), match="nonsense"):
        await counters.read(lambda c: c.one("SELECT nonsense FROM counters"))
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        await counters.write(lambda c: c.execute("INSERT INTO counters (name, n) VALUES ('c', NULL)"))


async def test_cancelled_callers_harm_no_others(counters: Database) -> None:
    async with asyncio.timeout(20):
        calls = [asyncio.create_task(counters.write(add("a"))) for _ in range(100)]
        await asyncio.sleep(0)
        for call in calls[::2]:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert [call.result() for call in calls[1::2]] == [1] * 50
        assert 50 <= (await counters.read(values))["a"] <= 100
        reads = [asyncio.create_task(counters.read(values)) for _ in range(20)]
        await asyncio.sleep(0)
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
        assert await counters.write(add("b")) == 1
        assert (await counters.read(values))["b"] == 1


async def test_closing_waits_for_what_was_asked_before(counters: Database, database_url: str) -> None:
    async with open_database(database_url) as closing:
        calls = [asyncio.create_task(closing.write(add("a"))) for _ in range(100)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*calls) == [1] * 100
    assert await counters.read(values) == {"a": 100, "b": 0}


async def test_closed_database_says_so(database_url: str) -> None:
    database = open_database(database_url)
    for verb in (database.read, database.write):
        with pytest.raises(Unavailable, match="closed"):
            await verb(values)
    async with database:
        pass
    for verb in (database.read, database.write):
        with pytest.raises(Unavailable, match="closed"):
            await verb(values)


def test_url_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="sqlite:/// or postgresql://"):
        open_database("mysql://user:secret@host/name")
    with pytest.raises(ValueError, match="is a file"):
        open_database("sqlite:///")


KILLED = """
import asyncio, sys
from agent_server.database import open_database

async def main():
    async with open_database(sys.argv[1]) as database:
        async def write(number):
            sql = "INSERT INTO counters (name, n) VALUES (:name, 0)"
            await database.write(lambda c: c.execute(sql, name=f"row {number}"))
            print(f"row {number}", flush=True)
        for first in range(0, 10**9, 16):
            await asyncio.gather(*(write(first + number) for number in range(16)))

asyncio.run(main())
"""


async def test_acknowledged_rows_survive_a_kill(counters: Database, database_url: str) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, database_url, stdout=PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(40):
        try:
            acknowledged = [await process.stdout.readline() for _ in range(500)]
        finally:
            process.kill()
        acknowledged += (await process.stdout.read()).splitlines(keepends=True)
        await process.wait()
    names = [line.decode().strip() for line in acknowledged if line.endswith(b"\n")]  # the last line may be incomplete
    assert len(names) >= 500
    assert set(names) <= set(await counters.read(values))
