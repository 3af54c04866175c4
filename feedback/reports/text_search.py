"""Text search: the times whose feedback may have the text, newest first, by the text blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from feedback.database import Connection, Row
from feedback.records.text_blocks import EVER, GROUP, groups_of, may_have, places_of
from feedback.reports.query import FeedbackQuery

AT_ONCE = 256
"""The number of blocks read at a time."""
MERGED = 16
"""The maximum number of neighbouring blocks in one span: a frequent text is found in the first ones."""
BLOCKS = """SELECT begins_at, ends_at, bits FROM feedback_text_block
WHERE project = :project AND ends_at < :before ORDER BY ends_at DESC LIMIT :limit"""
Span = tuple[int, int]
"""Feedback created after the first time and until the second one."""
WHOLE: Span = (EVER, -EVER)
IN_SPAN = " AND created_at > :span_begin AND created_at <= :span_end"


def rows_by_span(
    db: Connection, has_blocks: bool, query: FeedbackQuery, sql: str, parameters: dict[str, Any], limit: int
) -> list[Row]:
    """Return at most `limit` rows of the query, newest first.

    `sql` has `{span}` where conditions can be added, orders by time, and has no limit.
    """
    rows: list[Row] = []
    for span in spans(db, query) if has_blocks else (WHOLE,):
        more = {"limit": limit - len(rows)}
        if span == WHOLE:
            found = sql.replace("{span}", "")
        else:
            found = _without_index(sql).replace("{span}", IN_SPAN)
            more |= {"span_begin": span[0], "span_end": span[1]}
        rows += db.all(f"{found} LIMIT :limit", **parameters, **more)
        if len(rows) >= limit:
            break
    return rows


def _without_index(sql: str) -> str:
    """Return the query with conditions on the time that SQLite does not look up: it takes only one for each end."""
    return re.sub(r"\bcreated_at (?=[<>])", "+created_at ", sql).replace("(created_at, id) <", "(+created_at, id) <")


def spans(db: Connection, query: FeedbackQuery) -> Iterator[Span]:
    """Return the spans to search, newest first. All others have no feedback with the text."""
    is_narrow = query.run or query.thread or query.subject or query.id
    if not query.text or len(query.text) < GROUP or is_narrow:
        yield WHOLE
        return
    yield from _merged(_candidates(db, places_of(groups_of(query.text))))


def _candidates(db: Connection, places: set[int]) -> Iterator[Span]:
    """Return the blocks that may have the text, and the times that no block has."""
    top = WHOLE[1]
    before = top
    while blocks := db.all(BLOCKS, before=before, limit=AT_ONCE):
        for block in blocks:
            begin, end = block["begins_at"], block["ends_at"]
            if end < top:
                yield end, top
            if may_have(block["bits"], places):
                yield begin, end
            top = begin
        before = blocks[-1]["ends_at"]
    if top > WHOLE[0]:
        yield WHOLE[0], top


def _merged(candidates: Iterator[Span]) -> Iterator[Span]:
    """Join spans that follow each other."""
    begin, end = next(candidates)
    joined = 1
    for one in candidates:
        if one[1] == begin and joined < MERGED:
            begin, joined = one[0], joined + 1
        else:
            yield begin, end
            (begin, end), joined = one, 1
    yield begin, end
