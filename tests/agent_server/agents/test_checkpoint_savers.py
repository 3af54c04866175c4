"""The checkpoint savers pass LangGraph's conformance suite and share one format with LangGraph's own savers."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, closing, nullcontext
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from agent_server.agents import Lease, write_under
from agent_server.agents.checkpoints import sqlite_move
from agent_server.agents.checkpoints.opening import open_checkpointer
from agent_server.config import Config
from agent_server.errors import Unavailable
from tests.agent_server.backend import open_backend
from tests.agent_server.graphs import nested_asking, nested_chat


@asynccontextmanager
async def opened(database_url: str, tmp_path: Path) -> AsyncIterator[Any]:
    """Open this server's saver."""
    postgres = database_url if database_url.startswith("postgres") else None
    async with open_checkpointer(Config(tmp_path, data_dir=tmp_path, database_url=postgres)) as saver:
        yield saver


@asynccontextmanager
async def langgraphs_own(database_url: str, tmp_path: Path) -> AsyncIterator[BaseCheckpointSaver[str]]:
    """Open LangGraph's saver on the same tables."""
    if database_url.startswith("postgres"):
        async with AsyncPostgresSaver.from_conn_string(database_url) as saver:
            yield saver
    else:
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "runs.db")) as sqlite:
            yield sqlite


@pytest.mark.parametrize("writes", ["deferred", "leased", "free"])
async def test_saver_conforms_to_langgraphs_suite(database_url: str, tmp_path: Path, writes: str) -> None:
    async with opened(database_url, tmp_path) as saver, open_backend(database_url) as backend:

        @checkpointer_test(name="ours")
        async def ours() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
            yield saver

        await backend.run(None)
        claim = await backend.claim_one()

        async def renew() -> float:
            return await backend.runs.renew_one(claim)

        lease = Lease(claim.run.run_id, claim.lease_token, claim.leased_until, renew, lambda: None)
        if writes == "deferred":
            lease.defer_writes()
        with nullcontext() if writes == "free" else write_under(lease):
            report = await validate(ours)
    failures = [failure for result in report.results.values() for failure in result.failures]
    assert failures == []
    assert sum(result.passed is True for result in report.results.values()) >= 7


@pytest.mark.parametrize("writer", ["ours", "langgraph's"])
async def test_savers_read_each_others_databases(database_url: str, tmp_path: Path, writer: str) -> None:
    config: Any = {"configurable": {"thread_id": "one"}}
    other: Any = {"configurable": {"thread_id": "two"}}
    async with opened(database_url, tmp_path) as ours, langgraphs_own(database_url, tmp_path) as langgraphs:
        saver = ours if writer == "ours" else langgraphs
        await nested_asking.copy({"checkpointer": saver}).ainvoke({"x": 1}, config)
        await nested_chat.copy({"checkpointer": saver}).ainvoke({"messages": ["hello"]}, other)
        for at in (config, other):
            by_ours = [one async for one in ours.alist(at)]
            by_langgraphs = [one async for one in langgraphs.alist(at)]
            assert by_ours == by_langgraphs
            assert by_ours
            assert await ours.aget_tuple(at) == await langgraphs.aget_tuple(at)


VALUES = ["a\x00b", float("inf"), "x" * 10_000, 0, None, b"\x00", [1], {"a": "\x00"}]


@pytest.mark.parametrize("value", VALUES)
async def test_saver_keeps_every_value(database_url: str, tmp_path: Path, value: Any) -> None:
    at: Any = {"configurable": {"thread_id": "one", "checkpoint_ns": ""}}
    checkpoint: Any = {"v": 4, "id": "1f000000-0000-6000-8000-000000000001", "ts": "2026-11-29T00:00:00+00:00"}
    version = "00000000000000000000000000000001.1"
    checkpoint |= {"channel_values": {"x": value}, "channel_versions": {"x": version}, "versions_seen": {}}
    async with opened(database_url, tmp_path) as saver:
        await saver.aput(at, checkpoint, {"step": 1, "source": "loop"}, {"x": version})
        stored = await saver.aget_tuple(at)
    assert stored.checkpoint["channel_values"] == {"x": value}


class Text(str):
    """A string of a type of its own."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "read"), [(Text("a"), "a"), (10**40, 10**40), ("a\ud800b", "ab"), ("é", "é"), (1.5, 1.5), (True, True)]
)
async def test_sqlite_saver_keeps_every_metadata(tmp_path: Path, value: Any, read: Any) -> None:
    checkpoint: Any = {"v": 4, "id": "1f000000-0000-6000-8000-000000000001", "ts": "2026-11-29T00:00:00+00:00"}
    checkpoint |= {"channel_values": {}, "channel_versions": {}, "versions_seen": {}}
    about: Any = {"step": 1, "source": "loop", "parents": {"": "x"}, "mine": value}
    async with opened("sqlite", tmp_path) as ours, langgraphs_own("sqlite", tmp_path) as langgraphs:
        await ours.aput(_at("one"), checkpoint, about, {})
        for saver in (ours, langgraphs):
            stored = await saver.aget_tuple(_at("one"))
            assert stored is not None
            assert stored.metadata == {**about, "mine": read}
            assert [one async for one in saver.alist(_at("one"), filter={"step": 1})] == [stored]


async def test_new_thread_is_not_read_before_first_checkpoint(database_url: str, tmp_path: Path) -> None:
    chat = nested_chat.copy({})
    async with opened(database_url, tmp_path) as saver, open_backend(database_url) as backend:
        chat.checkpointer = saver
        for thread_id in ("new", "other"):  # a real new thread has no checkpoint that could be overlooked
            await chat.ainvoke({"messages": ["hello"]}, _at(thread_id))
        await backend.run(None)
        claim = await backend.claim_one()
        lease = Lease(
            claim.run.run_id,
            claim.lease_token,
            claim.leased_until,
            lambda: backend.runs.renew_one(claim),
            lambda: None,
        )
        lease.empty_thread = "new"
        with write_under(lease):
            assert await saver.aget_tuple(_at("new")) is None
            assert await saver.aget_tuple(_at("other")) is not None
            await chat.ainvoke({"messages": ["hello"]}, _at("new"))
            assert await saver.aget_tuple(_at("new")) is not None


async def _write_former_file(tmp_path: Path) -> Path:
    """Write checkpoints of two threads to a file of their own, as earlier versions did."""
    former = tmp_path / "checkpoints.db"
    async with AsyncSqliteSaver.from_conn_string(str(former)) as saver:
        await nested_asking.copy({"checkpointer": saver}).ainvoke({"x": 1}, _at("one"))
        await nested_chat.copy({"checkpointer": saver}).ainvoke({"messages": ["hello"]}, _at("two"))
    return former


@pytest.mark.parametrize("was_interrupted", [False, True])
async def test_former_file_of_checkpoints_is_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was_interrupted: bool
) -> None:
    monkeypatch.setattr(sqlite_move, "ROWS_A_COMMIT", 2)
    former = await _write_former_file(tmp_path)
    if was_interrupted:
        copied = former.read_bytes()
        async with opened("sqlite", tmp_path):
            pass
        former.write_bytes(copied)
    async with AsyncSqliteSaver.from_conn_string(str(former)) as saver:
        before = await _list(saver)
    async with opened("sqlite", tmp_path) as saver:
        assert not former.exists()
        assert await _list(saver) == before
    assert len(before) > 4


async def _list(saver: Any) -> list[Any]:
    return [one async for one in saver.alist(None)]


async def test_former_file_that_is_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoints.db").write_bytes(b"this is no database " * 100)
    with pytest.raises(Unavailable, match=r"checkpoints\.db could not be moved .*runs\.db.*: file is not a database"):
        async with opened("sqlite", tmp_path):
            pass


async def test_former_file_may_lack_later_columns(tmp_path: Path) -> None:
    former = await _write_former_file(tmp_path)
    with closing(sqlite3.connect(former)) as raw:
        raw.execute("ALTER TABLE writes DROP COLUMN task_path")
        count = raw.execute("SELECT COUNT(*) FROM writes").fetchone()
    async with opened("sqlite", tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "runs.db")) as raw:
        assert raw.execute("SELECT COUNT(*) FROM writes WHERE task_path = ''").fetchone() == count


def _at(thread_id: str) -> Any:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
