"""The store in PostgreSQL, on a connection pool of its own (the extra `postgres`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import orjson
import psycopg
from langgraph.store.base import IndexConfig, Op, Result, SearchOp, TTLConfig
from langgraph.store.postgres.aio import AsyncPostgresStore
from langgraph.store.postgres.base import PostgresIndexConfig
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from agent_server.agents.postgres_pool import create_one_at_a_time, langgraph_pool
from agent_server.agents.stores.fenced import FencedStore
from agent_server.agents.stores.filters import COMPARED, add_operators
from agent_server.config import ConfigError, StoreTtl
from agent_server.errors import Unavailable

POOL_SIZE = 5


_FRACTIONS = """
DO $$ BEGIN
    IF (SELECT data_type FROM information_schema.columns WHERE table_schema = current_schema()
        AND table_name = 'store' AND column_name = 'ttl_minutes') = 'integer'
    THEN ALTER TABLE store ALTER COLUMN ttl_minutes TYPE double precision; END IF;
END $$"""
"""LangGraph stores whole minutes only: half a minute would expire at the first read."""


class PostgresStore(FencedStore, AsyncPostgresStore):
    """LangGraph's PostgreSQL store with numeric comparisons (langgraph-checkpoint-postgres 3.2.0 compares numbers as
    text, so that 10 is less than 9)."""

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        try:
            return await super().abatch(ops)
        except psycopg.OperationalError as error:
            raise Unavailable(f"the store does not respond: {error}") from error

    def _prepare_batch_search_queries(self, search_ops: Sequence[tuple[int, SearchOp]]) -> Any:
        ops = [(index, op._replace(filter=add_operators(op.filter))) for index, op in search_ops]
        return super()._prepare_batch_search_queries(ops)

    def _get_filter_condition(self, key: str, op: str, value: Any) -> tuple[str, list[Any]]:
        if op in COMPARED and isinstance(value, str):
            return f"(jsonb_typeof(value->%s) = 'string' AND (value->>%s) COLLATE \"C\" {COMPARED[op]} %s)", [
                key,
                key,
                value,
            ]
        if op in COMPARED:  # CASE, since AND has no evaluation order, and a text cannot be cast
            number = f"THEN (value->>%s)::numeric {COMPARED[op]} %s::numeric ELSE false END"
            return f"CASE WHEN jsonb_typeof(value->%s) = 'number' {number}", [key, key, str(value)]
        if op not in ("$eq", "$ne"):
            raise ValueError(f"unknown operator {op}")
        sign = "=" if op == "$eq" else "!="
        return f"COALESCE(value->%s, 'null'::jsonb) {sign} %s::jsonb", [key, orjson.dumps(value).decode()]


@asynccontextmanager
async def open_postgres_store(
    url: str, ttl: StoreTtl, index: IndexConfig | None = None
) -> AsyncIterator[PostgresStore]:
    """Open the store on a pool of its own, set up; delete expired items regularly, which reads hide before.

    With `index` it needs the extension pgvector. Errors: `ConfigError` if PostgreSQL has none.
    """
    pool = langgraph_pool(url, POOL_SIZE)
    async with pool:
        settings: TTLConfig = {
            "refresh_on_read": ttl.refresh_on_read,
            "default_ttl": ttl.default_ttl,
            "omit_expired": True,
        }
        store = PostgresStore(pool, ttl=settings, index=cast("PostgresIndexConfig | None", index))

        async def set_up(connection: AsyncConnection[DictRow]) -> None:
            try:
                await store.setup()
            except (psycopg.errors.FeatureNotSupported, psycopg.errors.InsufficientPrivilege) as error:
                raise ConfigError(f"The store cannot be set up; store.index needs pgvector: {error}") from error
            await connection.execute(_FRACTIONS)

        await create_one_at_a_time(pool, set_up)
        await store.start_ttl_sweeper(cast("int", ttl.sweep_interval_minutes))  # a fraction works, too
        try:
            yield store
        finally:
            await store.stop_ttl_sweeper()
