"""Queries find feedback by its subject matter and content, and each page continues where the page before ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from feedback import FeedbackPlugin
from feedback.reports.query import FeedbackQuery
from feedback.reports.reviewed_rows import convert_rows
from tests.feedback.conftest import mint
from tests.feedback.stored_feedback import NOON, insert, row

App = AsyncTestClient[Litestar]


async def found(service: FeedbackPlugin, **query: Any) -> list[str | None]:
    """Return the comments of the matching feedback, oldest first."""
    page = await service.default.reader.page(FeedbackQuery(**query))
    return [feedback.comment for feedback in page.feedback][::-1]


@pytest.fixture
async def three(service: FeedbackPlugin) -> FeedbackPlugin:
    """Store three pieces of feedback about different things, a day apart."""
    about: list[dict[str, Any]] = [
        {"score": 0, "thread_id": "t1", "assistant_id": "a", "assistant_version": 1, "run_id": "r1", "subject": "ada"},
        {"score": 0.5, "thread_id": "t1", "assistant_id": "a", "assistant_version": 2, "key": "stars", "value": "50%"},
        {"score": None, "thread_id": "t2", "assistant_id": "b", "assistant_version": 1, "correction": {"say": "Ünd_x"}},
    ]
    days = enumerate(about)
    await insert(service, [row(**one, comment=f"#{at}", at=NOON + timedelta(days=at)) for at, one in days])
    return service


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["#0", "#1", "#2"]),
        ({"run": ["r1", "other"]}, ["#0"]),
        ({"thread": ["t1"]}, ["#0", "#1"]),
        ({"assistant": ["a"], "version": [1, 3]}, ["#0"]),
        ({"key": ["stars"]}, ["#1"]),
        ({"subject": ["ada"]}, ["#0"]),
        ({"since": "2026-03-02T12:00:00Z"}, ["#1", "#2"]),
        ({"until": "2026-03-02T12:00:00Z"}, ["#0"]),
        ({"min_score": 0.5}, ["#1"]),
        ({"max_score": 0.4}, ["#0"]),
        ({"has_score": False}, ["#2"]),
        ({"has_correction": True}, ["#2"]),
        ({"has_comment": False}, []),
        ({"text": "#"}, ["#0", "#1", "#2"]),
        ({"text": "SAY"}, ["#2"]),
        ({"text": "0%"}, ["#1"]),
        ({"text": "d_x"}, ["#2"]),
        ({"text": "_0_"}, []),
        ({"text": "%"}, ["#1"]),
        ({"text": "!"}, []),
    ],
)
async def test_query_finds_what_fits_all_of_it(
    three: FeedbackPlugin, query: dict[str, Any], expected: list[str]
) -> None:
    assert await found(three, **query) == expected


async def test_pages_show_each_record_once_despite_insertions(service: FeedbackPlugin) -> None:
    await insert(service, [row(comment=str(at), at=NOON + timedelta(minutes=at // 3)) for at in range(10)])
    seen: list[str | None] = []
    cursor = None
    for _ in range(4):
        page = await service.default.reader.page(FeedbackQuery(), 3, cursor)
        seen += [feedback.comment for feedback in page.feedback]
        cursor = page.next_cursor
        await insert(service, [row(comment="late", at=NOON + timedelta(days=1))])
    assert cursor is None
    assert sorted(map(str, seen)) == [str(at) for at in range(10)]


async def test_pages_oldest_first_omit_later_feedback(service: FeedbackPlugin) -> None:
    await insert(service, [row(comment=str(at), at=NOON + timedelta(minutes=at // 2)) for at in range(7)])
    sizes, seen = [], []
    async for size, page in service.default.reader.pages(FeedbackQuery(), convert_rows, size=3):
        sizes.append(size)
        seen += [feedback.comment for feedback in page]
        await insert(service, [row(comment="late", at=NOON + timedelta(days=1))])
    assert sizes == [3, 3, 1]
    assert sorted(map(str, seen)) == [str(at) for at in range(7)]
    assert await service.default.reader.count(FeedbackQuery()) == 10


async def test_search_over_http_pages_by_cursor(client: App) -> None:
    url = await mint(client)
    created = [(await client.post(url, json={"score": score})).json()["id"] for score in range(5)]
    first = (await client.get("/api/v1/feedback/search", params={"key": "user_score", "limit": 3})).json()
    rest = (await client.get("/api/v1/feedback/search", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [row["id"] for row in first["feedback"] + rest["feedback"]] == created[::-1]
    assert rest["next_cursor"] is None


WRONG_SEARCHES: list[dict[str, Any]] = [
    {"cursor": "x"},
    {"cursor": "WzEsMl0"},
    {"cursor": "é"},
    {"since": "yesterday"},
    {"min_score": "nan"},
    {"limit": 0},
    {"limit": 1001},
    {"version": -1},
    {"version": 2**40},
    {"text": "a\0b"},
    {"has_comment": "perhaps"},
    {"run": ["x"] * 1001},
]


async def test_search_that_cannot_be_is_refused(client: App, subtests: pytest.Subtests) -> None:
    for query in WRONG_SEARCHES:
        with subtests.test(query=query):
            response = await client.get("/api/v1/feedback/search", params=query)
            assert response.status_code == 422, response.text
            assert response.json()["detail"]
