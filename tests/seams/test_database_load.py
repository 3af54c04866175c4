"""A database reports its load, on both kinds."""

from __future__ import annotations

import threading

import anyio

from agent_server.database import Connection, Database


async def test_held_connection_counts_in_the_load(database: Database) -> None:
    before = database.load()
    at_work, go_on = threading.Event(), threading.Event()

    def work(connection: Connection) -> None:
        connection.one("SELECT 1 AS x")
        at_work.set()
        go_on.wait(20)

    async with anyio.create_task_group() as group:
        group.start_soon(database.read, work)
        await anyio.to_thread.run_sync(at_work.wait)
        during = database.load()
        go_on.set()
    assert during.connections - during.idle == before.connections - before.idle + 1
    assert database.load() == before
    assert before.waiting == 0
