"""The store in a SQLite file of its own."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from math import sqrt
from operator import mul
from pathlib import Path
from typing import Any

import aiosqlite
import orjson
from langgraph.store.base import IndexConfig, Op, PutOp, Result, SearchOp, TTLConfig
from langgraph.store.sqlite.aio import AsyncSqliteStore

from agent_server.agents.stores.fenced import FencedStore
from agent_server.agents.stores.filters import COMPARED, add_operators
from agent_server.config import StoreTtl
from agent_server.database.private_files import make_private
from agent_server.errors import Unavailable

EXTENSIBLE = hasattr(sqlite3.Connection, "enable_load_extension")


class VectorConnection(sqlite3.Connection):
    """A connection that LangGraph's store can load sqlite-vec into, or that computes the store's vector functions in
    Python, about ten times slower."""

    if not EXTENSIBLE:

        def enable_load_extension(self, enable: bool, /) -> None:  # nothing is loaded
            pass

        def load_extension(self, name: str, /, **_options: object) -> None:  # noqa: ARG002
            self.create_function("vec_distance_cosine", 2, cosine_distance, deterministic=True)


def cosine_distance(one: bytes, other: bytes) -> float:
    """Return 1 minus the cosine similarity of two vectors of 32-bit floats, as sqlite-vec does; 1 for a zero vector."""
    a, b = array("f", one), array("f", other)
    if len(a) != len(b):
        raise ValueError(f"vectors of {len(a)} and of {len(b)} numbers cannot be compared")
    length = sqrt(sum(map(mul, a, a)) * sum(map(mul, b, b)))
    return 1.0 - sum(map(mul, a, b)) / length if length else 1.0


BUSY_TIMEOUT_MS = 10_000

_NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now')"
_SWEEP = f"DELETE FROM store WHERE expires_at IS NOT NULL AND expires_at <= {_NOW}"
_ITEM = f"(?, ?, ?, {_NOW}, {_NOW}, ?, ?)"
_PUT = """INSERT INTO store (prefix, key, value, created_at, updated_at, expires_at, ttl_minutes) VALUES {items}
    ON CONFLICT (prefix, key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at,
    expires_at = excluded.expires_at, ttl_minutes = excluded.ttl_minutes"""


class SqliteStore(FencedStore, AsyncSqliteStore):
    """LangGraph's SQLite store with fixes (as of langgraph-checkpoint-sqlite 3.1.2).

    There, a failing batch is committed partially; putting an item again resets its `created_at`; times have whole
    seconds, so that the newest of several items is ambiguous; expired items stay visible until the next sweep; a
    comparison takes text for the number 0; and a dot in a filter's key addresses a nested value.
    """

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        try:
            return await super().abatch(ops)
        except sqlite3.OperationalError as error:
            raise Unavailable(f"the store does not respond: {error}") from error

    @asynccontextmanager
    async def _cursor(self, *, transaction: bool = True) -> AsyncIterator[aiosqlite.Cursor]:  # noqa: ARG002
        if not self.is_setup:
            await self.setup()
        async with self.lock, self.conn.cursor() as cursor:
            await cursor.execute("BEGIN IMMEDIATE")
            try:
                await cursor.execute(_SWEEP)
                yield cursor
                await cursor.execute("COMMIT")
            finally:
                await self.conn.rollback()  # after a commit there is nothing to roll back

    def _prepare_batch_PUT_queries(self, put_ops: Sequence[tuple[int, PutOp]]) -> Any:
        queries, embeddings = super()._prepare_batch_PUT_queries(put_ops)
        return [
            _put(parameters) if "INTO store " in sql else (sql, parameters) for sql, parameters in queries
        ], embeddings

    def _prepare_batch_search_queries(self, search_ops: Sequence[tuple[int, SearchOp]]) -> Any:
        ops = [(index, op._replace(filter=add_operators(op.filter))) for index, op in search_ops]
        return super()._prepare_batch_search_queries(ops)

    def _get_filter_condition(self, key: str, op: str, value: Any) -> tuple[str, list[Any]]:
        path = f'$."{key}"'
        if op in COMPARED:
            kinds = "('text')" if isinstance(value, str) else "('integer', 'real')"
            condition = f"(json_type(value, ?) IN {kinds} AND json_extract(value, ?) {COMPARED[op]} ?)"
            return condition, [path, path, value]
        if op not in ("$eq", "$ne"):
            raise ValueError(f"unknown operator {op}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            equal, wanted = (
                "json_extract(value, ?) = ? AND json_type(value, ?) IN ('integer', 'real')",
                [path, value, path],
            )
        else:  # as JSON, where true is not 1; a missing key is null
            equal, wanted = "COALESCE(value -> ?, 'null') = json(?)", [path, orjson.dumps(value).decode()]
        return (f"({equal})" if op == "$eq" else f"COALESCE(NOT ({equal}), TRUE)"), wanted


def _put(parameters: Sequence[Any]) -> tuple[str, list[Any]]:
    """Return the statement that inserts or updates items, with five parameters each."""
    rows = [parameters[start : start + 5] for start in range(0, len(parameters), 5)]
    values = [[prefix, key, value.decode(), _text(expires), ttl] for prefix, key, value, expires, ttl in rows]
    return _PUT.format(items=",".join([_ITEM] * len(rows))), [one for row in values for one in row]


def _text(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] if moment else None


@asynccontextmanager
async def open_sqlite_store(path: Path, ttl: StoreTtl, index: IndexConfig | None = None) -> AsyncIterator[SqliteStore]:
    """Open the store on the file at `path`, with its tables set up. Each use first deletes expired items."""
    make_private(path)
    async with aiosqlite.connect(path, isolation_level=None, factory=VectorConnection) as connection:
        await connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        await connection.execute("PRAGMA journal_mode = WAL")
        await connection.execute("PRAGMA synchronous = FULL")
        settings: TTLConfig = {"refresh_on_read": ttl.refresh_on_read, "default_ttl": ttl.default_ttl}
        store = SqliteStore(connection, ttl=settings, index=index)
        await store.setup()
        yield store
