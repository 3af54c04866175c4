"""Exports for spreadsheets have the lines that `csv.writer` would write."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import cycle, islice
from typing import Any

import pytest

from agent_server.database import open_database
from feedback import FeedbackPlugin, RunFacts
from feedback.records.reviews import ReviewUpdate
from feedback.reports.query import FeedbackQuery
from feedback.validation import to_micros
from tests.feedback.stored_feedback import NOON, configure, insert, row

TEXTS = (
    None, "", " ", "plain", " spaces ", "a,b", 'say "hi"', '"', "two\nlines", "two\r\nlines", "\n", "\r", "a\rb",
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=cmd|"/c calc"!A1', "=a,b", "'=1",
    "né 你好 👩‍👩‍👧", "\u2028", "\x1f",
)  # fmt: skip
SCORES = (None, 1, 0, -1, True, False, 0.5, 1.0, 1e-07, 1e22, 2**62, -0.25)
VALUES = (None, "", "text", 'a "b", c', "=1", 7, 1.5, -3, True, False, [], {}, {"a": [1.50, None, "é"]}, ["=1", "x"])
METADATA = (None, {}, {"a": 1}, {"reasons": ["Wrong", "a,b"]}, {"reasons": ["=1"]}, {"reasons": [1, "x"]},
            {"reasons": "no list"}, {"reasons": []}, {"é": {"b": [1.0, None]}})  # fmt: skip
RUN_METADATA = """INSERT INTO feedback_run_metadata (project, run_id, name, value)
VALUES ('default', CAST(:run_id AS TEXT), 'plan', 'pro, "best"')"""


async def look_up(run_id: str) -> RunFacts | None:
    return RunFacts(run_id, assistant_name='=Help, "desk"')


@pytest.fixture
async def with_names(database_url: str) -> AsyncIterator[FeedbackPlugin]:
    """Open the service beside a server whose assistants have names."""
    async with FeedbackPlugin(open_database(database_url), run_lookup=look_up).open() as plugin:
        yield plugin


async def exported(service: FeedbackPlugin, form: Any) -> bytes:
    return b"".join([part async for part in service.default.exports.stream(FeedbackQuery(), form)])


def encode(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def cell(value: Any) -> Any:
    """The cell of a value: numbers unchanged, text safe from evaluation as a formula."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, (int, float)):
        return value
    text = value if isinstance(value, str) else encode(value)
    return f"'{text}" if text[:1] in tuple("=+-@\t\r\n") else text


def cells(line: dict[str, Any]) -> list[Any]:
    """The cells of a line of the export of JSON lines."""
    source, reasons = line["feedback_source"], line["feedback_source"]["metadata"].get("reasons")
    texts = [one for one in reasons if isinstance(one, str)] if isinstance(reasons, list) else []
    return [
        *(line[name] for name in ("id", "created_at", "modified_at")),
        cell(line["run_id"] or line["run_name"]),
        *(cell(line[name]) for name in ("thread_id", "assistant_id", "assistant_version", "key", "score")),
        *(cell(line[name]) for name in ("value", "comment", "correction")),
        *(cell(one) for one in (source["type"], source["user_id"], source["metadata"] or None)),
        *(cell(line[name]) for name in ("review_status", "review_note", "assistant_name", "kind", "is_positive")),
        cell("; ".join(texts)),
        cell(line["run_metadata"] or None),
    ]


def shapes() -> list[dict[str, Any]]:
    """A row for each combination of neighbouring shapes; the lists have no common length."""
    texts, ids = cycle(TEXTS), cycle(("r", "a,b", "=r", "018f0000-0000-7000-8000-000000000001"))
    rows = []
    given = zip(cycle(SCORES), cycle(VALUES), cycle(METADATA), strict=False)
    for at, (score, value, metadata) in enumerate(islice(given, 400)):
        names = {"key": next(texts) or "thumbs", "source": next(texts) or "api", "run_id": next(ids)}
        place = {"thread_id": next(texts), "assistant_id": next(texts), "assistant_version": at % 3 or None}
        words = {"comment": next(texts), "subject": f"{next(texts)} {at}", "correction": next(texts)}
        times = {"at": NOON + timedelta(seconds=at), "modified_at": to_micros(NOON) + at * 1_000_007}
        columns = {**names, **place, **words, **times, "value": value, "metadata": metadata}
        rows.append(row(score, **{name: one for name, one in columns.items() if one is not None}))
        rows[-1]["number"] = None if score is None else float(score)
    return rows


async def test_csv_has_the_lines_of_csv_writer(with_names: FeedbackPlugin) -> None:
    rows = shapes()
    await insert(with_names, rows)
    await configure(with_names, "thumbs", {"type": "continuous", "min": 0, "max": 1})
    await with_names.database.write(lambda db: db.execute(RUN_METADATA, run_id="r"))
    for one, note in zip(rows, TEXTS, strict=False):
        await with_names.default.reviews.set(one["id"], ReviewUpdate("done", note))
    lines = [json.loads(line) for line in (await exported(with_names, "jsonl")).splitlines()]
    expected = io.StringIO()
    csv.writer(expected).writerows(cells(line) for line in lines)
    head, _, body = (await exported(with_names, "csv")).partition(b"\r\n")
    assert len(lines) == len(rows)
    assert len(head.split(b",")) == len(cells(lines[0]))
    assert body.decode() == expected.getvalue()
    assert all(
        shown in body for shown in (b'"\'=Help, ""desk"""', b'""plan"":""pro, ', b",thumbs,true,", b"Wrong; a,b")
    )
