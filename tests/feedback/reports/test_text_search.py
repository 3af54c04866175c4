"""A search by text blocks finds what a search without them finds, whatever has changed since they were built."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from agent_server.database import open_database
from feedback import FeedbackPlugin
from feedback.database import Connection
from feedback.projects.scoped_database import scope_to_project
from feedback.records.text_blocks import ROWS, build_all
from feedback.reports.query import FeedbackQuery
from feedback.reports.text_search import WHOLE, spans
from feedback.schema import FeedbackPatch
from feedback.validation import to_micros
from tests.feedback.stored_feedback import NOON, insert, row

WORDS = ["Refund", "slow", "ΟΔΟΣ", "Straße", "İstanbul", "مرحبا", "100%", "a_b", "it's!", "x", "K", "👩‍👩‍👧"]

MIDDLE = to_micros(NOON + timedelta(seconds=ROWS))


@pytest.fixture
async def searched(sqlite_url: str) -> AsyncIterator[FeedbackPlugin]:
    """A service with some blocks of texts of random words, and a tail without a block."""
    chosen = random.Random(7)
    async with FeedbackPlugin(open_database(sqlite_url)).open() as service:
        texts = [" ".join(chosen.choices(WORDS, k=3)) for _ in range(4 * ROWS + 9)]
        await insert(
            service, [row(at=NOON + timedelta(seconds=at // 3), comment=text) for at, text in enumerate(texts)]
        )
        assert await build_all(service.database) == 4
        yield service


async def found(service: FeedbackPlugin, text: str, limit: int = 1000) -> list[str]:
    return [one.id for one in (await service.default.reader.page(FeedbackQuery(text=text), limit)).feedback]


async def found_without_blocks(service: FeedbackPlugin, text: str) -> list[str]:
    service.default.reader.has_blocks = False
    try:
        return await found(service, text)
    finally:
        service.default.reader.has_blocks = True


@pytest.mark.parametrize(
    "text", [*WORDS, "REFUND", "οδος", "straße s", "nowhere", "refund slow", "İST", "s İ", "%", "!"]
)
async def test_blocks_change_no_result(searched: FeedbackPlugin, text: str) -> None:
    assert await found(searched, text) == await found_without_blocks(searched, text)


async def test_pages_of_a_search_continue(searched: FeedbackPlugin) -> None:
    query, seen, cursor = FeedbackQuery(text="refund slow"), list[str](), None
    while True:
        page = await searched.default.reader.page(query, 7, cursor)
        seen += [one.id for one in page.feedback]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == await found_without_blocks(searched, "refund slow")


async def test_search_by_run_uses_blocks(searched: FeedbackPlugin) -> None:
    query = FeedbackQuery(text="straße slow", since="2026-03-01T12:01:00Z", until="2026-03-01T12:04:00Z")
    rows = (await searched.default.by_run.page(query, 100)).rows
    searched.default.reader.has_blocks = False
    assert rows == (await searched.default.by_run.page(query, 100)).rows != []


async def test_rare_word_reads_few_rows(searched: FeedbackPlugin) -> None:
    def looked_up(db: Connection) -> list[tuple[int, int]]:
        return [span for span in spans(db, FeedbackQuery(text="nowhere")) if span != WHOLE]

    [tail] = await searched.database.read(lambda db: looked_up(scope_to_project(db, "default")))
    row_of = "SELECT COUNT(*) AS n FROM feedback WHERE created_at > :begin AND created_at <= :end"
    counted = await searched.database.read(lambda db: db.one(row_of, begin=tail[0], end=tail[1]))
    assert counted is not None
    assert counted["n"] <= ROWS


async def test_changed_and_postdated_text_is_found(searched: FeedbackPlugin) -> None:
    oldest = (await found_without_blocks(searched, "refund"))[-1]
    await searched.default.store.update(oldest, FeedbackPatch(comment="now of Xanadu"))
    added = row(at=NOON + timedelta(seconds=5), comment="also of xanadu")
    earlier = row(at=NOON - timedelta(days=9), comment="long before XANADU")
    await insert(searched, [added, earlier])
    assert set(await found(searched, "xanadu")) == {oldest, added["id"], earlier["id"]}
    assert await build_all(searched.database) > 0
    assert set(await found(searched, "xanadu")) == {oldest, added["id"], earlier["id"]}
    assert await found(searched, "refund") == await found_without_blocks(searched, "refund")


async def test_equal_times_share_a_block(sqlite_url: str) -> None:
    async with FeedbackPlugin(open_database(sqlite_url)).open() as service:
        await insert(service, [row(comment=f"word{at}") for at in range(2 * ROWS)])
        assert await build_all(service.database) == 1
        assert len(await found(service, "word511")) == 1


async def test_blocks_hold_no_erased_words(tmp_path: Path) -> None:
    async with FeedbackPlugin(open_database(f"sqlite:///{tmp_path / 'feedback.db'}")).open() as service:
        await insert(service, [row(subject="ada", comment="words of ada" * 50) for _ in range(ROWS + 1)])
        assert await build_all(service.database) == 1
        await service.default.erasure.erase_subject("ada")
        assert await build_all(service.database) == 0
        assert await service.database.read(lambda db: db.all("SELECT * FROM feedback_text_block")) == []
    left = [file.name for file in tmp_path.iterdir() if b"of ada" in file.read_bytes()]  # noqa: ASYNC240  it is closed
    assert left == []


async def test_blocks_of_expired_feedback_are_deleted(searched: FeedbackPlugin) -> None:
    await searched.database.write(lambda db: db.execute("DELETE FROM feedback WHERE created_at <= :at", at=MIDDLE))
    assert [await build_all(searched.database) for _ in range(2)] == [0, 0]
    left = await searched.database.read(lambda db: db.all("SELECT ends_at FROM feedback_text_block"))
    assert 0 < len(left) < 4


async def test_blocks_of_a_deleted_project_are_deleted(searched: FeedbackPlugin) -> None:
    await searched.database.write(lambda db: db.execute("DELETE FROM feedback_project"))
    assert await searched.database.read(lambda db: db.all("SELECT ends_at FROM feedback_text_block")) == []
