"""Run the measured graphs, or mint URLs, in a process without a server, as often as standard input says.

python -m tests.benchmarks.in_process DIRECTORY      reads lines such as ["memory", 50], prints figures for each
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from uuid_utils import uuid7

from agent_server.database import open_database
from feedback import FeedbackPlugin
from tests.benchmarks.graphs import CHAT_INPUT, TINY_INPUT, TOKENS, chat, tiny

KEYS = ["user_liked", "user_disliked"]
Work = Callable[[], Awaitable[object]]


def _runs(graph: Any) -> Work:
    """Run the one-node graph once, on a new thread if the graph stores threads."""

    async def run() -> None:
        config = {"configurable": {"thread_id": str(uuid7())}}
        async for _ in graph.astream(TINY_INPUT, config, stream_mode=["values"]):
            pass

    return run


def _streams() -> Work:
    graph = chat.compile()

    async def stream() -> None:
        count = 0
        async for _ in graph.astream(CHAT_INPUT, stream_mode="messages"):
            count += 1
        assert count >= TOKENS, count

    return stream


def _mints(feedback: FeedbackPlugin) -> Work:
    async def mint() -> None:
        await feedback.urls_for_run(str(uuid7()), KEYS, "http://127.0.0.1")

    return mint


def _inserts(path: Path) -> Work:
    """Insert one durable row through the driver: the least that a run's URLs cost."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE grants (id INTEGER PRIMARY KEY, run_id TEXT, keys TEXT, expires_at INTEGER)")

    async def insert() -> None:
        row = (str(uuid7()), json.dumps(KEYS), time.time_ns())
        connection.execute("INSERT INTO grants (run_id, keys, expires_at) VALUES (?, ?, ?)", row)

    return insert


async def _measure(work: Work, times: int) -> dict[str, float]:
    """Return CPU time (all threads) and wall time of one of `times` repetitions, in milliseconds and microseconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        await work()
    cpu, wall = (time.process_time() - cpu) / times, (time.perf_counter() - wall) / times
    return {"cpu_ms": cpu * 1e3, "wall_ms": wall * 1e3, "cpu_us": cpu * 1e6, "wall_us": wall * 1e6}


async def _serve(directory: Path) -> None:
    async with AsyncExitStack() as stack:
        saver = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(str(directory / "checkpoints.db")))
        database = open_database(f"sqlite:///{directory / 'feedback.db'}")
        feedback = await stack.enter_async_context(FeedbackPlugin(database).open())
        works = {
            "plain": _runs(tiny.compile()),
            "memory": _runs(tiny.compile(checkpointer=InMemorySaver())),
            "sqlite": _runs(tiny.compile(checkpointer=saver)),
            "tokens": _streams(),
            "mint": _mints(feedback),
            "insert": _inserts(directory / "insert.db"),
        }
        for line in sys.stdin:
            what, times = json.loads(line)
            print(json.dumps(await _measure(works[what], times)), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("LANGSMITH_TRACING", "false")
    uvloop.run(_serve(Path(sys.argv[1])))
