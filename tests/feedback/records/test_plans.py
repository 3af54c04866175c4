"""Frequent statements use an index on both databases; they sort only rows of the same time."""

from __future__ import annotations

from typing import Any

import pytest

from agent_server.database import open_database
from feedback import FeedbackPlugin
from feedback.configs.key_configs import OF_KEY
from feedback.database import Connection
from feedback.records import by_subject, erasure, purge, store
from feedback.records.list_filter import FeedbackSearch
from feedback.reports.query import FeedbackQuery
from feedback.tokens import presigned, revocation

CURSOR = {"cursor_at": 10**15, "cursor_id": "i"}


def listing(query: FeedbackSearch) -> tuple[str, dict[str, Any]]:
    where, parameters = query.sql()
    return f"SELECT * FROM feedback{where} ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset", parameters


def page(query: FeedbackQuery) -> tuple[str, dict[str, Any]]:
    where, parameters = query.sql()
    sql = f"SELECT * FROM feedback WHERE {where} AND (created_at, id) < (:cursor_at, :cursor_id)"
    return f"{sql} ORDER BY created_at DESC, id DESC LIMIT 100", {**parameters, **CURSOR}


ON_SQLITE = {
    "feedback_grant_pkey": "INTEGER PRIMARY KEY",
    "feedback_pkey": "INDEX sqlite_autoindex_feedback_1",
    "feedback_trigrams": "INDEX feedback_words",  # within the spans that the text blocks leave
}
OF_SUBJECT = {"run_id": "r", "key": "k", "subject": "s"}
OLD_OF_KEY = {"age": 1, "at": 0, "id": "", "limit": 5, "key": "k"}
STATEMENTS: list[tuple[str, str, dict[str, Any]]] = [
    ("feedback_grant_pkey", presigned.SELECT, {"id": 1, "ring_key": 1, "denial": "d"}),
    ("feedback_grant_run", presigned.PAGE, {"run_id": "r", "start": 0, "stop": 5}),
    ("feedback_grant_run", revocation.COUNT + "run_id = :run_id", {"run_id": "r"}),
    ("feedback_grant_pkey", purge.GRANTS, {"age": 1, "after": 0, "limit": 5}),
    ("feedback_config_key", OF_KEY, {"key": "k"}),
    ("feedback_idempotency", store.REPEATED, {"idempotency": "i"}),
    ("feedback_pkey", store.BY_ID, {"id": "i"}),
    ("feedback_run", by_subject.REPLACEABLE, OF_SUBJECT),
    ("feedback_subject_added", by_subject.FIRST, OF_SUBJECT),
    ("feedback_run", *listing(FeedbackSearch(run=["r"]))),
    ("feedback_key_time", *listing(FeedbackSearch(key=["k1"]))),
    ("feedback_created", *listing(FeedbackSearch())),
    ("feedback_run", *page(FeedbackQuery(run=["r"]))),
    ("feedback_thread", *page(FeedbackQuery(thread=["t"]))),
    ("feedback_place", *page(FeedbackQuery(assistant=["a1"], version=[1]))),
    ("feedback_place", *page(FeedbackQuery(assistant=["a1"]))),
    ("feedback_subject_time", *page(FeedbackQuery(subject=["s"]))),
    ("feedback_key_time", *page(FeedbackQuery(key=["k1"]))),
    ("feedback_review_time", *page(FeedbackQuery(status=["done"]))),
    ("feedback_review_assignee", *page(FeedbackQuery(assignee=["s"]))),
    ("feedback_created", *page(FeedbackQuery())),
    ("feedback_trigrams", *page(FeedbackQuery(text="nowhere"))),
    ("feedback_key_time", erasure.OLD.format("key = :key"), OLD_OF_KEY),
]


FILL = """INSERT INTO feedback (id, project, run_id, key, subject, source, comment, thread_id, assistant_id,
    assistant_version, review_status, created_at, modified_at)
SELECT 'i' || n, 'default', 'r' || n, 'k' || n % 50, 's' || n, 'api', repeat(md5(n::TEXT), 20), 't' || n,
    'a' || n % 50, n % 5, CASE WHEN n % 50 = 0 THEN 'done' END, n, n FROM generate_series(1, 4000) AS n"""
FILL_GRANTS = """INSERT INTO feedback_grant (salt, ring_key, run_id, feedback_keys, key_count, expires_at, created_at)
SELECT 1, 1, 'r' || n, '[]', 1, n * 1000000000000, 1 FROM generate_series(1, 4000) AS n"""


@pytest.fixture
async def filled(service: FeedbackPlugin) -> FeedbackPlugin:
    """Fill the service with enough rows for PostgreSQL to choose indexes. SQLite's statistics are in its schema."""
    if service.database.dialect == "postgres":
        clean = "SELECT gin_clean_pending_list('feedback_trigrams')"  # autovacuum does so, too
        for sql in (FILL, FILL_GRANTS, clean, "ANALYZE feedback, feedback_grant, feedback_day"):
            await service.database.write(lambda db, sql=sql: db.execute(sql))  # type: ignore[misc]
    return service


def plan_of(db: Connection, dialect: str, sql: str, parameters: dict[str, Any]) -> str:
    if ":project" in sql:
        parameters = {"project": "default", **parameters}
    if dialect == "sqlite":
        return "\n".join(row["detail"] for row in db.all(f"EXPLAIN QUERY PLAN {sql}", **parameters))
    db.execute("SET LOCAL enable_seqscan = off")  # PostgreSQL would otherwise scan small tables
    return "\n".join(row["QUERY PLAN"] for row in db.all(f"EXPLAIN {sql}", **parameters))


@pytest.mark.parametrize("index", sorted({index for index, _, _ in STATEMENTS}))
async def test_hot_statements_use_their_index(filled: FeedbackPlugin, index: str) -> None:
    dialect = filled.database.dialect
    for name, sql, parameters in STATEMENTS:
        if name != index:
            continue
        plan = await filled.database.read(lambda db: plan_of(db, dialect, sql, parameters))  # noqa: B023
        if dialect == "sqlite":
            assert f"{ON_SQLITE.get(index, index)} (" in plan, plan
            assert "SCAN feedback\n" not in plan + "\n", plan
        else:
            assert index in plan, plan
            assert "Seq Scan on feedback " not in plan, plan


async def test_feedback_of_a_subject_is_one_entry(filled: FeedbackPlugin) -> None:
    plan = await filled.database.read(
        lambda db: plan_of(db, filled.database.dialect, by_subject.REPLACEABLE, OF_SUBJECT)
    )
    if filled.database.dialect == "sqlite":
        assert "USING INDEX feedback_run (project=? AND run_id=? AND key=? AND <expr>=?)" in plan
    else:
        assert any("Index Cond:" in line and "CASE" in line for line in plan.splitlines()), plan


SORTED = [FeedbackQuery(), FeedbackQuery(key=["k1"]), FeedbackQuery(thread=["t"]), FeedbackQuery(status=["done"]),
          FeedbackQuery(assistant=["a1"], version=[1]), FeedbackQuery(subject=["s"]), FeedbackQuery(assignee=["a"]),
          FeedbackQuery(text="nowhere")]  # fmt: skip


@pytest.mark.parametrize("query", SORTED, ids=lambda query: query.sql()[0])
async def test_pages_come_from_an_index_in_order(sqlite_url: str, query: FeedbackQuery) -> None:
    sql, parameters = page(query)
    async with FeedbackPlugin(open_database(sqlite_url)).open() as service:
        plan = await service.database.read(lambda db: plan_of(db, "sqlite", sql, parameters))
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan  # sorting by the last term alone orders rows of the same time


async def test_statistics_read_the_counts_of_their_days(filled: FeedbackPlugin) -> None:
    where, parameters = FeedbackQuery(since="2026-03-01T00:00:00Z", until="2026-03-02T00:00:00Z").days_sql()
    sql = f"SELECT SUM(weight) FROM feedback_by_day WHERE {where} AND key IN ('k1', 'k2')"
    plan = await filled.database.read(lambda db: plan_of(db, filled.database.dialect, sql, parameters))
    if filled.database.dialect == "sqlite":
        assert "USING PRIMARY KEY (project=? AND key=? AND day>? AND day<?)" in plan
    else:
        assert "feedback_day_place" in plan
        assert "day >=" in plan.partition("Index Cond:")[2].partition("\n")[0]
