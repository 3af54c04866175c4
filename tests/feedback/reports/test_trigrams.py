"""PostgreSQL searches texts by `pg_trgm`, where the server has it and the user may create it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from agent_server.database import open_database
from feedback import FeedbackPlugin
from feedback.reports.query import FeedbackQuery
from tests.feedback.stored_feedback import insert, row

TEXTS = ["Refund!", "straße", "مرحبا", "100% a_b", "it"]
INDEX = "SELECT indexdef FROM pg_indexes WHERE indexname = 'feedback_trigrams'"

BEFORE = "DROP INDEX feedback_trigrams; DELETE FROM schema_migrations WHERE package = 'feedback' AND version = 21"
STATISTICS = "SELECT attname FROM pg_stats WHERE tablename = 'feedback_trigrams' AND null_frac < 1"


async def search_all(url: str) -> tuple[list[str], list[str]]:
    """Return the found texts, and the definition of the index on them, in a database without tables."""
    async with FeedbackPlugin(open_database(url)).open() as service:
        await insert(service, [row(comment=text) for text in TEXTS])
        pages = [await service.default.reader.page(FeedbackQuery(text=text)) for text in TEXTS]
        indexes = await service.database.read(lambda db: db.all(INDEX))
    return [str(one.comment) for page in pages for one in page.feedback], [one["indexdef"] for one in indexes]


@pytest.fixture
def restricted_url(empty_postgres_url: str) -> Iterator[str]:
    """Yield the URL of a user that may create tables in the database, and no extension."""
    name = f"restricted_{uuid.uuid4().hex}"
    with psycopg.connect(empty_postgres_url, autocommit=True) as connection:
        user = sql.Identifier(name)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(user))
        connection.execute(sql.SQL("GRANT CREATE, USAGE ON SCHEMA public TO {}").format(user))
        yield empty_postgres_url.replace("//postgres:", f"//{name}:")
        connection.execute(sql.SQL("DROP OWNED BY {}").format(user))
        connection.execute(sql.SQL("DROP ROLE {}").format(user))


async def test_texts_are_indexed_and_found(empty_postgres_url: str) -> None:
    found, [index] = await search_all(empty_postgres_url)
    assert found == TEXTS
    assert "USING gin (lower(comment) gin_trgm_ops, lower(value) gin_trgm_ops, lower(correction) gin_trgm_ops)" in index


async def test_frequent_words_are_known_after_the_migration(empty_postgres_url: str) -> None:
    async with FeedbackPlugin(open_database(empty_postgres_url)).open() as service:
        await insert(service, [row(comment=f"word {at}") for at in range(50)])
        await service.database.write(lambda db: db.execute(BEFORE))
    async with FeedbackPlugin(open_database(empty_postgres_url)).open() as service:
        statistics = await service.database.read(lambda db: db.all(STATISTICS))
    assert [one["attname"] for one in statistics] == ["lower"]


async def test_extension_in_another_schema_is_used(empty_postgres_url: str) -> None:
    with psycopg.connect(empty_postgres_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA extensions")
        connection.execute("CREATE EXTENSION pg_trgm SCHEMA extensions")
    found, indexes = await search_all(empty_postgres_url)
    assert (found, len(indexes)) == (TEXTS, 1)


async def test_search_works_without_the_extension(restricted_url: str) -> None:
    assert await search_all(restricted_url) == (TEXTS, [])
