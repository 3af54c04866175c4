"""Response rates: the share of minted presigned URLs that received feedback."""

from __future__ import annotations

from collections import Counter

import msgspec
from msgspec import Struct

from feedback.database import Connection
from feedback.projects.scoped_database import ProjectDatabase, get_unscoped
from feedback.reports.confidence import Interval, wilson
from feedback.reports.query import FeedbackQuery

# Grants are numbered in the order of time, so a binary search finds the first one of a time; an index on the time would
# slow every minting.
LAST = "SELECT MAX(id) AS id FROM feedback_grant"
FROM = "SELECT id, created_at FROM feedback_grant WHERE id >= :id ORDER BY id LIMIT 1"


class ResponseRate(Struct):
    """The number of URLs minted for a feedback key, the number that received feedback, and the 95 % interval."""

    key: str
    minted: int
    with_feedback: int
    rate: float
    interval: Interval


class ResponseRates:
    """Computes the response rates of one project."""

    def __init__(self, database: ProjectDatabase) -> None:
        self._database = database

    async def compute(self, query: FeedbackQuery) -> list[ResponseRate]:
        """Return each feedback key's rate for URLs minted in the query's time, most minted first. Errors: `Invalid`."""
        only = FeedbackQuery(assistant=query.assistant, version=query.version, since=query.since, until=query.until)
        where, parameters = only.sql()

        def work(db: Connection) -> list[ResponseRate]:
            first = _find_first_grant(get_unscoped(db), parameters.get("since"))
            grants = f"feedback_grant WHERE id >= :first AND {where}"
            minted: Counter[str] = Counter()
            sql = f"SELECT feedback_keys, COUNT(*) AS times FROM {grants} GROUP BY feedback_keys"
            for row in db.all(sql, first=first, **parameters):
                for key in msgspec.json.decode(row["feedback_keys"], type=list[str]):
                    minted[key] += row["times"]
            with_feedback = _count_submitted(db, grants, first, parameters) if minted else {}
            keys = [key for key, _ in minted.most_common() if not query.key or key in query.key]
            return [_rate(key, minted[key], with_feedback.get(key, 0)) for key in keys]

        return await self._database.read(work)


def _count_submitted(db: Connection, grants: str, first: int, parameters: dict[str, object]) -> dict[str, int]:
    """Return the number of these grants' URLs with feedback, by feedback key."""
    rows = db.all(
        f"""SELECT key, COUNT(*) AS times FROM (
            SELECT DISTINCT grant_id, grant_key, key FROM feedback
            WHERE project = :project AND grant_id IN (SELECT id FROM {grants})
        ) AS urls GROUP BY key""",
        first=first,
        **parameters,
    )
    return {row["key"]: row["times"] for row in rows}


def _find_first_grant(db: Connection, since: object) -> int:
    """Return the number of the first grant at or after the time."""
    last = db.one(LAST)
    low, high = 0, (last["id"] or 0) if last else 0
    if not isinstance(since, int):
        return 0
    while low < high:
        middle = (low + high) // 2
        row = db.one(FROM, id=middle)
        if row is None or row["created_at"] >= since:
            high = middle
        else:
            low = middle + 1
    return low


def _rate(key: str, minted: int, with_feedback: int) -> ResponseRate:
    with_feedback = min(with_feedback, minted)
    return ResponseRate(key, minted, with_feedback, with_feedback / minted, wilson(with_feedback, minted))
